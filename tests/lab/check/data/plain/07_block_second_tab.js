// A chat server that allows each user one connection.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");

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

io.on("connection", async (socket) => {
  const { user } = socket.data;
  socket.use((_, next) => limiter.consume(user.sub).then(() => next(), () => next(new Error("rate_limited"))));
  socket.join([`user:${user.sub}`, `company:${user.company}`]);

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    io.to(`company:${user.company}`).emit("chat:message", { from: user.sub, text: sent.data.text });
    reply({ ok: true });
  });

  for (const other of await io.in(`user:${user.sub}`).fetchSockets()) {
    if (other.id !== socket.id) other.disconnect(true); // <- RM071
  }
});

httpServer.listen(8080, "127.0.0.1");
