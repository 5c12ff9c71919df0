// The clock of the heartbeat: it runs from the moment a connection goes silent until the server notices.

const RADIUS = 15;
const ROUND = 2 * Math.PI * RADIUS;

export class Heartbeat {
  constructor(root, times, clock) {
    this.root = root;
    this.times = times;
    this.clock = clock;
    this.total = times.interval + times.timeout;
    this.silent = new Map();
    root.innerHTML = `
      <svg viewBox="0 0 40 40" aria-hidden="true">
        <circle class="face" cx="20" cy="20" r="${RADIUS}"></circle>
        <circle class="ping" cx="20" cy="20" r="${RADIUS}"></circle>
        <circle class="wait" cx="20" cy="20" r="${RADIUS}"></circle>
        <line class="hand-line" x1="20" y1="20" x2="20" y2="8"></line>
      </svg><p><b>Heartbeat</b> <span class="beat-text"></span></p>`;
    this.arc(".ping", 0, times.interval / this.total);
    this.arc(".wait", times.interval / this.total, 1);
    this.rest();
  }

  arc(name, from, to) {
    const circle = this.root.querySelector(name);
    circle.setAttribute("stroke-dasharray", `${(to - from) * ROUND} ${ROUND}`);
    circle.setAttribute("transform", `rotate(${from * 360 - 90} 20 20)`);
  }

  rest() {
    const { interval, timeout, real_interval: real, real_timeout: wait } = this.times;
    this.root.classList.remove("runs", "over");
    this.text(`${interval} s + ${timeout} s here (defaults: ${real} s + ${wait} s)`);
    this.turn(0);
  }

  text(words) {
    const place = this.root.querySelector(".beat-text");
    if (place.textContent !== words) place.textContent = words;
  }

  turn(share) {
    this.root.querySelector(".hand-line").setAttribute("transform", `rotate(${share * 360} 20 20)`);
  }

  start(tab) {
    this.silent.set(tab, this.clock.now);
    this.root.classList.add("runs");
  }

  /** The connection is over, or works again. */
  stop(tab) {
    if (this.silent.delete(tab) && !this.silent.size) this.rest();
  }

  tick(now) {
    if (!this.silent.size) return false;
    const passed = now - Math.min(...this.silent.values());
    const share = Math.min(passed / this.total, 1);
    this.turn(share);
    this.root.classList.toggle("over", share >= 1);
    const real = Math.round(share * (this.times.real_interval + this.times.real_timeout));
    const words = share < 1 ? `the server waits: ${real} s at the defaults` : "over: the server may drop it now";
    this.text(words);
    return share < 1;
  }
}
