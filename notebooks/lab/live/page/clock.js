// The picture's own clock: it stops while paused and runs at a quarter of the speed in slow motion.

const SLOW_RATE = 0.25;
// a longer pause between two frames means that the page was hidden or busy
const LONGEST_FRAME_SECONDS = 0.1;

export class Clock {
  constructor() {
    this.now = 0;
    this.isPaused = false;
    this.isSlow = false;
    this.tickers = new Set();
    this.last = null;
  }

  /** Call `ticker(now)` on each frame for as long as one of them returns true. */
  add(ticker) {
    this.tickers.add(ticker);
    this.wake();
  }

  wake() {
    if (this.last !== null) return;
    this.last = performance.now();
    requestAnimationFrame((at) => this.frame(at));
  }

  frame(at) {
    const seconds = Math.min(Math.max(at - this.last, 0) / 1000, LONGEST_FRAME_SECONDS);
    this.now += this.isPaused ? 0 : seconds * (this.isSlow ? SLOW_RATE : 1);
    let isBusy = false;
    for (const ticker of this.tickers) isBusy = ticker(this.now) || isBusy;
    this.last = null;
    if (isBusy && !this.isPaused) this.wake();
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    this.wake();
  }
}

/** Whether the reader's system asks for no movement. */
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
