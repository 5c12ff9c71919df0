// Drives one Realtime client for the tests: commands as JSON lines on stdin, everything that happens on stdout.
// Arguments: the path of the compiled realtime.js, and the options of the client as JSON.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [path, options] = process.argv.slice(2);
const { Realtime } = await import(pathToFileURL(path));
const report = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const tokens = [];
const realtime = new Realtime({
  ...JSON.parse(options),
  // each call is a question to the test, which answers with the command `token`
  token: () => new Promise((resolve, reject) => (tokens.push({ resolve, reject }), report({ kind: "token" }))),
  onState: (state) => report({ kind: "state", ...state }),
  onRoomLost: (room, error) => report({ kind: "lost room", room, code: error.code }),
});
for (const event of ["chat:message", "tracking:position", "session:evicted"]) {
  realtime.on(event, (message) => report({ kind: "message", event, message }));
}

const commands = {
  connect: () => realtime.connect(),
  pause: () => realtime.pause(),
  close: () => realtime.close(),
  token: ({ token }) => (token === null ? tokens.shift().reject(new Error("no token")) : tokens.shift().resolve(token)),
  join: ({ room }) => realtime.join(room),
  leave: ({ room }) => realtime.leave(room),
  ask: ({ event, payload, how }) => realtime.ask(event, payload, how),
};
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = commands[command.do](command);
  if (answer instanceof Promise) answer.then((answer) => report({ kind: "answer", id: command.id, answer }));
}
process.exit(0);
