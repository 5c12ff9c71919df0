// Draws what a server remembers: rooms, lists, rows, with each socket id as a token.

import { CROWD } from "./model.js";
import { short, tabWords } from "./words.js";

// more tokens than this in one room are counted, not drawn
const MOST_TOKENS = 60;
// enough to recognize a job by
const SHORT_JOB = 8;
const MOST_IN_MINOR_ROOM = 6;
const ORDER = ["job:", "user:", "company:", "role:"];
const TITLES = {
  rooms: "rooms, kept by Socket.IO",
  socket_ids: "self.socket_ids, a dict of lists",
  members: "members, a table in SQLite",
  online_since: "self.online_since, a dict",
  reports: "open reports, and where each result will go",
};
const STATE_WORDS = { connected: "open", silent: "silent", cut: "lost", closed: "closed", dead: "dead id" };

export class MemoryView {
  constructor(root, model) {
    this.root = root;
    this.model = model;
    this.known = null;
  }

  draw() {
    const seen = new Set();
    const panels = this.model.panels.map(([title, value]) => this.panel(title, value, seen));
    if (!panels.length) panels.push(element("p", "nothing", this.model.isDown ? "Nothing: the process is gone." : "Nothing yet."));
    this.root.replaceChildren(...panels);
    this.known = seen;
  }

  panel(title, value, seen) {
    const section = element("section", "panel");
    section.dataset.panel = title;
    section.append(element("h4", "", TITLES[title] ?? title), this.content(title, value, seen));
    return section;
  }

  content(title, value, seen) {
    if (Array.isArray(value)) return this.table(value, seen);
    if (value && typeof value === "object") return this.entries(title, value, seen);
    return element("p", "nothing", String(value ?? "nothing"));
  }

  entries(title, value, seen) {
    const list = element("ul", "entries");
    const isTicket = title === "reports";
    const crowd = Object.keys(value).filter((key) => CROWD.test(key));
    const keys = Object.keys(value).filter((key) => !CROWD.test(key)).sort((one, other) =>
      rank(one) - rank(other) || this.order(one) - this.order(other) || one.localeCompare(other));
    for (const key of keys) {
      const held = value[key];
      const entry = element("li", "entry");
      entry.dataset.key = key;
      const isMinor = rank(key) > 1 && rank(key) < ORDER.length;
      entry.classList.toggle("minor", isMinor);
      if (this.model.hasPeopleRows && !Array.isArray(held) && this.model.isAway(key)) entry.classList.add("dead");
      if (isTicket) entry.classList.add("ticket");
      entry.append(element("span", "key", isTicket ? `job ${key.slice(0, SHORT_JOB)} → to` : key), this.held(held, seen, isMinor ? MOST_IN_MINOR_ROOM : MOST_TOKENS));
      list.append(entry);
    }
    if (crowd.length) list.append(element("li", "entry minor", `and ${crowd.length} rooms, one for each of the other clients`));
    if (!keys.length) list.append(element("li", "nothing", "empty"));
    return list;
  }

  /** People stand in the same order everywhere, so that the lines to their tabs do not cross. */
  order(key) {
    return this.model.people.indexOf(key.replace(/^user:/, ""));
  }

  held(held, seen, most) {
    if (!Array.isArray(held)) return this.token(held, seen);
    const tokens = element("span", "tokens");
    for (const item of held.slice(0, most)) tokens.append(this.token(item, seen));
    if (held.length > most) tokens.append(element("span", "more", `+ ${held.length - most}`));
    if (!held.length) tokens.append(element("span", "nothing", "empty"));
    return tokens;
  }

  table(rows, seen) {
    const body = element("ul", "rows");
    rows.forEach((cells, number) => {
      const list = Array.isArray(cells) ? cells : [cells];
      const row = element("li", "entry tr");
      row.dataset.key = list.join(" ");
      if (list.some((cell) => this.model.isAway(cell))) row.classList.add("dead");
      if (this.isNew(`row ${row.dataset.key}`, seen)) row.classList.add("new");
      row.append(element("span", "number", String(number + 1)), ...list.map((cell) => this.token(cell, seen)));
      if (row.classList.contains("dead")) row.append(element("span", "tag", "no socket"));
      body.append(row);
    });
    if (!rows.length) body.append(element("li", "nothing", "no row"));
    return body;
  }

  token(value, seen) {
    const meaning = this.model.meaning(value);
    if (meaning.kind !== "sid") return element("span", "value", String(value));
    const token = element("span", `chip ${meaning.state}`);
    token.dataset.sid = meaning.sid;
    if (meaning.owner) token.dataset.owner = meaning.owner;
    const state = STATE_WORDS[meaning.state] ?? meaning.state;
    token.title = `${meaning.sid}: ${meaning.owner ? `${tabWords(meaning.owner)}, ` : ""}${state}`;
    if (meaning.owner) token.append(element("b", "", meaning.owner));
    token.append(element("i", "", short(meaning.sid)), element("span", "sr", state));
    if (this.isNew(meaning.sid, seen)) token.classList.add("new");
    return token;
  }

  isNew(name, seen) {
    seen.add(name);
    return this.known !== null && !this.known.has(name);
  }
}

function rank(key) {
  const found = ORDER.findIndex((prefix) => key.startsWith(prefix));
  return found < 0 ? ORDER.length : found;
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
