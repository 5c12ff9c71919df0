// Particles on a canvas: a message on its way, and how it ends.

import { isStill } from "./clock.js";

const SECONDS = { sent: 0.55, room: 0.35, delivered: 0.7, wasted: 0.7, lost: 0.45, end: 0.5 };
// how long a message is seen where it waits
const PARKED_SECONDS = 1.4;
// how long a line stays in place of a movement
const STILL_SECONDS = 1.6;
// more particles than this have short tails
const SWARM = 60;

export class Effects {
  constructor(canvas, clock) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.clock = clock;
    this.particles = [];
    this.waiters = [];
    this.readColours();
    document.addEventListener("themechange", () => this.readColours());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.readColours());
    clock.add((now) => this.tick(now));
  }

  /** A canvas knows no custom properties, and light-dark() is resolved only in a real colour. */
  readColours() {
    const read = (name) => {
      this.canvas.style.color = `var(${name})`;
      return getComputedStyle(this.canvas).color;
    };
    const [ink, paper] = [read("--ink"), read("--card")];
    this.colours = { sent: ink, room: ink, delivered: read("--good"), lost: read("--bad"), wasted: read("--dead"), paper };
  }

  resize(width, height) {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  get isBusy() {
    return this.particles.length > 0;
  }

  /** Send one particle from point to point, after another one has arrived. `landed` is called when it arrives. */
  fly(kind, from, to, { rate = 1, label = "", landed = () => {}, parks = false, after = null } = {}) {
    const rest = isStill() ? STILL_SECONDS : parks ? PARKED_SECONDS : SECONDS.end;
    const begin = Math.max(this.clock.now, after ? after.begin + after.seconds : 0);
    const seconds = (isStill() ? 0.25 : SECONDS[kind]) / rate;
    const particle = { kind, from, to, label, landed, parks, begin, seconds, rest: rest / rate, ended: null };
    this.particles.push(particle);
    this.clock.wake();
    return particle;
  }

  remove(particle) {
    this.particles = this.particles.filter((other) => other !== particle);
    this.clock.wake();
  }

  clear() {
    this.particles = [];
  }

  /** Wait until no particle is on its way. */
  async allLanded() {
    if (this.particles.every((particle) => particle.ended !== null)) return;
    await new Promise((done) => this.waiters.push(done));
  }

  tick(now) {
    const { context, canvas } = this;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.restore();
    // what lands may send something on
    for (const particle of [...this.particles]) this.step(particle, now);
    this.particles = this.particles.filter((particle) => particle.ended === null || now - particle.ended <= particle.rest);
    if (this.particles.every((particle) => particle.ended !== null)) {
      this.waiters.splice(0).forEach((done) => done());
    }
    return this.isBusy;
  }

  step(particle, now) {
    if (now < particle.begin) return;
    const share = Math.min((now - particle.begin) / particle.seconds, 1);
    if (share >= 1 && particle.ended === null) {
      particle.ended = now;
      particle.landed();
    }
    if (particle.ended !== null && now - particle.ended > particle.rest) return;
    if (isStill()) this.line(particle);
    else if (particle.ended === null) this.trail(particle, share);
    if (particle.ended === null) return;
    if (particle.parks) this.dot(particle.to, particle.kind, 5);
    else this.end(particle, isStill() ? 0.35 : (now - particle.ended) / particle.rest);
  }

  trail(particle, share) {
    for (let step = this.particles.length > SWARM ? 1 : 5; step >= 0; step -= 1) {
      const at = ease(Math.max(share - step * 0.035, 0));
      this.context.globalAlpha = step ? 0.28 - step * 0.045 : 1;
      this.dot(curve(particle, at), particle.kind, 6 - step * 0.5);
    }
    this.context.globalAlpha = 1;
  }

  line(particle) {
    const { context } = this;
    context.strokeStyle = this.colours[particle.kind];
    context.lineWidth = 2;
    context.setLineDash(particle.kind === "delivered" ? [] : [5, 4]);
    context.beginPath();
    context.moveTo(particle.from.x, particle.from.y);
    context.lineTo(particle.to.x, particle.to.y);
    context.stroke();
    context.setLineDash([]);
  }

  dot({ x, y }, kind, radius) {
    const { context } = this;
    context.fillStyle = this.colours[kind];
    context.strokeStyle = this.colours.paper;
    context.lineWidth = 1.5;
    context.beginPath();
    if (kind === "wasted") {
      context.moveTo(x, y - radius);
      [[x + radius, y], [x, y + radius], [x - radius, y]].forEach(([px, py]) => context.lineTo(px, py));
      context.closePath();
    } else context.arc(x, y, radius, 0, 7);
    context.fill();
    context.stroke();
  }

  end(particle, share) {
    const { context } = this;
    const { x, y } = particle.to;
    context.globalAlpha = 1 - share * share;
    context.strokeStyle = this.colours[particle.kind];
    context.lineWidth = 2.5;
    context.beginPath();
    if (particle.kind === "delivered") context.arc(x, y, 6 + 16 * ease(share), 0, 7);
    else this.burst(x, y, 5 + 13 * ease(share), particle.kind === "lost" ? 4 : 7);
    context.stroke();
    if (particle.label) this.write(particle, share);
    context.globalAlpha = 1;
  }

  burst(x, y, radius, rays) {
    for (let ray = 0; ray < rays; ray += 1) {
      const angle = (ray / rays) * 2 * Math.PI + Math.PI / 4;
      this.context.moveTo(x + Math.cos(angle) * radius * 0.35, y + Math.sin(angle) * radius * 0.35);
      this.context.lineTo(x + Math.cos(angle) * radius, y + Math.sin(angle) * radius);
    }
  }

  write(particle, share) {
    const { context } = this;
    context.font = "600 12px system-ui, sans-serif";
    const width = context.measureText(particle.label).width;
    const room = this.canvas.width / (devicePixelRatio || 1);
    const x = Math.min(Math.max(particle.to.x - width / 2, 4), room - width - 4);
    const y = particle.to.y + 22 + 8 * share;
    context.fillStyle = this.colours.paper;
    context.fillRect(x - 3, y - 12, width + 6, 16);
    context.fillStyle = this.colours.sent;
    context.fillText(particle.label, x, y);
  }
}

const ease = (share) => 1 - (1 - share) ** 2;

/** A point on a slightly bent way. */
function curve({ from, to }, share) {
  const bend = Math.sin(share * Math.PI) * Math.min(Math.abs(to.x - from.x) * 0.08, 14);
  return { x: from.x + (to.x - from.x) * share + bend, y: from.y + (to.y - from.y) * share };
}
