// One of the two columns: its model, its views, and how each event is drawn.

import { isStill } from "./clock.js";
import { Effects } from "./effects.js";
import { createExtra } from "./extra.js";
import { Heartbeat } from "./heartbeat.js";
import { Hub } from "./hub.js";
import { MemoryView } from "./memory.js";
import { MEASURED, Model } from "./model.js";
import { PeopleView } from "./people.js";
import { Player } from "./player.js";
import { drawTethers } from "./tethers.js";
import { personOf, sentence } from "./words.js";

const LOOK = {
  bad: { mark: "✗", name: "Bad server" },
  good: { mark: "✓", name: "Good server" },
};
const MESSAGES = ["sent", "room", "delivered", "lost", "wasted"];
// more people are drawn smaller
const FEW_PEOPLE = 3;
// particles of older messages are forgotten
const REMEMBERED_MESSAGES = 400;
const ENDS = ["delivered", "lost", "wasted"];
const OVER = ["cut", "closed", "connect", "back"];

export class Side {
  constructor(name, root, clock, onSelect) {
    this.name = name;
    this.clock = clock;
    this.root = root;
    this.onSelect = onSelect;
    this.stage = root.querySelector(".stage");
    this.hub = new Hub(this.stage);
    this.effects = new Effects(root.querySelector(".effects"), clock);
    this.onShown = () => {};
    clock.add((now) => this.heartbeat?.tick(now) ?? false);
    clock.add(() => this.tellLanded());
    const heading = root.querySelector("h2");
    root.classList.add(name);
    root.querySelector(".mark").textContent = LOOK[name].mark;
    heading.textContent = LOOK[name].name;
    heading.id = `${name}-heading`;
    root.setAttribute("aria-labelledby", heading.id);
    new ResizeObserver(() => this.resize()).observe(this.stage);
  }

  /** Begin with a state; also after a gap in the stream. */
  begin(state, selected) {
    this.model = new Model(this.name, state.sides[this.name], state.mistake);
    this.root.querySelector(".what").textContent = state.sides[this.name].module ?? "";
    this.memory = new MemoryView(this.root.querySelector(".memory"), this.model);
    this.people = new PeopleView(this.root.querySelector(".people"), this.model, this.onSelect);
    this.people.selected = selected;
    this.heartbeat = new Heartbeat(this.root.querySelector(".heartbeat"), state.heartbeat, this.clock);
    this.messages = new Map();
    this.extra = createExtra(this.root.querySelector(".extra"), this.model);
    this.effects.clear();
    const longestGap = state.heartbeat.interval + state.heartbeat.timeout + 0.3;
    this.player ??= new Player(this.clock, (event, rate) => this.show(event, rate), { longestGap });
    this.player.reset(state.seq);
    this.draw();
  }

  select(tab) {
    this.people.selected = tab;
    this.draw();
  }

  draw() {
    this.memory.draw();
    this.people.draw();
    this.extra?.draw();
    this.drawCounters();
    this.root.classList.toggle("compact", this.model.people.length > FEW_PEOPLE);
    this.root.classList.toggle("down", this.model.isDown);
    this.root.querySelector(".power").hidden = !this.model.isDown;
    drawTethers(this.root.querySelector(".tethers"), this.hub, this.model, this.people.selected);
  }

  drawCounters() {
    const counts = this.model.counters;
    for (const place of this.root.querySelectorAll("[data-counter]")) {
      const value = String(counts[place.dataset.counter]);
      const shown = place.querySelector("dd");
      place.classList.toggle("zero", value === "0");
      if (shown.textContent === value) continue;
      shown.textContent = value;
      if (isStill()) continue;
      shown.animate([{ transform: "scale(1.35)" }, { transform: "none" }], { duration: 260 });
    }
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const svg = this.root.querySelector(".tethers");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.effects.resize(width, height);
    if (this.model) drawTethers(svg, this.hub, this.model, this.people.selected);
    this.clock.wake();
  }

  /** Draw one event; nothing else moves anything on this side. */
  show(event, rate) {
    this.model.apply(event);
    if (MESSAGES.includes(event.kind)) this.move(event, rate);
    else if (event.kind === "memory" && MEASURED.includes(event.room)) this.extra?.draw(event.room);
    else {
      if (event.kind === "memory") this.hub.dropGaps();
      if (event.kind === "silent") this.heartbeat.start(event.from);
      if (OVER.includes(event.kind)) this.heartbeat.stop(event.from);
      if (event.kind === "memory") this.stopHeartbeats();
      this.draw();
      if (event.from) this.hub.mark(event.from, `shows-${event.kind}`);
    }
    // the end of a message is told when its particle lands
    if (!ENDS.includes(event.kind)) this.caption(event);
    this.onShown(event);
    this.tell("shown", event);
  }

  /** Anyone may watch what is drawn; the tests compare it with what the clients received. */
  tell(name, event) {
    this.root.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: event }));
  }

  caption(event) {
    const text = sentence(event, this.model);
    if (text) this.root.querySelector(".caption").textContent = text;
  }

  /** Wait until every event up to `seq` was shown, and each particle has landed. */
  async until(seq) {
    await this.player.until(seq);
    await this.effects.allLanded();
  }

  /** The server has noticed a silent connection once its id is in no room. */
  stopHeartbeats() {
    for (const name of [...this.heartbeat.silent.keys()]) {
      const tab = this.model.tabs.get(name);
      if (!tab?.sid || !this.model.roomsOf(tab).length) this.heartbeat.stop(name);
    }
  }

  move(event, rate) {
    if (event.kind === "sent") this.send(event, rate);
    else if (event.kind === "room") this.address(event, rate);
    else this.end(event, rate);
  }

  send(event, rate) {
    this.hub.dropGaps();
    if (this.people.missed.size) {
      this.people.missed.clear();
      this.people.draw();
    }
    if (this.messages.size > REMEMBERED_MESSAGES) this.messages.clear();
    const from = this.hub.tab(event.from);
    const way = { from: from ? this.hub.point(from, "top") : this.hub.door(), addresses: new Map() };
    way.entered = this.effects.fly("sent", way.from, this.hub.door(), { rate, parks: true });
    this.messages.set(event.id, way);
  }

  wayOf(event) {
    if (!this.messages.has(event.id)) this.messages.set(event.id, { entered: null, addresses: new Map() });
    return this.messages.get(event.id);
  }

  /** The server sends a message to one address: a room, or a socket id. */
  address(event, rate) {
    const way = this.wayOf(event);
    const place = this.hub.address(event.room);
    const to = this.hub.point(place);
    const particle = this.effects.fly("room", this.hub.door(), to, { rate, parks: true, after: way.entered });
    way.addresses.set(event.room, { particle, place });
    if (way.entered) way.entered.rest = 0;
  }

  end(event, rate) {
    const way = this.wayOf(event);
    const landed = () => this.land(event);
    const direct = event.to === null ? way.addresses.get(event.room) : null;
    if (direct && direct.particle.ended === null) {
      // it is still on its way to the address, where it ends
      Object.assign(direct.particle, { kind: event.kind, parks: false, label: "nobody there", landed, rest: 0.5 });
      return;
    }
    const origin = this.originOf(event, way);
    const { to, label } = this.endOf(event, origin);
    this.effects.fly(event.kind, origin.point, to, { rate, label, landed, after: origin.after });
  }

  /** Of the addresses of a message, the one that leads to the tab. */
  originOf(event, way) {
    const tab = this.model.tabs.get(event.to);
    const person = event.to ? personOf(event.to) : "";
    const rooms = tab ? this.model.roomsOf(tab) : [];
    const names = [...way.addresses.keys()];
    const name = names.find((one) => one === tab?.sid) ?? names.find((one) => one === `user:${person}`) ??
      names.find((one) => rooms.includes(one)) ?? names.find((one) => this.model.owners.get(one) === event.to) ??
      (event.room && names.includes(event.room) ? event.room : names.find((one) => !one.startsWith("user:")));
    if (name === undefined) return { name: null, point: this.hub.door(), after: way.entered, isThere: false };
    const { particle, place } = way.addresses.get(name);
    const isThere = name === tab?.sid || rooms.includes(name);
    return { name, point: place.isConnected ? this.hub.point(place) : particle.to, after: particle, isThere };
  }

  endOf(event, origin) {
    const box = this.hub.tab(event.to);
    if (event.kind !== "lost") {
      const isOne = box?.classList.contains("tab");
      const label = event.kind === "delivered" || (box && !isOne) ? "" : box ? "not for me" : "nobody there";
      return { to: box ? this.hub.point(box) : origin.point, label };
    }
    if (!origin.name) return { to: origin.point, label: `not sent to ${event.to}` };
    if (!origin.isThere || !box) return { to: origin.point, label: `${event.to} is not in it` };
    // the server sent it to the tab's socket; it is lost on the way
    const end = this.hub.point(box, "top");
    const { x, y } = origin.point;
    const isSilent = this.model.tabs.get(event.to)?.state === "silent";
    const label = isSilent ? "nothing gets through" : "did not arrive";
    return { to: { x: x + (end.x - x) * 0.7, y: y + (end.y - y) * 0.7 }, label };
  }

  land(event) {
    this.model.count(event.kind);
    this.tell("landed", event);
    // a swarm lands many at once: words and numbers change once a frame
    this.lastLanded = event;
    this.clock.wake();
    this.extra?.landed?.(event);
    if (!event.to) return;
    if (event.kind === "lost" && this.model.tabs.has(event.to)) {
      this.people.missed.add(event.to);
      this.people.draw();
    }
    this.hub.mark(event.to, `shows-${event.kind}`);
  }

  tellLanded() {
    if (!this.lastLanded) return false;
    this.drawCounters();
    this.caption(this.lastLanded);
    this.lastLanded = null;
    return false;
  }

  /** How many received something, for the answer to a guess; `isCounted(event)` says which events count. */
  watch(isCounted) {
    const received = new Set();
    const before = this.onShown;
    this.onShown = (event) => {
      before(event);
      if (isCounted(event)) received.add(`${event.id} ${event.to}`);
    };
    return { result: () => received.size, stop: () => { this.onShown = before; } };
  }
}
