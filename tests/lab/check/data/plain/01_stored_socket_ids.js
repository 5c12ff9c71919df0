// A chat server that keeps each user's socket ids in a map.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");

const ChatSend = z.object({ text: z.string().max(2000) });
const limiter = new RateLimiterMemory({ points: 20, duration: 1 });
const socketIds = new Map();

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
  const ids = socketIds.get(user.sub) ?? [];
  ids.push(socket.id); // <- RM011
  socketIds.set(user.sub, ids);

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    const targets = [...(socketIds.get(user.dispatcher) ?? []), ...(socketIds.get(user.sub) ?? [])];
    for (const socketId of targets) {
      io.to(socketId).emit("chat:message", { from: user.sub, text: sent.data.text }); // <- RM021
    }
    reply({ ok: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
