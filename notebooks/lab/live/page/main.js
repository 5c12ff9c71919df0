// Joins the parts: the session's stream, the two columns, the reader's hand.

import { Clock } from "./clock.js";
import { command } from "./commands.js";
import { Controls, toggle } from "./controls.js";
import { Guess } from "./guess.js";
import { element } from "./memory.js";
import { Side } from "./side.js";
import { startSpecial } from "./special.js";
import { readSession } from "./stream.js";
import { startTheme } from "./theme.js";
import { TRIALS } from "./trials.js";
import { capital, sentence } from "./words.js";

const EARLIER_LINES = 12;
const byId = (id) => document.getElementById(id);

const clock = new Clock();
const sides = ["bad", "good"].map((name) => {
  const root = byId("side-template").content.cloneNode(true).querySelector(".side");
  byId("sides").append(root);
  return new Side(name, root, clock, (tab) => controls.choose(tab));
});
const guess = new Guess(byId("guess-dialog"), sides);
const controls = new Controls({ root: byId("actions"), chosen: byId("chosen"), sides, run, guess });
// commands of this page that are not told yet
let ownCommands = 0;

startTheme(byId("theme"));
toggle(byId("slow"), (isOn) => { clock.isSlow = isOn; });
toggle(byId("guess"), (isOn) => { guess.isOn = isOn; });
toggle(byId("pause"), (isOn) => {
  clock.pause(isOn);
  byId("pause").textContent = isOn ? "Continue" : "Pause";
  showQueue();
});
let hasKeys = true;
toggle(byId("keys"), (isOn) => { hasKeys = isOn; });
document.addEventListener("keydown", (event) => {
  if (!hasKeys || event.repeat) return;
  const view = { p: "pause", m: "slow", g: "guess" }[event.key.toLowerCase()];
  const isFree = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (view && isFree && !event.target.closest("input, select, textarea, dialog")) byId(view).click();
  else controls.onKey(event);
});

for (const side of sides) {
  side.onShown = (event) => {
    if (event.kind !== "memory" && ![event.from, event.to].some((name) => name?.startsWith("crowd/"))) noteOthers(event, side);
    if (!event.to) controls.refresh();
    showQueue();
  };
}

readSession({
  onState(state) {
    byId("title").textContent = `${state.mistake} ${state.title}`;
    const [question, steps] = TRIALS[state.mistake] ?? ["", ""];
    byId("question").textContent = question;
    byId("steps").textContent = steps && `Try: ${steps}`;
    document.title = `${state.mistake} · lab live`;
    for (const side of sides) side.begin(state, controls.tab);
    controls.begin(state);
    startSpecial(byId("special"), state, controls);
    if (state.happened && !byId("happened").dataset.said) byId("happened").textContent = state.happened;
    document.body.dataset.ready = "yes";
  },
  onEvent(event) {
    sides.find((side) => side.name === event.side)?.player.add(event);
    showQueue();
  },
  onEnd() {
    byId("ended").textContent = "The session has ended: servers and clients are gone. Start it again with “lab live”, or run its cell again.";
    byId("ended").hidden = false;
    document.querySelectorAll(".hand button, .hand select").forEach((control) => { control.disabled = true; });
  },
});

async function run(action, fields, guessed) {
  ownCommands += 1;
  try {
    const { happened, seq, answers } = await command(action, fields);
    // the words wait for the picture: they would give the end away
    await Promise.all(sides.map((side) => side.until(seq)));
    for (const side of sides) side.extra?.answered?.(action, fields, answers?.[side.name]);
    say(happened, guessed ? guess.judge(guessed) : "");
  } catch (error) {
    guessed?.forEach(({ seen }) => seen.stop());
    say(error.message, "", "failed");
  } finally {
    ownCommands -= 1;
  }
}

/** On a page that only watches, the events are the news. */
function noteOthers(event, side) {
  if (ownCommands || event.kind === "room" || !sentence(event, side.model)) return;
  byId("happened").textContent = `${capital(side.name)} server: ${sentence(event, side.model)}`;
}

function say(text, judged, className = "") {
  const line = byId("happened");
  if (line.dataset.said) {
    byId("earlier").prepend(element("li", "", line.dataset.said));
    while (byId("earlier").children.length > EARLIER_LINES) byId("earlier").lastChild.remove();
  }
  line.className = className;
  line.dataset.saidCount = Number(line.dataset.saidCount ?? 0) + 1;
  line.dataset.said = judged ? `${text} ${judged}` : text;
  line.replaceChildren(text, ...(judged ? [" ", element("strong", "judged", capital(judged))] : []));
}

function showQueue() {
  const place = byId("queue");
  place.hidden = !clock.isPaused;
  if (place.hidden) return;
  const waiting = sides.reduce((sum, side) => sum + (side.player?.queue.length ?? 0), 0);
  place.textContent = `Paused. ${waiting} ${waiting === 1 ? "event waits" : "events wait"}.`;
}
