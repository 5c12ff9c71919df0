// What one side of the page knows: tabs, memory and counters, as the events say it.

import { personOf } from "./words.js";

// the form of a Socket.IO id
const SID = /^[\w-]{20}$/;
// the room of one of many light clients
export const CROWD = /^user:(crowd|bystander)-(\d+)$/;
// counted or measured by the lab, so no server remembers it
export const MEASURED = ["crowd", "position", "traffic", "pace", "rounds", "pulses", "loop", "report", "way", "ways",
  "bucket", "flood", "joined"];
const KINDS = ["delivered", "lost", "wasted"];
// after "back" the client has a network, but no connection yet
const STATES = { cut: "cut", back: "cut", silent: "silent", closed: "closed" };

export class Model {
  constructor(side, state, mistake) {
    this.side = side;
    this.mistake = mistake;
    this.people = state.people.map((person) => person.name);
    this.tabs = new Map();
    this.owners = new Map();
    for (const person of state.people) {
      for (const tab of person.tabs) this.put(tab.name, tab.state, tab.sid);
    }
    this.memory = new Map(Object.entries(state.memory ?? {}));
    this.findCrowd();
    this.counters = { delivered: 0, lost: 0, wasted: 0, kept: 0, ...state.counters };
    this.sent = new Map();
  }

  put(name, state, sid) {
    if (sid) this.owners.set(sid, name);
    this.tabs.set(name, { name, state, sid: sid ?? null });
    if (!this.people.includes(personOf(name))) this.people.push(personOf(name));
  }

  /** Change what is known by one event. The counters of messages wait until their particle lands. */
  apply(event) {
    const { kind, from } = event;
    if (kind === "connect" && from) this.put(from, "connected", event.id);
    else if (STATES[kind] && this.tabs.has(from)) {
      const tab = this.tabs.get(from);
      // a client that gives up inside a tunnel is still in the tunnel
      const state = kind === "cut" && ["silent", "closed"].includes(tab.state) ? tab.state : STATES[kind];
      this.put(from, state, kind === "silent" ? tab.sid : null);
    } else if (kind === "memory") this.remember(event);
    else if (kind === "sent") this.sent.set(event.id, event);
  }

  remember({ room, value, kept }) {
    this.memory.set(room, value);
    if (room === "rooms") this.findCrowd();
    this.counters.kept = kept ?? this.counters.kept;
  }

  /** Learn the ids of the crowd from its rooms: no tab is drawn for them. */
  findCrowd() {
    for (const [room, held] of Object.entries(this.memory.get("rooms") ?? {})) {
      const [, name, number] = CROWD.exec(room) ?? [];
      if (name) held.forEach((sid) => this.owners.set(sid, `${name}/${number}`));
    }
  }

  /** The names of the crowd's clients, such as `crowd/017`. */
  get crowd() {
    const rooms = Object.keys(this.memory.get("rooms") ?? {});
    return rooms.filter((room) => CROWD.test(room)).map((room) => room.replace("user:", "").replace("-", "/"));
  }

  count(kind) {
    if (KINDS.includes(kind)) this.counters[kind] += 1;
  }

  get isDown() {
    return ["down", "killed"].includes(this.memory.get("server"));
  }

  /** The panels of memory to draw: `[name, value]`, the server's own tables first. */
  get panels() {
    const shown = [...this.memory].filter(([name]) =>
      name !== "server" && !MEASURED.includes(name) && (name !== "reports" || this.mistake === "02"));
    return shown.sort(([one], [other]) => (one === "rooms") - (other === "rooms"));
  }

  tabsOf(person) {
    return [...this.tabs.values()].filter((tab) => personOf(tab.name) === person);
  }

  openTabsOf(person) {
    return this.tabsOf(person).filter((tab) => tab.state === "connected" || tab.state === "silent");
  }

  /** What a text in memory means: `{kind: "sid" | "person" | "text", …}`. */
  meaning(text) {
    const value = String(text);
    if (this.owners.has(value) || SID.test(value)) {
      const tab = this.tabs.get(this.owners.get(value));
      if (/^(crowd|bystander)\//.test(this.owners.get(value) ?? "")) {
        return { kind: "sid", sid: value, owner: this.owners.get(value), state: "connected" };
      }
      const isLive = tab?.sid === value;
      return { kind: "sid", sid: value, owner: this.owners.get(value) ?? null, state: isLive ? tab.state : "dead" };
    }
    const person = value.replace(/^user:/, "");
    if (this.people.includes(person)) return { kind: "person", person };
    return { kind: "text" };
  }

  /** The names of the rooms that hold a tab's socket. */
  roomsOf(tab) {
    const rooms = Object.entries(this.memory.get("rooms") ?? {});
    return tab.sid ? rooms.filter(([, held]) => held.includes(tab.sid)).map(([name]) => name) : [];
  }

  /** The tables of the server's own, beside the rooms. */
  get tables() {
    return this.panels.filter(([name]) => name !== "rooms");
  }

  get hasPeopleRows() {
    return ["04", "05"].includes(this.mistake);
  }

  isAway(text) {
    const meaning = this.meaning(text);
    return meaning.kind === "person" && this.openTabsOf(meaning.person).length === 0;
  }
}
