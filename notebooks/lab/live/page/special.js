// Controls that only some of the ten arrangements have; the session says which.

import { element } from "./memory.js";
import { capital } from "./words.js";

const CROWDS = [0, 20, 60, 200];
const FOREIGN_ROOMS = ["role:admin", "user:ana", "user:ben", "company:acme", "job:99"];
const PACES = { stock: "stock delays (1 to 5 s)", short: "short delays" };

/** Offer the actions beyond the common ones; `controls` carries them out. */
export function startSpecial(root, state, controls) {
  const offered = state.actions.filter((action) => action in ROWS);
  const first = state.sides.good.people[0].tabs[0].name;
  root.hidden = !offered.length;
  root.replaceChildren(...offered.map((action) => ROWS[action](controls, first, state)));
}

const ROWS = {
  report: (controls) => button("report", "Ask for a report", () => controls.perform("report", { tab: controls.tab })),
  finish: (controls) => button("finish", "Let the job finish", () => controls.perform("finish", {})),
  drive: (controls, driver) =>
    button("drive", "Driver reports a position", () => controls.perform("drive", { tab: driver })),
  crowd: crowdSlider,
  join: joinConsole,
  forge: forgeRow,
  pace: (controls) => choice("pace", "Clients reconnect with", PACES, (pace) => controls.perform("pace", { pace })),
  compute: (controls) => button("compute", "Start a heavy report", () => controls.perform("compute", { tab: controls.tab })),
  flood: (controls, first) => button("flood", "Flood", () => controls.perform("flood", { tab: first })),
  burst: (controls, _, { sides }) => button("burst", "Honest burst of another user", () =>
    controls.perform("burst", { tab: sides.good.people[1].tabs[0].name })),
  rooms: (controls, first) => button("rooms", "Invent rooms", () => controls.perform("rooms", { tab: first })),
};

function button(action, label, act) {
  const made = element("button", "act", label);
  made.type = "button";
  made.dataset.action = action;
  made.addEventListener("click", act);
  return made;
}

function choice(action, label, options, act) {
  const group = element("label", "group", `${label} `);
  const select = element("select");
  select.dataset.action = action;
  for (const [value, words] of Object.entries(options)) select.append(new Option(words, value));
  select.addEventListener("change", () => act(select.value));
  group.append(select);
  return group;
}

function crowdSlider(controls) {
  const group = element("label", "group", "Other clients ");
  const slider = element("input");
  Object.assign(slider, { type: "range", min: 0, max: CROWDS.length - 1, step: 1, value: 0 });
  slider.dataset.action = "crowd";
  const shown = element("output", "", "0");
  const words = () => {
    shown.textContent = String(CROWDS[slider.value]);
    slider.setAttribute("aria-valuetext", `${shown.textContent} clients`);
  };
  words();
  slider.addEventListener("input", words);
  slider.addEventListener("change", () => controls.perform("crowd", { count: CROWDS[slider.value] }));
  group.append(slider, shown);
  return group;
}

function joinConsole(controls, attacker) {
  const form = element("form", "group console-form");
  const room = element("input");
  Object.assign(room, { name: "room", required: true, maxLength: 64, value: FOREIGN_ROOMS[0], autocomplete: "off" });
  room.setAttribute("list", "foreign-rooms");
  room.setAttribute("aria-label", "The room to join");
  room.spellcheck = false;
  const rooms = element("datalist");
  rooms.id = "foreign-rooms";
  rooms.append(...FOREIGN_ROOMS.map((name) => new Option(name)));
  const join = element("button", "act", "Join");
  join.dataset.action = "join";
  form.append(element("code", "", `${attacker}> room:join`), room, rooms, join);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    controls.perform("join", { tab: attacker, room: room.value.trim() });
  });
  return form;
}

function forgeRow(controls, attacker, state) {
  const group = element("span", "group");
  const author = element("select");
  author.setAttribute("aria-label", "The author to claim");
  const others = state.sides.good.people.map((person) => person.name).filter((name) => !attacker.startsWith(`${name}/`));
  author.append(...others.map((name) => new Option(`as ${capital(name)}`, name)));
  const act = () => controls.perform("forge", { tab: attacker, to: controls.select.value, as: author.value });
  group.append(button("forge", "Write", act), author);
  return group;
}
