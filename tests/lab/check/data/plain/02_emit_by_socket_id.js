// A report server that sends results to the socket that asked.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");

const ReportRequest = z.object({ size: z.number().int().positive().max(10_000) });
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
  socket.join(`user:${user.sub}`);

  socket.on("report:request", (payload, reply) => {
    const wanted = ReportRequest.safeParse(payload);
    if (!wanted.success) return reply({ error: "invalid_payload" });
    setTimeout(() => {
      io.to(socket.id).emit("report:ready", { size: wanted.data.size }); // <- RM024
    }, wanted.data.size);
    reply({ accepted: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
