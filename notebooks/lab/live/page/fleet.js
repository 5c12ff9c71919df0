// 06: the driver on a map, a dot for each other client, and what positions cost.

import { element } from "./memory.js";
import { svg } from "./svg.js";

const MAP = { width: 120, height: 90 };
const CHART = { width: 430, height: 104, left: 8, bottom: 16 };
const MOST_CLIENTS = 220;
// both sides draw to the same scale
let mostBytes = 1;
const charts = new Set();

export class Fleet {
  constructor(root, model) {
    this.model = model;
    this.trail = [];
    this.points = [];
    this.map = svg("svg", { viewBox: `0 0 ${MAP.width} ${MAP.height}`, class: "map", role: "img" });
    this.chart = svg("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, class: "chart", preserveAspectRatio: "xMinYMid", role: "img" });
    this.cost = element("p", "cost");
    this.crowd = element("div", "crowd");
    const row = element("div", "fleet");
    row.append(this.map, this.chart);
    root.append(this.cost, row, this.crowd);
    charts.forEach((chart) => chart.chart.isConnected || charts.delete(chart));
    charts.add(this);
  }

  draw() {
    const traffic = this.model.memory.get("traffic");
    this.drawCrowd();
    this.drawMap();
    this.drawRounds();
    if (!traffic?.drives) {
      this.cost.textContent = "No position was reported yet.";
      return;
    }
    this.cost.replaceChildren(
      element("b", "", traffic.last_bytes.toLocaleString("en")), ` bytes and ${traffic.last_deliveries} deliveries ` +
      `for the last position; ${traffic.bytes.toLocaleString("en")} bytes in all`);
  }

  /** One measured point for each number of clients. */
  drawRounds() {
    const rounds = Object.entries(this.model.memory.get("rounds") ?? {});
    this.points = rounds.map(([clients, { bytes }]) => [Number(clients), bytes]).sort(([one], [other]) => one - other);
    mostBytes = Math.max(mostBytes, ...this.points.map(([, bytes]) => bytes));
    charts.forEach((chart) => chart.drawChart());
  }

  drawCrowd() {
    const names = this.model.crowd;
    if (this.crowd.childElementCount === names.length) return;
    this.crowd.replaceChildren(...names.map((name) => {
      const dot = element("i", "dot");
      dot.dataset.tab = name;
      return dot;
    }));
    this.crowd.setAttribute("role", "img");
    this.crowd.setAttribute("aria-label", `${names.length} clients of other companies`);
  }

  drawMap() {
    const position = Object.values(this.model.memory.get("position") ?? {})[0];
    const last = this.trail.at(-1);
    if (position && (!last || last[0] !== position[0] || last[1] !== position[1])) this.trail.push(position);
    const streets = [15, 45, 75, 105].map((at) => svg("path", { d: `M${at} 0V90M0 ${at * 0.75}H120`, class: "street" }));
    const points = this.trail.slice(-12).map((point) => this.onMap(point));
    const way = svg("polyline", { points: points.map((point) => point.join(" ")).join(" "), class: "way" });
    const [x, y] = points.at(-1) ?? [60, 45];
    this.map.replaceChildren(...streets, way, svg("circle", { cx: x, cy: y, r: 5, class: "car" }));
    this.map.setAttribute("aria-label", `Map: the driver has reported ${this.trail.length} positions`);
  }

  onMap([lat, lng]) {
    const wrap = (value, size) => ((value % size) + size) % size;
    return [10 + wrap(lng * 1500, MAP.width - 20), 10 + wrap(lat * 1100, MAP.height - 20)];
  }

  drawChart() {
    const { width, height, left, bottom } = CHART;
    const x = (clients) => left + (clients / MOST_CLIENTS) * (width - 2 * left);
    const y = (bytes) => height - bottom - (bytes / mostBytes) * (height - bottom - 12);
    const sorted = this.points;
    const line = svg("polyline", { points: sorted.map(([clients, bytes]) => `${x(clients)},${y(bytes)}`).join(" "), class: "way" });
    const dots = sorted.map(([clients, bytes]) => svg("circle", { cx: x(clients), cy: y(bytes), r: 3.5, class: "car" }));
    const axis = svg("path", { d: `M${left} 6V${height - bottom}H${width - left}`, class: "axis" });
    const title = svg("text", { x: left + 4, y: 11 });
    title.textContent = `bytes, all drivers once${growth(sorted)}`;
    const below = svg("text", { x: width - left, y: height - 4, "text-anchor": "end" });
    below.textContent = "clients →";
    this.chart.replaceChildren(axis, line, ...dots, title, below);
    const words = sorted.map(([clients, bytes]) => `${bytes} bytes with ${clients} clients`).join(", ");
    this.chart.setAttribute("aria-label", `Bytes when every driver reports once: ${words || "not measured yet"}`);
  }
}

/** How the first and the last measured point differ, in words. */
function growth(sorted) {
  if (sorted.length < 2) return "";
  const [[few, less], [many, more]] = [sorted[0], sorted.at(-1)];
  return `: ${(many / few).toFixed(1)} × the clients, ${(more / less).toFixed(1)} × the bytes`;
}
