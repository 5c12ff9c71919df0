// The delays of a stock JavaScript client: draws the delays of six attempts many times, and prints them.
import { Manager } from "socket.io-client";

const attempts = 6;
const draws = Number(process.argv[2]);
const delays = (options) => {
  const { backoff } = new Manager("http://127.0.0.1:1", { autoConnect: false, ...options });
  backoff.reset();
  return Array.from({ length: attempts }, () => backoff.duration() / 1000);
};
console.log(
  JSON.stringify({
    jitter: Array.from({ length: draws }, () => delays({})),
    none: delays({ randomizationFactor: 0 }),
  }),
);
