// The peer `node`: stock Socket.IO 4 with minimal handlers. The token check is its only guard.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";

const { BENCH_SECRET: secret, BENCH_ISSUER: issuer, BENCH_AUDIENCE: audience } = process.env;
const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

function claimsOf(token) {
  const [header, payload, signature] = token.split(".");
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  const { alg } = JSON.parse(Buffer.from(header, "base64url"));
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  const isGenuine = alg === "HS256" && given.length === expected.length && timingSafeEqual(given, expected);
  const isOurs = claims.iss === issuer && claims.aud === audience && claims.exp > Date.now() / 1000;
  if (!isGenuine || !isOurs) throw new Error("unauthorized");
  return claims;
}

io.use((socket, next) => {
  try {
    socket.data.claims = claimsOf(socket.handshake.auth.token);
    next();
  } catch {
    next(new Error("unauthorized"));
  }
});

io.on("connection", (socket) => {
  const { sub, role, rooms } = socket.data.claims;
  socket.join([`user:${sub}`, ...rooms]);
  socket.on("chat:send", ({ to, room, text }, ack) => {
    const id = randomUUID();
    const at = Date.now();
    const message = { id, from: { id: sub, role }, to, room, text, at };
    socket.to(to === undefined ? room : `user:${to}`).emit("chat:message", message);
    ack({ ok: true, data: { id, at } });
  });
});

http.listen(0, "127.0.0.1", 4096, () => console.log(`listening on http://127.0.0.1:${http.address().port} `));
