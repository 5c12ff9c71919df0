// Draws people and their tabs; a tab is a button that selects it.

import { element } from "./memory.js";
import { capital, short } from "./words.js";

const STATE_WORDS = {
  connected: "connected", cut: "no connection", silent: "in a tunnel", closed: "closed",
};
const STATE_MARKS = { connected: "●", cut: "╳", silent: "◌", closed: "–" };

export class PeopleView {
  constructor(root, model, onSelect) {
    this.root = root;
    this.model = model;
    this.onSelect = onSelect;
    this.selected = null;
    this.missed = new Set();
  }

  draw() {
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.tab : null;
    this.root.replaceChildren(...this.model.people.map((person) => this.person(person)));
    if (focused) this.box(focused)?.focus({ preventScroll: true });
  }

  person(name) {
    const card = element("div", "person");
    card.dataset.person = name;
    card.setAttribute("role", "group");
    card.setAttribute("aria-label", capital(name));
    const head = element("p", "name", capital(name));
    const belief = this.belief(name);
    if (belief) head.append(belief);
    const tabs = element("div", "tabs");
    tabs.append(...this.model.tabsOf(name).map((tab) => this.tab(tab)));
    card.append(head, tabs);
    return card;
  }

  /** What the server believes of a person, where its memory says so, beside the true number of tabs. */
  belief(name) {
    if (!this.model.hasPeopleRows) return null;
    const tables = this.model.tables.filter(([table]) => table !== "reports");
    const isBelieved = tables.length ? tables.some(([, value]) => mentions(value, name)) : this.isInRoom(name);
    const open = this.model.openTabsOf(name).length;
    const word = this.model.mistake === "05" ? ["online", "offline"] : ["member", "not a member"];
    const belief = element("span", `belief ${isBelieved ? "yes" : "no"}`);
    belief.append(element("i", "dot"), `server: ${word[isBelieved ? 0 : 1]} · truth: ${open} ${open === 1 ? "tab" : "tabs"}`);
    if (isBelieved !== open > 0) belief.classList.add("wrong");
    return belief;
  }

  tab(tab) {
    const box = element("button", `tab ${tab.state}`);
    box.type = "button";
    box.dataset.tab = tab.name;
    box.setAttribute("aria-pressed", String(tab.name === this.selected));
    const where = this.where(tab);
    const name = element("span", "tab-name", ` ${tab.name}`);
    const mark = element("i", "tab-mark", STATE_MARKS[tab.state] ?? "●");
    mark.setAttribute("aria-hidden", "true");
    name.prepend(mark);
    box.append(name, element("code", "sid", tab.sid ? `${short(tab.sid)}…` : "no id"),
      element("span", "state", STATE_WORDS[tab.state] ?? tab.state));
    if (where) box.append(element("span", "where", where));
    if (where === "in no room") box.classList.add("outside");
    if (this.missed.has(tab.name)) box.append(element("span", "missed", "✗ missed"));
    box.append(element("span", "sr", `, ${this.model.side} server`));
    box.addEventListener("click", () => this.onSelect(tab.name));
    return box;
  }

  isInRoom(person) {
    const rooms = Object.entries(this.model.memory.get("rooms") ?? {});
    const wanted = this.model.mistake === "04" ? rooms.filter(([name]) => name.startsWith("job:")) : rooms;
    return wanted.some(([, held]) => held.some((sid) => this.model.owners.get(sid)?.startsWith(`${person}/`)));
  }

  where(tab) {
    if (tab.state !== "connected" || !this.model.memory.has("rooms")) return "";
    const rooms = this.model.roomsOf(tab).length;
    return rooms ? `in ${rooms} ${rooms === 1 ? "room" : "rooms"}` : "in no room";
  }

  box(tab) {
    return this.root.querySelector(`[data-tab="${CSS.escape(tab)}"]`);
  }
}

function mentions(value, person) {
  if (Array.isArray(value)) return value.some((item) => mentions(item, person));
  if (value && typeof value === "object") return Object.keys(value).includes(person);
  return value === person;
}
