// Prints the defaults of a Node server, and whether an event that `socket.use` stops gets an ack.
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";

const server = new Server(0);
server.on("connection", (socket) => {
  socket.use(([event], next) => next(event === "stopped" ? new Error("too many") : undefined));
  socket.on("error", () => socket.emit("after"));
  socket.on("stopped", (acknowledge) => acknowledge());
});
const listening = new Promise((resolve) => server.httpServer.once("listening", resolve));
if (!server.httpServer.listening) await listening;
const tab = connect(`http://127.0.0.1:${server.httpServer.address().port}`, { transports: ["websocket"] });
let acked = false;
const after = new Promise((resolve) => tab.once("after", resolve));
tab.emit("stopped", () => (acked = true));
// an ack would have been sent before this event
await after;
const { maxHttpBufferSize, pingInterval, pingTimeout } = server.engine.opts;
console.log(JSON.stringify({ acked, maxHttpBufferSize, pingInterval, pingTimeout }));
process.exit(0);
