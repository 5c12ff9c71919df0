// 09: the event loop as a clock hand, how long each bystander waits, and what each way to work costs.

import { element } from "./memory.js";
import { svg } from "./svg.js";

// a free loop wakes about 200 times a second in the probe: then the hand goes round once
const DEGREES_A_TURN = 360 / 200;
// a bar of full height, in milliseconds; the scale is logarithmic
const LONGEST_MS = 2000;
const HEADS = ["Last report made", "longest stop of the loop", "slowest ack", "report ready after"];

/** The ways to make a report, as the reader chooses them. */
export const WAYS = {
  handler: "in the handler",
  thread: "in a thread",
  sliced: "in slices of 10 ms",
  process: "in another process",
};

export class Loop {
  constructor(root, model) {
    this.model = model;
    this.text = element("p", "cost");
    this.hand = svg("line", { x1: 30, y1: 30, x2: 30, y2: 9, class: "hand-line" });
    this.clock = svg("svg", { viewBox: "0 0 60 60", class: "loop-clock", role: "img" });
    this.clock.append(svg("circle", { cx: 30, cy: 30, r: 26, class: "face" }), this.hand);
    this.pulses = element("div", "pulses");
    this.pulses.setAttribute("role", "img");
    this.ways = element("table", "ways");
    const row = element("div", "loop");
    row.append(this.clock, this.pulses);
    root.append(element("h3", "", "The event loop, and how long each bystander waits for an ack"), row, this.text, this.ways);
  }

  /** `name` is the value that has changed; without it everything is drawn. */
  draw(name) {
    const { turns = 0, each_second: rate = 0 } = this.model.memory.get("loop") ?? {};
    const pulses = this.model.memory.get("pulses") ?? [];
    const waiting = pulses.filter((took) => took === null).length;
    const isStuck = pulses.length > 0 && waiting > pulses.length / 2;
    // each step is that many counted turns, so the hand stands while the loop does
    this.hand.style.transform = `rotate(${turns * DEGREES_A_TURN}deg)`;
    this.clock.classList.toggle("stuck", isStuck);
    this.clock.setAttribute("aria-label", isStuck ? "The event loop stands still" : "The event loop turns");
    if (name !== "loop") this.pulses.replaceChildren(...pulses.map(bar));
    this.pulses.setAttribute("aria-label", `${waiting} of ${pulses.length} bystanders wait for an ack`);
    this.text.textContent = this.words(pulses, waiting, isStuck ? 0 : rate);
    if (!name || name === "ways") this.drawWays();
  }

  words(pulses, waiting, rate) {
    const answered = pulses.filter((took) => took !== null);
    const now = waiting ? `${waiting} of ${pulses.length} bystanders wait` :
      answered.length ? `every bystander has its ack, the slowest after ${Math.max(...answered)} ms` : "no ack yet";
    const report = this.model.memory.get("report")?.is_running ? "The report is being made. " : "";
    const scale = `A full bar is ${LONGEST_MS / 1000} s, on a logarithmic scale.`;
    return `${report}The loop wakes ${rate} times a second (about 200 when it is free); ${now}. ${scale}`;
  }

  drawWays() {
    const measured = Object.entries(this.model.memory.get("ways") ?? {});
    this.ways.hidden = !measured.length;
    const rows = measured.map(([way, { stall, slowest, report }]) =>
      [WAYS[way], ...[stall, slowest, report].map((took) => `${took} ms`)]);
    const heads = this.model.side === "good" ? ["Every report is made", ...HEADS.slice(1)] : HEADS;
    this.ways.replaceChildren(line("th", heads), ...rows.map((cells) => line("td", cells)));
  }
}

function line(kind, cells) {
  const row = element("tr");
  row.append(...cells.map((cell) => element(kind, "", cell)));
  return row;
}

function bar(took) {
  const made = element("i", took === null ? "pulse late" : "pulse");
  const share = took === null ? 1 : Math.log1p(took) / Math.log1p(LONGEST_MS);
  made.style.setProperty("--share", String(Math.min(Math.max(share, 0.06), 1)));
  made.title = took === null ? "waits" : `${took} ms`;
  return made;
}
