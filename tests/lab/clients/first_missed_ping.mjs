// A stock JavaScript client: prints why and after how many milliseconds it gave up its connection.
import { Socket } from "engine.io-client";

const socket = new Socket(process.argv[2], { transports: ["websocket"] });
let opened = 0;
socket.on("open", () => (opened = performance.now()));
socket.on("close", (reason) => {
  console.log(JSON.stringify({ reason, milliseconds: performance.now() - opened }));
  process.exit(0);
});
