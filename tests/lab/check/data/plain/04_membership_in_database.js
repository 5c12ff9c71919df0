// A chat server that keeps room members in a table.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const { Server } = require("socket.io");
const { z } = require("zod");
const { Pool } = require("pg");

const ChatSend = z.object({ room: z.string().max(100), text: z.string().max(2000) });
const limiter = new RateLimiterMemory({ points: 20, duration: 1 });
const db = new Pool();

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
  socket.join(`user:${user.sub}`);

  socket.on("disconnect", async () => {
    await db.query("DELETE FROM members WHERE user_id = $1", [user.sub]); // <- RM052
  });

  socket.on("chat:send", async (payload, reply) => {
    const sent = ChatSend.safeParse(payload);
    if (!sent.success) return reply({ error: "invalid_payload" });
    const { rows } = await db.query("SELECT user_id FROM members WHERE room = $1", [sent.data.room]); // <- RM041
    const members = rows.map((row) => row.user_id);
    if (!members.includes(user.sub)) return reply({ error: "forbidden" });
    for (const member of members) {
      io.to(`user:${member}`).emit("chat:message", { from: user.sub, text: sent.data.text });
    }
    reply({ ok: true });
  });

  for (const room of user.jobs) {
    await db.query("INSERT INTO members VALUES ($1, $2)", [room, user.sub]); // <- RM041
  }
});

httpServer.listen(8080, "127.0.0.1");
