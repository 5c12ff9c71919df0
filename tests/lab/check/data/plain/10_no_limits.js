// A chat server without limits and validation.
"use strict";

const { createServer } = require("node:http");
const jwt = require("jsonwebtoken");
const { Server } = require("socket.io");

// jobs are public
const mayJoin = (user, room) => Boolean(user) && room.startsWith("job:");

const httpServer = createServer();
const io = new Server(httpServer); // <- RM101 RM104

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
  socket.join(`company:${user.company}`);

  socket.on("room:join", (payload, reply) => {
    if (!mayJoin(user, payload.room)) return reply({ error: "forbidden" });
    socket.join(payload.room);
    reply({ room: payload.room });
  });

  socket.on("chat:send", (payload, reply) => {
    io.to(`company:${user.company}`).emit("chat:message", { from: user.sub, text: payload.text });
    reply({ ok: true });
  });
});

httpServer.listen(8080, "127.0.0.1");
