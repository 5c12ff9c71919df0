// The picture that only one arrangement has, below the people of each side.

import { Console } from "./console.js";
import { Fleet } from "./fleet.js";

const EXTRAS = { "06": Fleet, "08": Console };

/** Return the extra picture of a side, or null. It has `draw()`, and may have `landed(event)` and `answered(…)`. */
export function createExtra(root, model) {
  root.replaceChildren();
  const Extra = EXTRAS[model.mistake];
  return Extra ? new Extra(root, model) : null;
}
