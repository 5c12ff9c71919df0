/** One tab of a user: a connection of its own, with its chat and its map. */
import { Realtime, type State } from "../../realtime.js";
import type { ChatMessage } from "../../events.js";
import { described, placeOnRound, TownMap, type Position } from "./map.js";
import { expiryOf, type Person } from "./tokens.js";

const DRIVE_MS = 700; // the server accepts two positions per second
const STEP = 0.0008; // degrees of one arrow key
const STEPS: Record<string, [lat: number, lng: number, heading: number]> = {
  ArrowUp: [STEP, 0, 0],
  ArrowRight: [0, STEP, 90],
  ArrowDown: [-STEP, 0, 180],
  ArrowLeft: [0, -STEP, 270],
};

export class Tab {
  readonly element: HTMLElement;
  readonly #person: Person;
  readonly #realtime: Realtime;
  readonly #map: TownMap;
  readonly #clock: ReturnType<typeof setInterval>;
  #position = placeOnRound(0);
  #round = 0;
  #driving: ReturnType<typeof setInterval> | undefined;
  #expiresAt: number | undefined;
  #tokens = 0;
  #returnAt = 0;

  constructor(person: Person, name: string, server: string, token: () => Promise<string>) {
    const template = document.querySelector<HTMLTemplateElement>("#tab-template");
    this.element = template?.content.firstElementChild?.cloneNode(true) as HTMLElement;
    this.#person = person;
    this.#find("h3").textContent = name;
    this.#find("input").setAttribute("aria-label", `Message to ${person.other}`);
    this.#find("input").setAttribute("placeholder", `Write to ${person.other}`);
    this.#map = new TownMap(this.#find("canvas"));
    this.#realtime = new Realtime({
      url: server,
      token: async () => this.#noteToken(await token()),
      onState: (state) => this.#showState(state),
    });
    this.#realtime.on("chat:message", (message) => this.#showMessage(message));
    this.#realtime.on("tracking:position", (position) => this.#showPosition(position.driver, position));
    this.#listen();
    this.#clock = setInterval(() => this.#showTimes(), 250);
    this.#showState(this.#realtime.state);
    this.#realtime.connect();
  }

  close(): void {
    clearInterval(this.#clock);
    clearInterval(this.#driving);
    this.#realtime.close();
    this.element.remove();
  }

  /** Connect again with a new token. */
  renew(): void {
    this.#realtime.pause();
    this.#realtime.connect();
  }

  /** Do not wait for the next attempt: the network has just returned. */
  hurry(): void {
    if (this.#realtime.state.status === "waiting") this.#realtime.connect();
  }

  #find<T extends HTMLElement>(selector: string): T {
    return this.element.querySelector(selector) as T;
  }

  #listen(): void {
    this.#find(".cut").addEventListener("click", () => {
      if (this.#realtime.state.status === "online") this.#realtime.pause();
      else this.#realtime.connect();
    });
    this.#find(".write").addEventListener("submit", (event) => {
      event.preventDefault();
      const input = this.#find<HTMLInputElement>("input");
      void this.#send(input.value);
      input.value = "";
    });
    if (this.#person.role === "driver") this.#listenToDriver();
  }

  #listenToDriver(): void {
    this.#find(".driving").hidden = false;
    const canvas = this.#find("canvas");
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", (event) => {
      const [lat, lng, heading] = STEPS[event.key] ?? [0, 0, undefined];
      if (heading === undefined) return;
      event.preventDefault();
      this.#move({ lat: this.#position.lat + lat, lng: this.#position.lng + lng, heading });
    });
    this.#find(".drive").addEventListener("click", () => this.#toggleDriving());
    this.#showPosition(this.#person.user, this.#position);
  }

  #toggleDriving(): void {
    const isDriving = this.#driving === undefined;
    this.#find(".drive").setAttribute("aria-pressed", String(isDriving));
    this.#find(".drive").textContent = isDriving ? "Stop" : "Drive";
    if (isDriving) {
      this.#driving = setInterval(() => this.#move(placeOnRound((this.#round += 0.02))), DRIVE_MS);
    } else {
      clearInterval(this.#driving);
      this.#driving = undefined;
    }
  }

  #move(position: Position): void {
    this.#position = position;
    this.#showPosition(this.#person.user, position);
    // once: after a cut only the newest position is of use
    void this.#realtime.ask("tracking:update", { ...position }, { once: true });
  }

  async #send(text: string): Promise<void> {
    const isOnline = this.#realtime.state.status === "online";
    const [entry, note] = this.#addToLog(text, "mine", isOnline ? "sending" : "waits for the connection");
    const answer = await this.#realtime.ask("chat:send", { to: this.#person.other, text });
    entry.classList.toggle("failed", !answer.ok);
    note.textContent = answer.ok ? `sent at ${timeOf(answer.data.at)}` : `not sent: ${answer.error.message}`;
  }

  #showMessage(message: ChatMessage): void {
    const isMine = message.from.id === this.#person.user;
    const sender = isMine ? "from another tab" : message.from.id;
    this.#addToLog(message.text, isMine ? "mine" : "theirs", `${sender} at ${timeOf(message.at)}`);
  }

  /** Add a message to the chat, with a note below it. Return both elements. */
  #addToLog(text: string, whose: "mine" | "theirs", about: string): [HTMLElement, HTMLElement] {
    const entry = document.createElement("li");
    const note = document.createElement("small");
    entry.className = whose;
    note.textContent = about;
    entry.append(text, note);
    const log = this.#find(".log");
    log.append(entry);
    log.scrollTop = log.scrollHeight;
    return [entry, note];
  }

  #showPosition(driver: string, position: Position): void {
    this.#map.show(driver, position);
    this.#find(".place").textContent = `${driver}: ${described(position)}`;
  }

  #noteToken(token: string): string {
    this.#tokens += 1;
    this.#expiresAt = expiryOf(token);
    return token;
  }

  #showState(state: State): void {
    this.element.dataset["state"] = state.status;
    if (state.status === "waiting") this.#returnAt = Date.now() + state.retryInMs;
    this.#find(".cut").textContent = state.status === "online" ? "Cut" : "Return";
    this.#find(".state-text").textContent = textOf(state);
    this.#showTimes();
  }

  #showTimes(): void {
    // apart from the state, which screen readers announce when it changes
    const seconds = Math.max(0, Math.ceil((this.#returnAt - Date.now()) / 1000));
    const isWaiting = this.#realtime.state.status === "waiting";
    this.#find(".countdown").textContent = isWaiting ? `next attempt in ${seconds} s` : "";
    const left = Math.max(0, Math.round(((this.#expiresAt ?? 0) - Date.now()) / 1000));
    const life = this.#expiresAt === undefined ? "no token yet" : `token ${this.#tokens}, valid for ${left} s`;
    this.#find(".token").textContent = life;
    this.#find(".token").dataset["tokens"] = String(this.#tokens);
  }
}

function textOf(state: State): string {
  if (state.status === "stopped") return state.reason === "evicted" ? "closed: too many tabs" : `stopped: ${state.reason}`;
  return { paused: "cut", waiting: "lost", connecting: "connecting", online: "online" }[state.status];
}

function timeOf(ms: number): string {
  return new Date(ms).toLocaleTimeString();
}
