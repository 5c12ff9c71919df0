// A tracking server that emits positions and messages to everyone.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");

const Position = z.object({ lat: z.number().min(-90).max(90), lng: z.number().min(-180).max(180) });
const ChatSend = z.object({ text: z.string().max(2000) });
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
  socket.join([`user:${user.sub}`, `company:${user.company}`]);

  socket.on("position:update", (payload, reply) => {
    const position = Position.safeParse(payload);
    if (!position.success) return reply({ error: "invalid_payload" });
    io.emit("driver:position", { ...position.data, driver: user.sub }); // <- RM061
    reply({ ok: true });
  });

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    const message = { from: user.sub, company: user.company, text: sent.data.text };
    socket.broadcast.emit("chat:message", message); // <- RM061
    reply({ ok: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
