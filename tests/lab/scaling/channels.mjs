// Prints the Redis channels of one Socket.IO server with one client in one room.
// node channels.mjs REDIS_URL sharded|classic
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";

const [url, adapter] = process.argv.slice(2);
const clients = [createClient({ url }), createClient({ url }), createClient({ url })];
await Promise.all(clients.map((client) => client.connect()));
const [publish, subscribe, ask] = clients;
const server = new Server(0, {
  adapter: adapter === "sharded" ? createShardedAdapter(publish, subscribe) : createAdapter(publish, subscribe),
});
server.on("connection", (socket) => {
  socket.join("user:ana");
  socket.emit("joined");
});
const listening = new Promise((resolve) => server.httpServer.once("listening", resolve));
if (!server.httpServer.listening) await listening;
const tab = connect(`http://127.0.0.1:${server.httpServer.address().port}`, { transports: ["websocket"] });
await new Promise((resolve) => tab.once("joined", resolve));
// a command on the same connection is answered after the subscription
await subscribe.ping();
const sharded = await ask.sendCommand(["PUBSUB", "SHARDCHANNELS"]);
const plain = await ask.sendCommand(["PUBSUB", "CHANNELS"]);
console.log(JSON.stringify([...sharded, ...plain]));
process.exit(0);
