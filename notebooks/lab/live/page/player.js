// Plays one side's events in order, at the pace of the picture's clock.

const MESSAGES = ["sent", "room", "delivered", "lost", "wasted"];
// seconds that an event has the stage to itself; events of one message follow each other faster
const HOLD = { connect: 0.3, cut: 0.4, silent: 0.3, back: 0.2, closed: 0.3, sent: 0.5, memory: 0.12, room: 0.08 };
const GAUGES = ["pulses", "loop"];
const BETWEEN_DELIVERIES = 0.06;
// many messages at once, or many deliveries of one, fly as a swarm
const SWARM = 12;
const IN_SWARM = 0.003;
const LONGEST_GAP = 1.2;
// a longer queue plays faster, so that the picture stays close to the truth
const QUEUE_AT_ONCE = 300;

export class Player {
  /** `show(event, rate)` draws one event; `clock` is the picture's. */
  constructor(clock, show, { longestGap = LONGEST_GAP } = {}) {
    this.clock = clock;
    this.show = show;
    this.longestGap = longestGap;
    this.queue = [];
    this.freeAt = 0;
    this.ticked = 0;
    this.previous = null;
    this.played = 0;
    this.waiters = [];
    clock.add((now) => this.tick(now));
    document.addEventListener("visibilitychange", () => document.hidden && this.skip());
  }

  add(event) {
    const isSame = (other) => other?.kind === "memory" && event.kind === "memory" && other.room === event.room;
    // of the states of one thing only the newest is needed, and a gauge changes all the time
    const waiting = GAUGES.includes(event.room) ? this.queue.find(isSame) : this.queue.at(-1);
    // it keeps its turn: a newer turn after each change would never come on a slow computer
    if (isSame(waiting)) Object.assign(waiting, { value: event.value, kept: event.kept });
    else this.queue.push(event);
    if (document.hidden && !this.clock.isPaused) this.skip();
    else this.clock.wake();
  }

  /** Forget what was not played yet: a new state takes its place. */
  reset(seq) {
    this.queue = [];
    this.previous = null;
    this.reached(seq);
  }

  get rate() {
    return Math.max(1, this.queue.length / QUEUE_AT_ONCE);
  }

  dueAt(event) {
    if (!this.previous) return this.freeAt;
    const gap = Math.min(event.at - this.previous.at, this.longestGap);
    return Math.max(this.freeAt, this.previous.playedAt + gap / this.rate);
  }

  tick(now) {
    // one frame plays all that was due since the frame before
    while (this.queue.length && this.dueAt(this.queue[0]) <= now) {
      this.play(this.queue[0], Math.max(this.dueAt(this.queue.shift()), this.ticked));
    }
    this.ticked = now;
    return this.queue.length > 0;
  }

  play(event, now) {
    const { rate } = this;
    this.previous = { at: Math.max(event.at, this.previous?.at ?? 0), playedAt: now };
    this.freeAt = now + this.hold(event) / rate;
    this.show(event, rate);
    this.reached(event.seq);
  }

  hold(event) {
    if (this.queue.length > SWARM && MESSAGES.includes(event.kind)) return IN_SWARM;
    return HOLD[event.kind] ?? BETWEEN_DELIVERIES;
  }

  /** A hidden page draws nothing: apply everything at once. */
  skip() {
    while (this.queue.length) this.play(this.queue.shift(), this.clock.now);
  }

  /** The server's number `seq` has nothing left to play here. */
  reached(seq) {
    this.played = Math.max(this.played, seq);
    const ready = this.waiters.filter((waiter) => waiter.seq <= this.played || !this.hasUpTo(waiter.seq));
    this.waiters = this.waiters.filter((waiter) => !ready.includes(waiter));
    ready.forEach((waiter) => waiter.done());
  }

  hasUpTo(seq) {
    return this.queue.some((event) => event.seq <= seq);
  }

  /** Wait until every event up to `seq` was shown. */
  async until(seq) {
    if (this.played >= seq || !this.hasUpTo(seq)) return;
    await new Promise((done) => this.waiters.push({ seq, done }));
  }
}
