// Two stock JavaScript tabs of one user: node stock_tabs.mjs URL SECONDS [by-hand]
// Prints what happened as JSON. With `by-hand` a tab calls connect() after the server disconnected it.
import { io } from "socket.io-client";

const [url, seconds, byHand] = process.argv.slice(2);
const seen = [];
for (let place = 0; place < 2; place++) {
  const tab = io(url, { transports: ["websocket"], forceNew: true });
  const log = { connects: 0, reasons: [], socket: tab };
  seen.push(log);
  const opened = new Promise((resolve) => tab.once("connect", resolve));
  tab.on("connect", () => (log.connects += 1));
  tab.on("disconnect", (reason) => {
    log.reasons.push(reason);
    if (byHand && reason === "io server disconnect") tab.connect();
  });
  await opened;
}
setTimeout(() => {
  const rows = seen.map((log) => ({ ...log, connected: log.socket.connected, socket: undefined }));
  console.log(JSON.stringify(rows));
  process.exit(0);
}, 1000 * Number(seconds));
