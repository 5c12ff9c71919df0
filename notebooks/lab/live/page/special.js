// Controls and pictures that only one of the ten arrangements has.

import { element } from "./memory.js";

/** Offer the actions that the session names beyond the common ones. `perform(action, fields)` carries one out. */
export function startSpecial(root, state, perform, tabOf) {
  const offered = SPECIAL.filter(({ action }) => state.actions.includes(action));
  root.hidden = !offered.length;
  root.replaceChildren(...offered.map((special) => row(special, perform, tabOf)));
}

const SPECIAL = [
  { action: "report", label: "Ask for a report", help: "A long job: its result comes later" },
  { action: "finish", label: "Let the job finish", help: "The report is ready now" },
];

function row({ action, label, help }, perform, tabOf) {
  const button = element("button", "act", label);
  button.type = "button";
  button.title = help;
  button.dataset.action = action;
  button.addEventListener("click", () => perform(action, { tab: tabOf() }));
  return button;
}
