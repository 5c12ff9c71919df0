// Guess first: before something is sent, the reader says how many will receive it on each side.

import { element } from "./memory.js";
import { capital, personOf, tabWords, targetWords } from "./words.js";

// what is asked before each of these actions, and which events count as received
const ASKED = {
  send: {
    question: ({ tab, to }, most) => `${tabWords(tab)} will send a message to ${targetWords(to)}. Others have ${most} open ` +
      `${most === 1 ? "tab" : "tabs"} that should receive it. How many will?`,
    counts: ({ tab }) => (event) => event.kind === "delivered" && personOf(event.to) !== personOf(tab),
  },
  drive: {
    question: ({ tab }) => `${tabWords(tab)} will report a position. How many clients will receive it?`,
    counts: () => (event) => ["delivered", "wasted"].includes(event.kind) && event.to !== null,
  },
  finish: {
    question: () => "The job will end, and the server will send the result to the address on the ticket. How many tabs will receive it?",
    counts: () => (event) => event.kind === "delivered",
  },
};
// of more answers than these, the reader types one
const MOST_BUTTONS = 6;

export class Guess {
  constructor(dialog, sides) {
    this.dialog = dialog;
    this.sides = sides;
    this.isOn = false;
    this.right = 0;
    this.asked = 0;
  }

  /** Ask for a guess. Returns null when nothing is asked, "cancel", or the guess with its watchers. */
  async ask(action, fields) {
    if (!this.isOn || !(action in ASKED)) return null;
    const { question, counts } = ASKED[action];
    const most = this.most(fields);
    this.dialog.querySelector("#guess-question").textContent = question(fields, most);
    this.dialog.querySelector("#guess-sides").replaceChildren(...this.sides.map((side) => this.choices(side, most)));
    this.dialog.returnValue = "cancel";
    this.dialog.showModal();
    await new Promise((done) => this.dialog.addEventListener("close", done, { once: true }));
    if (this.dialog.returnValue !== "send") return "cancel";
    const form = new FormData(this.dialog.querySelector("form"));
    return this.sides.map((side) => ({ side, guess: Number(form.get(side.name)), seen: side.watch(counts(fields)) }));
  }

  /** How many clients could receive it. */
  most({ tab, to }) {
    const { model } = this.sides[1];
    const people = to?.startsWith("user:") ? [to.slice(5)] : model.people.filter((name) => !to || name !== personOf(tab));
    return people.reduce((sum, name) => sum + model.openTabsOf(name).length, to ? 0 : model.crowd.length);
  }

  choices(side, most) {
    const field = element("fieldset", `guess ${side.name}`);
    field.append(element("legend", "", `${capital(side.name)} server`));
    const isTyped = most > MOST_BUTTONS;
    for (let count = 0; count <= (isTyped ? 0 : Math.max(most, 1)); count += 1) {
      const label = element("label");
      const input = element("input");
      Object.assign(input, { type: isTyped ? "number" : "radio", name: side.name, required: true });
      Object.assign(input, isTyped ? { min: 0, max: most } : { value: String(count) });
      label.append(input, isTyped ? `of ${most}` : String(count));
      field.append(label);
    }
    return field;
  }

  /** Compare the guess with what arrived, in one sentence. */
  judge(guessed) {
    const parts = guessed.map(({ side, guess, seen }) => {
      seen.stop();
      const received = seen.result();
      this.asked += 1;
      if (received === guess) this.right += 1;
      return `${side.name} server: you said ${guess}, ${received} arrived ${received === guess ? "✓" : "✗"}`;
    });
    return `${capital(parts.join(" · "))}. So far ${this.right} of ${this.asked} right.`;
  }
}
