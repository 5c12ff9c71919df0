// 09: the event loop as a clock hand, and how long each bystander waits for an answer.

import { element } from "./memory.js";
import { svg } from "./svg.js";

const STEP_DEGREES = 30;
// a bar of full height, in milliseconds; the scale is logarithmic
const LONGEST_MS = 2000;

export class Loop {
  constructor(root, model) {
    this.model = model;
    this.angle = 0;
    this.text = element("p", "loop-text");
    this.hand = svg("line", { x1: 30, y1: 30, x2: 30, y2: 9, class: "hand-line" });
    this.clock = svg("svg", { viewBox: "0 0 60 60", class: "loop-clock", role: "img" });
    this.clock.append(svg("circle", { cx: 30, cy: 30, r: 26, class: "face" }), this.hand);
    this.pulses = element("div", "pulses");
    this.pulses.setAttribute("role", "img");
    const row = element("div", "loop");
    row.append(this.clock, this.pulses);
    root.append(element("h3", "", "The event loop, and how long each bystander waits"), row, this.text);
  }

  /** `name` is the value that has changed. */
  draw(name) {
    const pulses = this.model.memory.get("pulses") ?? [];
    const waiting = pulses.filter((took) => took === null).length;
    const isStuck = pulses.length > 0 && waiting > pulses.length / 2;
    // each report of answers turns the hand by one step, so it stands while nobody gets an answer
    if (name === "pulses" && !isStuck) this.angle += STEP_DEGREES;
    this.hand.setAttribute("transform", `rotate(${this.angle} 30 30)`);
    this.clock.classList.toggle("stuck", isStuck);
    this.clock.setAttribute("aria-label", isStuck ? "The event loop stands still" : "The event loop turns");
    this.pulses.replaceChildren(...pulses.map(bar));
    this.pulses.setAttribute("aria-label", `${waiting} of ${pulses.length} bystanders wait for an answer`);
    this.text.textContent = this.words(pulses, waiting);
  }

  words(pulses, waiting) {
    const answered = pulses.filter((took) => took !== null);
    const now = waiting ? `${waiting} of ${pulses.length} wait` :
      answered.length ? `all are answered, the slowest after ${Math.max(...answered)} ms` : "no answer yet";
    const stall = this.model.memory.get("stall");
    const report = this.model.memory.get("report")?.is_running ? "The report is being made: " : "";
    return `${report}${now}.${stall ? ` Longest standstill of the loop: ${stall.milliseconds} ms.` : ""}`;
  }
}

function bar(took) {
  const made = element("i", took === null ? "pulse late" : "pulse");
  const share = took === null ? 1 : Math.log1p(took) / Math.log1p(LONGEST_MS);
  made.style.setProperty("--share", String(Math.min(Math.max(share, 0.06), 1)));
  made.title = took === null ? "waits" : `${took} ms`;
  return made;
}
