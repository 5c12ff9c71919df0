// A Node server that ends a user's older tab. The argument says how; the first line of output is its port.
import { Server } from "socket.io";

const end = {
  "conn.close": (older) => older.conn.close(),
  disconnect: (older) => older.disconnect(),
  "disconnect(true)": (older) => older.disconnect(true),
}[process.argv[2]];
const io = new Server(0);
let older = null;
io.on("connection", (socket) => {
  if (older !== null) end(older);
  older = socket;
});
io.httpServer.once("listening", () => console.log(io.httpServer.address().port));
if (io.httpServer.listening) console.log(io.httpServer.address().port);
// ends with the test, which closes this pipe
process.stdin.on("end", () => process.exit(0)).resume();
