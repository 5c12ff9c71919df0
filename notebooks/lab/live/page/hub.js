// Finds where on the stage something is: the room or list that a message passes, a token, a tab.

import { isStill } from "./clock.js";
import { element } from "./memory.js";

export class Hub {
  constructor(stage) {
    this.stage = stage;
    this.server = stage.querySelector(".server");
  }

  /** The middle of an element, in the stage's own pixels; `edge` is "top" or "bottom". */
  point(target, edge = "middle") {
    const frame = this.stage.getBoundingClientRect();
    const box = target.getBoundingClientRect();
    const y = { top: box.top, bottom: box.bottom, middle: (box.top + box.bottom) / 2 }[edge];
    return { x: (box.left + box.right) / 2 - frame.left, y: y - frame.top };
  }

  tab(name) {
    return name ? this.stage.querySelector(`[data-tab="${CSS.escape(name)}"]`) : null;
  }

  person(name) {
    return this.stage.querySelector(`.person[data-person="${CSS.escape(name)}"]`);
  }

  token(sid) {
    return sid ? this.stage.querySelector(`.chip[data-sid="${CSS.escape(sid)}"]`) : null;
  }

  /** Where a message enters and leaves the server. */
  door() {
    return this.point(this.server, "bottom");
  }

  /** The room, token or row of an address; a dashed outline stands in for a room or an id that is not there. */
  address(address) {
    return this.token(address) ?? this.entry(address) ?? this.gap(address);
  }

  entry(key) {
    return this.stage.querySelector(`.entry[data-key="${CSS.escape(key)}"]`);
  }

  gap(address) {
    const gap = element("p", "entry gap");
    gap.dataset.key = address;
    gap.append(element("span", "key", address), element("span", "nothing", "nobody is in it"));
    this.stage.querySelector(".memory").append(gap);
    return gap;
  }

  /** Let a tab or a dot show for a moment what happened to it. */
  mark(name, className) {
    const box = this.tab(name);
    // one that shows it already goes on, as a swarm marks the same dot many times
    if (!box || box.classList.contains(className)) return;
    box.classList.add(className);
    setTimeout(() => box.classList.remove(className), isStill() ? 2500 : 900);
  }

  dropGaps() {
    this.stage.querySelectorAll(".gap").forEach((gap) => gap.remove());
  }
}
