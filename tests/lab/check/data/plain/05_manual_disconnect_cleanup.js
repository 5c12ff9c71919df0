// A chat server that keeps by hand who is online.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");

const ChatSend = z.object({ text: z.string().max(2000) });
const limiter = new RateLimiterMemory({ points: 20, duration: 1 });
const onlineSince = new Map();

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
  socket.join(`user:${user.sub}`);
  onlineSince.set(user.sub, Date.now());

  socket.on("disconnect", () => {
    onlineSince.delete(user.sub); // <- RM051
  });

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    if (!onlineSince.has(user.dispatcher)) return reply({ sent: false });
    io.to(`user:${user.dispatcher}`).emit("chat:message", { from: user.sub, text: sent.data.text });
    reply({ sent: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
