// Guess first: before a message is sent, the reader says how many tabs will receive it on each side.

import { element } from "./memory.js";
import { capital, personOf, tabWords, targetWords } from "./words.js";

export class Guess {
  constructor(dialog, sides) {
    this.dialog = dialog;
    this.sides = sides;
    this.isOn = false;
    this.right = 0;
    this.asked = 0;
  }

  /** Ask for a guess. Returns null when the mode is off, "cancel", or the guess with its watchers. */
  async ask({ tab, to }) {
    if (!this.isOn) return null;
    const most = this.listeners(to, tab);
    this.dialog.querySelector("#guess-question").textContent =
      `${tabWords(tab)} will send a message to ${targetWords(to)}. Others have ${most} open ` +
      `${most === 1 ? "tab" : "tabs"} that should receive it. How many will?`;
    this.dialog.querySelector("#guess-sides").replaceChildren(...this.sides.map((side) => this.choices(side, most)));
    this.dialog.returnValue = "cancel";
    this.dialog.showModal();
    await new Promise((done) => this.dialog.addEventListener("close", done, { once: true }));
    if (this.dialog.returnValue !== "send") return "cancel";
    const form = new FormData(this.dialog.querySelector("form"));
    return this.sides.map((side) => ({ side, guess: Number(form.get(side.name)), seen: side.watch(tab) }));
  }

  listeners(to, tab) {
    const [, model] = this.sides.map((side) => side.model);
    const person = to.startsWith("user:") ? to.slice(5) : null;
    const people = person ? [person] : model.people.filter((name) => name !== personOf(tab));
    return people.reduce((sum, name) => sum + model.openTabsOf(name).length, 0);
  }

  choices(side, most) {
    const field = element("fieldset", `guess ${side.name}`);
    field.append(element("legend", "", `${capital(side.name)} server`));
    for (let count = 0; count <= Math.max(most, 1); count += 1) {
      const label = element("label");
      const radio = element("input");
      Object.assign(radio, { type: "radio", name: side.name, value: String(count), required: true });
      label.append(radio, String(count));
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
