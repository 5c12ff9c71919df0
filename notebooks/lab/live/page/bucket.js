// 10: the rate limit as a bucket, and what became of each request of a flood or a burst.

import { element } from "./memory.js";
import { svg } from "./svg.js";

const CHART = { width: 430, height: 104, left: 30, bottom: 16, top: 12 };

export class Bucket {
  constructor(root, model) {
    this.model = model;
    this.glass = svg("svg", { viewBox: "0 0 60 96", class: "glass", role: "img" });
    this.chart = svg("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, class: "chart", preserveAspectRatio: "xMinYMid", role: "img" });
    this.text = element("p", "cost");
    const row = element("div", "fleet");
    row.append(this.glass, this.chart);
    root.append(element("h3", "", "The rate limit of the last sender"), this.text, row);
  }

  draw() {
    const { levels = [], now, user = "" } = this.model.memory.get("bucket") ?? {};
    const most = Math.max(1, ...levels.map(([, level]) => level));
    this.drawGlass(now ?? levels.at(-1)?.[1] ?? null, most);
    this.drawChart(levels, most, user);
    const lines = [this.words("flood", "messages"), this.words("joined", "joins")].filter(Boolean);
    this.text.textContent = lines.join(" · ") || "Nobody has sent much yet.";
  }

  words(name, what) {
    const result = this.model.memory.get(name);
    if (!result) return "";
    const wait = result.retry_after === null ? "" : `, retry_after ${result.retry_after} s`;
    return `${result.by}: ${result.accepted} of ${result.sent} ${what} accepted, ${result.refused} refused${wait}`;
  }

  drawGlass(level, most) {
    const height = level === null ? 0 : (level / most) * 70;
    const rim = svg("path", { d: "M10 10 16 88H44L50 10", class: "axis" });
    const water = svg("rect", { x: 16, y: 86 - height, width: 28, height, class: "water" });
    const label = svg("text", { x: 30, y: 50, "text-anchor": "middle" });
    label.textContent = level === null ? "none" : String(Math.round(level));
    this.glass.replaceChildren(water, rim, label);
    this.glass.setAttribute("aria-label", level === null ? "No bucket was used" : `${Math.round(level)} places are left`);
  }

  drawChart(levels, most, user) {
    const { width, height, left, bottom, top } = CHART;
    const longest = Math.max(0.001, ...levels.map(([at]) => at));
    const x = (at) => left + (at / longest) * (width - left - 8);
    const y = (level) => height - bottom - (level / most) * (height - bottom - top);
    const axis = svg("path", { d: `M${left} ${top}V${height - bottom}H${width - 4}`, class: "axis" });
    const marks = levels.map(([at, level, isTaken]) => isTaken ?
      svg("circle", { cx: x(at), cy: y(level), r: 2, class: "car" }) :
      svg("path", { d: `M${x(at) - 2.5} ${y(level) - 2.5}l5 5m0-5-5 5`, class: "refused" }));
    const texts = [[left + 4, 9, "places left: ● accepted, ✗ refused"], [2, top + 8, String(Math.round(most))],
      [width - 60, height - 4, `${(longest * 1000).toFixed(0)} ms →`]];
    this.chart.replaceChildren(axis, ...marks, ...(levels.length ? texts : [[left + 8, 52, "no request was counted"]])
      .map(([at, below, words]) => {
        const text = svg("text", { x: at, y: below });
        text.textContent = words;
        return text;
      }));
    const refused = levels.filter(([, , isTaken]) => !isTaken).length;
    this.chart.setAttribute("aria-label", `${user}: ${levels.length} requests counted, ${refused} refused`);
  }
}
