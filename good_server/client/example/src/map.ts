/** A small map of an invented town, with the driver on it. */

export interface Position {
  lat: number;
  lng: number;
  heading?: number;
}

export const TOWN = { west: 2.34, east: 2.37, south: 48.845, north: 48.86 };
const STREETS_EAST_WEST = [0.22, 0.5, 0.8];
const STREETS_NORTH_SOUTH = [0.12, 0.34, 0.62, 0.86];
// the round that the driver goes: corners of streets, as shares of the map's width and height
const ROUND: Array<[number, number]> = [[0.12, 0.22], [0.62, 0.22], [0.62, 0.5], [0.86, 0.5], [0.86, 0.8], [0.12, 0.8]];
const TRAIL_POINTS = 40;

/** Return the place on the driver's round after a share of it, from 0 to 1. */
export function placeOnRound(share: number): Position {
  const at = (share % 1) * ROUND.length;
  const [x1, y1] = ROUND[Math.floor(at)] ?? [0, 0];
  const [x2, y2] = ROUND[(Math.floor(at) + 1) % ROUND.length] ?? [0, 0];
  const along = at % 1;
  const x = x1 + (x2 - x1) * along;
  const y = y1 + (y2 - y1) * along;
  const heading = ((Math.atan2(x2 - x1, y1 - y2) * 180) / Math.PI + 360) % 360;
  return { lat: TOWN.north - y * (TOWN.north - TOWN.south), lng: TOWN.west + x * (TOWN.east - TOWN.west), heading };
}

export class TownMap {
  readonly #canvas: HTMLCanvasElement;
  #trail: Position[] = [];
  #name = "";

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  show(name: string, position: Position): void {
    this.#name = name;
    this.#trail = [...this.#trail, position].slice(-TRAIL_POINTS);
    this.#canvas.setAttribute("aria-label", `Map: ${name} is at ${described(position)}`);
    this.#draw();
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio;
    this.#canvas.width = width * scale;
    this.#canvas.height = height * scale;
    const pen = this.#canvas.getContext("2d");
    if (pen === null || width === 0) return;
    pen.scale(scale, scale);
    this.#drawTown(pen, width, height);
    this.#drawDriver(pen, width, height);
  }

  #drawTown(pen: CanvasRenderingContext2D, width: number, height: number): void {
    pen.fillStyle = this.#colour("--land");
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = this.#colour("--park");
    pen.fillRect(width * 0.36, height * 0.25, width * 0.24, height * 0.22);
    pen.strokeStyle = this.#colour("--water");
    pen.lineWidth = 16;
    pen.beginPath();
    pen.moveTo(width * 0.7, -10);
    pen.bezierCurveTo(width * 0.8, height * 0.5, width * 0.4, height * 0.5, width * 0.5, height + 10);
    pen.stroke();
    pen.strokeStyle = this.#colour("--street");
    pen.lineWidth = 7;
    pen.beginPath();
    for (const share of STREETS_EAST_WEST) line(pen, 0, height * share, width, height * share);
    for (const share of STREETS_NORTH_SOUTH) line(pen, width * share, 0, width * share, height);
    pen.stroke();
  }

  #drawDriver(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const last = this.#trail.at(-1);
    if (last === undefined) return;
    const x = (position: Position): number => ((position.lng - TOWN.west) / (TOWN.east - TOWN.west)) * width;
    const y = (position: Position): number => ((TOWN.north - position.lat) / (TOWN.north - TOWN.south)) * height;
    pen.strokeStyle = pen.fillStyle = this.#colour("--driver");
    pen.lineWidth = 3;
    pen.beginPath();
    for (const position of this.#trail) pen.lineTo(x(position), y(position));
    pen.stroke();
    pen.save();
    pen.translate(x(last), y(last));
    pen.save();
    pen.rotate(((last.heading ?? 0) * Math.PI) / 180);
    pen.beginPath();
    for (const [dx, dy] of [[0, -11], [8, 9], [0, 5], [-8, 9]] as const) pen.lineTo(dx, dy);
    pen.fill();
    pen.restore();
    pen.font = "600 13px system-ui, sans-serif";
    pen.fillStyle = this.#colour("--ink");
    pen.fillText(this.#name, x(last) > width - 60 ? -40 : 13, y(last) < 20 ? 14 : -8);
    pen.restore();
  }

  /** Return a colour of the style sheet, in the current theme. */
  #colour(name: string): string {
    // a custom property is not resolved, but the colour that uses it is
    this.#canvas.style.color = `var(${name})`;
    return getComputedStyle(this.#canvas).color;
  }
}

export function described({ lat, lng }: Position): string {
  return `${lat.toFixed(4)}, ${lng.toFixed(4)}`;
}

function line(pen: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
}
