// Lines between each id in memory and the tab that has it; an id without a tab has a loose end.

import { svg } from "./svg.js";

const LOOSE_END_PIXELS = 14;

export function drawTethers(root, hub, model, selected) {
  const lines = [];
  const tied = new Set();
  // one line per id; rooms of roles and companies hold everybody, and would hide the lines that matter
  for (const token of hub.stage.querySelectorAll(".entry:not(.minor) .chip[data-sid]")) {
    if (tied.has(token.dataset.sid)) continue;
    tied.add(token.dataset.sid);
    const owner = model.tabs.get(model.owners.get(token.dataset.sid));
    const isLive = owner?.sid === token.dataset.sid;
    const from = hub.point(token, "bottom");
    const box = isLive ? hub.tab(owner.name) : null;
    if (box) {
      const to = hub.point(box, "top");
      const middle = (from.y + to.y) / 2;
      const classes = ["tether", owner.state, owner.name === selected ? "chosen" : ""].join(" ");
      lines.push(path(`M${from.x} ${from.y}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.y}`, classes));
    } else {
      lines.push(path(`M${from.x} ${from.y}v${LOOSE_END_PIXELS}m-3 0h6`, "tether loose"));
    }
  }
  root.replaceChildren(...lines);
}

function path(d, className) {
  return svg("path", { d, class: className });
}
