// A chat server whose clients choose their rooms and their names.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");

const RoomJoin = z.object({ room: z.string().max(100) });
const ChatSend = z.object({ room: z.string().max(100), sender: z.string().max(100), text: z.string().max(2000) });
const limiter = new RateLimiterMemory({ points: 20, duration: 1 });

const httpServer = createServer();
const io = new Server(httpServer, { maxHttpBufferSize: 16_384 });

io.use((socket, next) => {
  try {
    socket.data.user = jwt.verify(socket.handshake.auth.token, process.env.JWT_KEY, { algorithms: ["HS256"] });
    next();
  } catch {
    next(new Error("unauthorized"));
  }
});

io.on("connection", (socket) => {
  const { user } = socket.data;
  socket.use((_, next) => limiter.consume(user.sub).then(() => next(), () => next(new Error("rate_limited"))));
  socket.join(`company:${user.company}`);

  socket.on("room:join", (payload, reply) => {
    const wanted = RoomJoin.safeParse(payload);
    if (!wanted.success) return reply({ error: "invalid_payload" });
    socket.join(wanted.data.room); // <- RM081
    reply({ room: wanted.data.room });
  });

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    if (!socket.rooms.has(sent.data.room)) return reply({ error: "forbidden" });
    const message = { from: sent.data.sender, text: sent.data.text }; // <- RM082
    io.to(sent.data.room).emit("chat:message", message);
    reply({ ok: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
