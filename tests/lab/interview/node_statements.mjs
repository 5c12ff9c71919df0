// Tries what the interview says about Socket.IO for Node. Prints JSON: each statement, and whether it holds.
// Use: node node_statements.mjs REDIS_URL, in a folder with the packages of test_statements.py.
import { createServer } from "node:http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreams } from "@socket.io/redis-streams-adapter";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const found = {};
const LIMIT = 10_000;
const QUICK = { reconnectionDelay: 20, reconnectionDelayMax: 40, forceNew: true, transports: ["websocket"] };

const say = (statement, holds) => (found[statement] = Boolean(holds));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function once(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} in time`)), LIMIT);
    emitter.once(event, (...values) => (clearTimeout(timer), resolve(values)));
  });
}

async function serve(options = {}, prepare = () => {}) {
  const http = createServer();
  const server = new Server(http, options);
  prepare(server);
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${http.address().port}`, close: () => server.close() };
}

async function connected(url, options = {}) {
  const client = io(url, { ...QUICK, ...options });
  await once(client, "connect");
  return client;
}

// what was sent before the answer to this event has arrived
const settle = (client) => client.timeout(LIMIT).emitWithAck("settle");
const answering = (socket) => socket.on("settle", (answer) => answer());

async function stateRecovery() {
  let middlewares = 0;
  const { server, url, close } = await serve({ connectionStateRecovery: {} }, (server) => {
    server.use((_, next) => (middlewares++, next()));
    server.on("connection", (socket) => (answering(socket), socket.recovered || socket.join("user:ana")));
  });
  const client = await connected(url);
  const id = client.id;
  const got = [];
  client.on("message", (number) => got.push(number));
  server.to("user:ana").emit("message", 1);
  await settle(client);
  const lost = once(server.sockets.sockets.get(id), "disconnect");
  client.io.engine.close();
  await lost;
  server.to("user:ana").emit("message", 2);
  await once(client, "connect");
  await settle(client);
  const rooms = [...server.sockets.sockets.get(id).rooms];
  say("recovery gives the same id, rooms and missed packets", client.recovered && client.id === id
    && rooms.includes("user:ana") && same(got, [1, 2]));
  say("the middlewares do not run again after a recovery", middlewares === 1);
  const fresh = await connected(url);
  fresh.io.engine.close();
  await once(fresh, "connect");
  say("recovery fails for a client that received nothing yet", !fresh.recovered);
  const reason = once(fresh, "disconnect");
  server.sockets.sockets.get(fresh.id).disconnect();
  say("a server-sent disconnect has its own reason", (await reason)[0] === "io server disconnect");
  say("a client stays away after a server-sent disconnect", !fresh.active);
  close();
}

async function clientSide() {
  const got = [];
  const { server, url, close } = await serve({}, (server) => {
    server.on("connection", (socket) => {
      answering(socket);
      socket.on("kept", (value) => got.push(value));
      socket.on("tried", (value, answer) => (got.push(value), got.length >= 3 && answer()));
    });
  });
  const client = io(url, { ...QUICK, autoConnect: false });
  client.emit("kept", "buffered");
  client.volatile.emit("kept", "volatile");
  client.connect();
  await once(client, "connect");
  await settle(client);
  say("an offline client buffers, except what is volatile", same(got, ["buffered"]));
  got.length = 0;
  const retrying = await connected(url, { retries: 9, ackTimeout: 100 });
  retrying.emit("tried", "first", () => {});
  await new Promise((resolve) => retrying.emit("tried", "second", resolve));
  say("retries repeat one event until its ack, then send the next", same(got, ["first", "first", "first", "second"]));
  const error = await client.timeout(50).emitWithAck("nobody answers").catch((error) => error.message);
  say("an ack with a time limit reports an error", error === "operation has timed out");
  let late = false;
  client.emit("nobody answers", () => (late = true));
  await new Promise((resolve) => setTimeout(resolve, 150));
  say("an ack without a time limit never calls back", !late);
  const answers = await new Promise((resolve) => server.timeout(50).emit("all", (error) => resolve(error)));
  say("a broadcast collects answers within a time limit", answers instanceof Error);
  [client, retrying].forEach((each) => each.close());
  close();
}

async function targets() {
  const sockets = [];
  const { server, url, close } = await serve({}, (server) => {
    server.on("connection", (socket) => (answering(socket), sockets.push(socket)));
  });
  const [ana, bob] = [await connected(url), await connected(url)];
  const got = { ana: [], bob: [] };
  ana.onAny((event) => got.ana.push(event));
  bob.onAny((event) => got.bob.push(event));
  sockets[0].join(["r", "q"]);
  sockets[1].join("r");
  server.to([]).emit("empty list");
  server.to("r").to("q").emit("two rooms");
  server.to("r").except("q").emit("except");
  sockets[0].to("r").emit("without the sender");
  sockets[0].broadcast.emit("broadcast");
  server.to("nobody").emit("no one");
  await Promise.all([settle(ana), settle(bob)]);
  say("an empty list of rooms means everyone", got.bob.includes("empty list") && got.ana.includes("empty list"));
  say("two rooms in one emit deliver once", got.ana.filter((event) => event === "two rooms").length === 1);
  say("except leaves out a room", got.bob.includes("except") && !got.ana.includes("except"));
  say("socket.to and broadcast leave out the sender", same(got.ana, ["empty list", "two rooms"]));
  say("an emit to an empty room raises nothing", !got.bob.includes("no one"));
  say("the socket id is not the id of the connection", sockets[0].id !== sockets[0].conn.id);
  const seen = [];
  sockets[0].on("disconnecting", () => seen.push(sockets[0].rooms.size));
  const gone = once(sockets[0], "disconnect");
  ana.close();
  await gone;
  say("disconnecting sees the rooms, disconnect does not", same([...seen, sockets[0].rooms.size], [3, 0]));
  bob.close();
  close();
}

async function namespaces() {
  const ran = [];
  let release;
  const { server, url, close } = await serve({}, (server) => {
    server.use((_, next) => (ran.push("/"), (release = next)));
    server.of("/admin").use((_, next) => (ran.push("/admin"), next()));
  });
  const admin = await connected(`${url}/admin`);
  say("io.use runs for the main namespace only", same(ran, ["/admin"]));
  const main = admin.io.socket("/");
  const heard = [];
  main.onAny((event) => heard.push(event));
  while (!release) await new Promise((resolve) => setTimeout(resolve, 5));
  server.emit("before the middleware has decided");
  release();
  await once(main, "connect");
  say("a socket hears no broadcast before its middleware decided", heard.length === 0);
  say("namespaces share one connection, with an id each", server.engine.clientsCount === 1 && admin.id !== main.id);
  const unknown = admin.io.socket("/unknown");
  say("an unknown namespace is refused", (await once(unknown, "connect_error"))[0].message === "Invalid namespace");
  say("a client stays away after CONNECT_ERROR", !unknown.active);
  admin.io.engine.close();
  close();
}

async function origins() {
  const headers = { extraHeaders: { Origin: "https://elsewhere.example" }, reconnection: false };
  const cors = await serve({ cors: { origin: "https://ours.example" } });
  const stranger = await connected(cors.url, headers);
  say("the cors option does not stop a WebSocket of another origin", stranger.connected);
  const allowed = (request, answer) => answer(null, request.headers.origin === "https://ours.example");
  const checked = await serve({ allowRequest: allowed });
  const refused = io(checked.url, { ...QUICK, ...headers });
  say("allowRequest stops it", (await once(refused, "connect_error")).length > 0);
  const { perMessageDeflate, pingInterval } = checked.server.engine.opts;
  say("compression of WebSocket messages is off by default", !perMessageDeflate && pingInterval > 0);
  stranger.close();
  refused.close();
  cors.close();
  checked.close();
}

async function adapters(url) {
  const redis = async () => createClient({ url }).on("error", () => {}).connect();
  const kinds = {
    "pub/sub": async () => createAdapter(await redis(), await redis()),
    sharded: async () => createShardedAdapter(await redis(), await redis(), { subscriptionMode: "dynamic" }),
    streams: async () => createStreams(await redis(), { onlyPlaintext: true }),
  };
  for (const [kind, create] of Object.entries(kinds)) {
    const join = (server) => server.on("connection", (socket) => (answering(socket), socket.join("user:ana")));
    const servers = [];
    for (const _ of [1, 2]) {
      servers.push(await serve({ connectionStateRecovery: {}, adapter: await create() }, join));
    }
    const clients = [await connected(servers[0].url), await connected(servers[1].url)];
    const first = once(clients[0], "message");
    // repeated, because an adapter needs a moment to find the other server
    const sending = setInterval(() => servers[1].server.to("user:ana").emit("message"), 100);
    await first;
    clearInterval(sending);
    if (kind === "pub/sub") {
      const count = async (from) => (await from.in("user:ana").fetchSockets()).length;
      const { server } = servers[1];
      say("fetchSockets asks all servers, local only its own", same([await count(server), await count(server.local)], [2, 1]));
      const received = once(clients[1], "from a worker");
      new Emitter(await redis()).to("user:ana").emit("from a worker");
      say("an emitter in another process reaches a room", await received);
    }
    if (kind === "sharded") {
      const channels = await (await redis()).sendCommand(["PUBSUB", "SHARDCHANNELS"]);
      say("the sharded adapter may use a channel for each room", channels.some((name) => name.includes("user:ana")));
    }
    clients[0].io.engine.close();
    await once(clients[0], "connect");
    say(`recovery with the ${kind} adapter: ${kind === "streams" ? "yes" : "no"}`, clients[0].recovered === (kind === "streams"));
    clients.forEach((client) => client.close());
  }
}

for (const part of [stateRecovery, clientSide, targets, namespaces, origins]) await part();
await adapters(process.argv[2]);
console.log(JSON.stringify(found));
process.exit(0);
