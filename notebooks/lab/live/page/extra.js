// The picture that only one arrangement has, above the server of each side.

import { Bucket } from "./bucket.js";
import { Console } from "./console.js";
import { Fleet } from "./fleet.js";
import { Loop } from "./loop.js";

const EXTRAS = { "06": Fleet, "08": Console, "09": Loop, "10": Bucket };

/** Return the extra picture of a side, or null. It has `draw()`, and may have `landed(event)` and `answered(…)`. */
export function createExtra(root, model) {
  root.replaceChildren();
  const Extra = EXTRAS[model.mistake];
  return Extra ? new Extra(root, model) : null;
}
