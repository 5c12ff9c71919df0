// 08: the console of the attacker shows what was typed, what the server answered, and what arrives.

import { element } from "./memory.js";
import { personOf } from "./words.js";

const MOST_LINES = 40;
const TYPED = {
  join: (fields) => `room:join ${fields.room}`,
  forge: (fields) => `chat:send to ${fields.to}, from: ${fields.as}`,
};

export class Console {
  constructor(root, model) {
    this.model = model;
    this.attacker = model.people[0];
    this.lines = element("ol", "console");
    this.lines.tabIndex = 0;
    this.lines.setAttribute("aria-label", `Console of ${this.attacker}, ${model.side} server`);
    root.append(element("h3", "", `What ${this.attacker} sees`), this.lines);
    this.write("nothing", "nothing was typed yet");
  }

  draw() {}

  answered(action, fields, answer) {
    if (!(action in TYPED)) return;
    this.write("typed", `> ${TYPED[action](fields)}`);
    if (answer) this.write(answer.ok ? "yes" : "no", `${answer.ok ? "✓" : "✗"} ${JSON.stringify(answer)}`);
  }

  /** A message has arrived at the attacker. */
  landed(event) {
    if (!event.to || personOf(event.to) !== this.attacker || !["delivered", "wasted"].includes(event.kind)) return;
    const sent = this.model.sent.get(event.id);
    const target = sent?.to ?? sent?.room ?? "somebody";
    this.write("read", `← reads ${event.id}: ${event.from} wrote it to ${target}`);
  }

  write(className, text) {
    this.lines.querySelector(".nothing")?.remove();
    this.lines.append(element("li", className, text));
    while (this.lines.childElementCount > MOST_LINES) this.lines.firstChild.remove();
    this.lines.scrollTop = this.lines.scrollHeight;
  }
}
