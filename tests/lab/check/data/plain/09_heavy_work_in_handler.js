// A report server that computes its reports in the handler.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");
const { pbkdf2Sync } = require("node:crypto");

const ReportRequest = z.object({ rounds: z.number().int().positive().max(1000) });
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
  socket.join(`company:${user.company}`);

  socket.on("report:request", (payload, reply) => {
    const wanted = ReportRequest.safeParse(payload);
    if (!wanted.success) return reply({ error: "invalid_payload" });
    let digest = Buffer.from(user.sub);
    for (let round = 0; round < wanted.data.rounds; round += 1) {
      digest = pbkdf2Sync(digest, "report", 10_000, 32, "sha256"); // <- RM091
    }
    reply({ digest: digest.toString("hex") });
  });

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    io.to(`company:${user.company}`).emit("chat:message", { from: user.sub, text: sent.data.text });
    reply({ ok: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
