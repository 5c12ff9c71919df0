// The hand: buttons and single keys that act on the selected tab, on both servers.

import { element } from "./memory.js";
import { personOf, tabWords, targetWords } from "./words.js";

// action: label, key, when it makes sense for the selected tab's states
const ACTIONS = {
  send: ["Send", "s", (states) => states.includes("connected")],
  cut: ["Pull the plug", "c", (states) => states.includes("connected")],
  tunnel: ["Tunnel", "t", (states) => states.includes("connected")],
  back: ["Come back", "b", (states) => states.some((state) => state === "cut" || state === "silent")],
  close: ["Close tab", "x", (states) => states.some((state) => state !== "closed")],
  open: ["Open a tab", "o", () => true],
  kill: ["Kill server", "k", () => true],
  restart: ["Restart server", "r", () => true],
};
const HELP = {
  send: "Send a message from the selected tab",
  cut: "The connection is reset (RST): both ends know",
  tunnel: "The connection stays open, but no packet gets through: nobody is told",
  back: "The network works again, and the client reconnects by itself",
  close: "Close the selected tab for good",
  open: "Open another tab of the same person",
  kill: "End both server processes at once (SIGKILL)",
  restart: "Start both servers again on the same ports",
};

export class Controls {
  /** `run(action, fields)` carries out a command; `sides` are the two columns. */
  constructor({ root, chosen, sides, run, guess }) {
    Object.assign(this, { root, chosen, sides, run, guess });
    this.tab = null;
    this.buttons = new Map();
  }

  begin(state) {
    this.targets = state.targets ?? state.sides.good.people.map((person) => `user:${person.name}`);
    const canSend = this.targets.length > 0;
    this.actions = state.actions.filter((action) => action in ACTIONS && (action !== "send" || canSend));
    const select = this.select;
    this.root.replaceChildren();
    this.buttons.clear();
    for (const action of this.actions) this.root.append(this.button(action));
    if (select && canSend) this.select.value = select.value;
    this.choose(this.tab ?? state.sides.good.people[0].tabs[0].name);
  }

  get select() {
    return this.root.querySelector("select");
  }

  button(action) {
    const [label, key] = ACTIONS[action];
    const button = element("button", `act act-${action}`);
    button.type = "button";
    button.dataset.action = action;
    button.title = `${HELP[action]} (${key})`;
    button.setAttribute("aria-keyshortcuts", key);
    button.append(label, element("kbd", "", key));
    button.querySelector("kbd").setAttribute("aria-hidden", "true");
    button.addEventListener("click", () => this.act(action));
    this.buttons.set(action, button);
    if (action !== "send") return button;
    const group = element("span", "send-group");
    const select = element("select");
    select.setAttribute("aria-label", "Send to");
    for (const target of this.targets) select.append(new Option(`to ${targetWords(target)}`, target));
    select.addEventListener("change", () => this.refresh());
    group.append(button, select);
    return group;
  }

  choose(tab) {
    this.tab = tab;
    this.chosen.textContent = tabWords(tab);
    this.sides.forEach((side) => side.select(tab));
    this.refresh();
  }

  states() {
    return this.sides.map((side) => side.model.tabs.get(this.tab)?.state ?? "closed");
  }

  refresh() {
    const states = this.states();
    const isDown = this.sides.some((side) => side.model.isDown);
    for (const [action, button] of this.buttons) {
      const [, , makesSense] = ACTIONS[action];
      const isPossible = action === "restart" ? isDown : action === "kill" ? !isDown : makesSense(states);
      button.disabled = !isPossible;
    }
    const kill = this.buttons.get("kill");
    if (kill) [kill.hidden, this.buttons.get("restart").hidden] = [isDown, !isDown];
  }

  async act(action) {
    const button = this.buttons.get(action);
    if (!button || button.disabled) return;
    const fields = { tab: this.tab };
    if (action === "send") fields.to = this.select.value;
    if (action === "open") fields.tab = personOf(this.tab);
    await this.perform(action, fields);
    if (button.isConnected && !button.disabled && document.activeElement === document.body) button.focus();
  }

  /** Carry out a command, after a guess where the reader wants to guess. */
  async perform(action, fields) {
    const guessed = await this.guess.ask(action, fields);
    if (guessed === "cancel") return;
    await this.run(action, fields, guessed);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    const found = this.actions?.find((action) => ACTIONS[action][1] === event.key.toLowerCase());
    if (!found || this.buttons.get(found)?.hidden) return;
    event.preventDefault();
    this.act(found);
  }
}

/** A view switch: a button that is pressed or not. */
export function toggle(button, onChange) {
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    onChange(isOn);
  });
}

