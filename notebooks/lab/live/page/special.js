// Controls that only some of the ten arrangements have; the session says which.

import { WAYS } from "./loop.js";
import { element } from "./memory.js";
import { capital } from "./words.js";

const CROWDS = [0, 20, 50, 100, 200];
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
    button("drive", "Dan reports a position", () => controls.perform("drive", { tab: driver })),
  round: (controls) => button("round", "Every driver reports", () => controls.perform("round", {})),
  crowd: crowdSlider,
  join: joinConsole,
  forge: forgeRow,
  pace: (controls, _, state) => choice("pace", "Clients reconnect with", PACES, controls, state),
  way: (controls, _, state) => choice("way", "The bad server makes it", WAYS, controls, state),
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

function choice(action, label, options, controls, state) {
  const group = element("label", "group", `${label} `);
  const select = element("select");
  select.dataset.action = action;
  for (const [value, words] of Object.entries(options)) select.append(new Option(words, value));
  select.value = state.sides.bad.memory[action] ?? Object.keys(options)[0];
  select.addEventListener("change", () => controls.perform(action, { [action]: select.value }));
  group.append(select);
  return group;
}

function crowdSlider(controls, _, state) {
  const group = element("label", "group", "Other clients ");
  const slider = element("input");
  Object.assign(slider, { type: "range", min: 0, max: CROWDS.length - 1, step: 1 });
  slider.value = CROWDS.indexOf(state.sides.bad.memory.crowd?.count ?? 0);
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
  author.append(...others.map((name) => new Option(capital(name), name)));
  const act = () => controls.perform("forge", { tab: attacker, to: controls.select.value, as: author.value });
  group.append(button("forge", "Send as", act), author);
  return group;
}
