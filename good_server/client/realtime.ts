/** Connection to the server: it reconnects, renews its token, and repeats requests safely. See README.md. */
import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, Refusal, ServerToClientEvents } from "./events.js";

const DEFAULTS = {
  path: "/socket.io/",
  maxWaiting: 32, // new requests that may wait while offline; one more is refused with `queue_full`
  ackTimeoutMs: 8_000, // longer than the server's own deadline for a handler, 5 s
  giveUpMs: 60_000, // then a request is given up; the server remembers message ids for 120 s: stay below that
  tokenTimeoutMs: 10_000,
  tokenAttempts: 5, // expired tokens in a row, until the client stops
  firstBackoffMs: 1_000, mostBackoffMs: 30_000, // pauses after a failure; they double up to the second
};
// sent again when the ack was lost: a message id, or the event itself, makes a second delivery harmless
const REPEATABLE: ReadonlySet<Sendable> = new Set<Sendable>(["chat:send", "room:join", "room:leave"]);
const LOCAL_MESSAGES = {
  no_answer: "no answer arrived; the request may have had its effect",
  offline: "there is no connection, so the request was not sent",
  queue_full: "too many requests wait for the connection, so this one was not sent",
  stopped: "the connection is stopped, so the request was not sent",
};

export interface Options extends Partial<typeof DEFAULTS> {
  url: string; // the server's origin, such as https://realtime.example
  token: () => Promise<string>; // called before every connect and for every refresh
  onState?: (state: State) => void;
  onRoomLost?: (room: string, error: Refusal) => void; // the server refuses to join it again after a reconnect
}
/** After each of them the client stays away, until the application calls `connect()`. README.md explains them. */
export type StopReason = "closed" | "evicted" | "disconnected" | "unauthorized" | "token_expired" | "unknown_namespace";
type Offline = { status: "waiting"; retryInMs: number } | { status: "stopped"; reason: StopReason };
export type State = { status: "paused" | "connecting" | "online" } | Offline;
export type Sendable = keyof ClientToServerEvents;
export type Payload<E extends Sendable> = Parameters<ClientToServerEvents[E]>[0];
/** Refusals of this client. After `no_answer` the request may have had its effect; after the others it had none. */
export type LocalRefusal = { code: keyof typeof LOCAL_MESSAGES; message: string };
type Failed = { ok: false; error: LocalRefusal };
export type Answer<E extends Sendable> = Parameters<Parameters<ClientToServerEvents[E]>[1]>[0] | Failed;
type Reply = { ok: true } | { ok: false; error: Refusal } | Failed;
type Waiting = { send: () => void; fail: (code: LocalRefusal["code"]) => void };
type Received = keyof ServerToClientEvents;
type Message = { [E in Received]: [E, Parameters<ServerToClientEvents[E]>[0]] }[Received];

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const newId = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-"); // randomUUID needs https
const failed = (code: LocalRefusal["code"]): Failed => ({ ok: false, error: { code, message: LOCAL_MESSAGES[code] } });

export class Realtime {
  readonly #options: typeof DEFAULTS & Options;
  readonly #socket: Socket;
  readonly #handlers = new Map<string, Set<(message: never) => void>>();
  readonly #rooms = new Map<string, boolean>(); // those of `join`: has the server joined them?
  readonly #waiting = new Set<Waiting>();
  readonly #seen = new Set<string>(); // the ids of the last 500 messages
  #state: State = { status: "paused" };
  #attempt = 0; // tells an old attempt to connect from the current one
  #failures = 0; // connects that failed in a row
  #expiredTokens = 0;
  #returnInMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = { ...DEFAULTS, ...options };
    // the library's own reconnection stays away after every refusal, and does not wait as a stopping server asks
    const own = { autoConnect: false, reconnection: false, forceNew: true };
    this.#socket = io(options.url, { ...own, path: this.#options.path, transports: ["websocket"] });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("connect_error", (error) => this.#refused((error as { data?: { code?: string } }).data?.code));
    this.#socket.on("disconnect", (reason) => this.#lost(reason));
    this.#socket.onAny((...received) => this.#received(received as Message));
  }

  get state(): State { return this.#state; }
  /** Connect now: at first, after `pause` or a stop, or instead of waiting for the next attempt. */
  connect(): void {
    if (this.#state.status === "online" || this.#state.status === "connecting") return;
    this.#expiredTokens = 0;
    void this.#open();
  }

  /** Disconnect for a while. Requests wait, as at any other time without a connection. */
  pause(): void { if (this.#state.status !== "stopped") this.#leave({ status: "paused" }); }
  /** Disconnect, and refuse all waiting and later requests. */
  close(): void { this.#halt("closed"); }
  /** Call `handler` for each message of an event. Returns a function that removes the handler. */
  on<E extends Received>(event: E, handler: ServerToClientEvents[E]): () => void {
    this.#handlers.set(event, (this.#handlers.get(event) ?? new Set()).add(handler));
    return () => void this.#handlers.get(event)?.delete(handler);
  }

  /** Join a topic room now, and again after each reconnect. */
  async join(room: string): Promise<Answer<"room:join">> {
    this.#rooms.set(room, this.#rooms.get(room) ?? false);
    const answer = await this.ask("room:join", { room });
    if (!answer.ok) this.#rooms.delete(room);
    else if (this.#rooms.has(room)) this.#rooms.set(room, true); // not left meanwhile
    return answer;
  }

  async leave(room: string): Promise<Answer<"room:leave">> {
    this.#rooms.delete(room);
    return this.ask("room:leave", { room });
  }

  /** Send an event, and return its ack or a refusal. It never rejects, and repeats what is safe to repeat.
   *  With `once` it neither waits nor repeats: for data that is soon out of date, such as a position. */
  async ask<E extends Sendable>(event: E, payload: Payload<E>, { once = false } = {}): Promise<Answer<E>> {
    const body = event === "chat:send" ? { ...payload, id: (payload as Payload<"chat:send">).id ?? newId() } : payload;
    const giveUpAt = Date.now() + this.#options.giveUpMs;
    let mayHaveArrived = false;
    for (let attempt = 0; ; attempt++) {
      const reply = await this.#send(event, body, { once, isNew: attempt === 0, giveUpAt });
      if (reply.ok) return reply as Answer<E>;
      const { code } = reply.error;
      const pauseMs = once ? undefined : this.#pauseBeforeRepeat(event, reply.error, attempt);
      if (pauseMs === undefined || Date.now() + pauseMs >= giveUpAt) {
        return (mayHaveArrived && code in LOCAL_MESSAGES ? failed("no_answer") : reply) as Answer<E>;
      }
      mayHaveArrived ||= code === "no_answer" || code === "timeout";
      if (code === "token_expired") await this.#refresh();
      await sleep(pauseMs);
    }
  }

  /** Return after how many milliseconds a request is repeated, or undefined if it must not be. */
  #pauseBeforeRepeat(event: Sendable, error: Refusal | LocalRefusal, attempt: number): number | undefined {
    const { code } = error;
    if ("retry_after" in error) return (error.retry_after ?? 0) * 1_000 * (1 + Math.random() / 4);
    const isSafe = code === "rate_limited" || code === "busy" || (code === "token_expired" && event !== "auth:refresh");
    if (isSafe || (code === "timeout" && REPEATABLE.has(event))) return this.#backoff(attempt);
    return code === "no_answer" && REPEATABLE.has(event) ? 0 : undefined;
  }

  #send(event: Sendable, body: unknown, how: { once: boolean; isNew: boolean; giveUpAt: number }): Promise<Reply> {
    return new Promise((resolve) => {
      const fail: Waiting["fail"] = (code) => resolve(failed(code));
      const received = (error: Error | null, ack: Reply): void => (error ? fail("no_answer") : resolve(ack));
      const send = (): void => void this.#socket.timeout(this.#options.ackTimeoutMs).emit(event, body, received);
      if (this.#state.status === "online") return send();
      if (this.#state.status === "stopped") return fail("stopped");
      if (how.once) return fail("offline");
      if (how.isNew && this.#waiting.size >= this.#options.maxWaiting) return fail("queue_full");
      const end = (): void => (clearTimeout(timer), void this.#waiting.delete(waiting));
      const waiting: Waiting = { send: () => (end(), send()), fail: (code) => (end(), fail(code)) };
      this.#waiting.add(waiting);
      const timer = setTimeout(() => waiting.fail("offline"), how.giveUpAt - Date.now());
    });
  }

  async #open(): Promise<void> {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    this.#become({ status: "connecting" });
    const token = await this.#freshToken();
    if (attempt !== this.#attempt) return; // paused or closed meanwhile
    if (token === undefined) return this.#wait();
    this.#socket.auth = { token };
    this.#socket.connect();
  }

  /** Return a token, or undefined if the token function fails or takes too long. */
  #freshToken(): Promise<string | undefined> {
    const late = sleep(this.#options.tokenTimeoutMs).then(() => undefined);
    return Promise.race([(async () => this.#options.token())().catch(() => undefined), late]);
  }

  #connected(): void {
    this.#failures = this.#expiredTokens = 0;
    this.#refreshing = this.#returnInMs = undefined;
    this.#become({ status: "online" });
    // rooms first: a waiting message may be for one of them
    for (const [room, wasJoined] of this.#rooms) if (wasJoined) void this.#rejoin(room);
    for (const waiting of [...this.#waiting]) waiting.send();
  }

  async #rejoin(room: string): Promise<void> {
    const answer = await this.ask("room:join", { room });
    if (answer.ok || answer.error.code in LOCAL_MESSAGES || !this.#rooms.delete(room)) return;
    this.#options.onRoomLost?.(room, answer.error as Refusal);
  }

  #received([event, message]: Message): void {
    if (event === "auth:expiring") void this.#refresh();
    if (event === "server:closing") this.#returnInMs = message.retry_in * 1_000 * (1 + Math.random() / 4);
    if (event === "session:evicted") this.#halt("evicted");
    if (event === "chat:message" && this.#isRepeated(message.id)) return;
    for (const handler of this.#handlers.get(event) ?? []) handler(message as never);
  }

  #isRepeated(id: string): boolean {
    if (this.#seen.has(id)) return true;
    if (this.#seen.add(id).size > 500) this.#seen.delete([...this.#seen][0] as string);
    return false;
  }

  /** Give the server a fresh token. If that fails, the server closes the connection, and the client returns. */
  #refresh(): Promise<void> {
    return (this.#refreshing ??= this.#renew(this.#attempt).finally(() => (this.#refreshing = undefined)));
  }

  async #renew(connection: number): Promise<void> {
    for (let attempt = 0; attempt < this.#options.tokenAttempts; attempt++) {
      if (attempt > 0) await sleep(this.#backoff(attempt - 1));
      const token = await this.#freshToken();
      if (connection !== this.#attempt) return;
      const answer = token === undefined ? undefined : await this.ask("auth:refresh", { token }, { once: true });
      if (answer?.ok) return;
      if (answer?.error.code === "unauthorized") return this.#halt("unauthorized");
    }
  }

  /** Handle a refused connect. `code` is missing when the transport was lost or refused: that passes. */
  #refused(code: string | undefined): void {
    if (this.#state.status !== "connecting") return;
    if (code === "unauthorized" || code === "unknown_namespace") return this.#halt(code);
    if (code === "token_expired" && ++this.#expiredTokens >= this.#options.tokenAttempts) return this.#halt(code);
    this.#wait();
  }

  #lost(reason: string): void {
    if (this.#state.status !== "connecting" && this.#state.status !== "online") return;
    if (reason === "io server disconnect") return this.#halt("disconnected");
    const returnInMs = this.#returnInMs;
    this.#returnInMs = undefined; // for the first attempt only
    this.#wait(returnInMs);
  }
  #wait(retryInMs = this.#backoff(this.#failures++)): void {
    this.#become({ status: "waiting", retryInMs });
    this.#timer = setTimeout(() => void this.#open(), retryInMs);
  }
  #halt(reason: StopReason): void { this.#leave({ status: "stopped", reason }); }
  #leave(state: State): void {
    clearTimeout(this.#timer);
    this.#attempt++;
    this.#become(state);
    this.#socket.disconnect();
    if (state.status === "stopped") for (const waiting of [...this.#waiting]) waiting.fail("stopped");
  }
  #become(state: State): void {
    this.#state = state;
    queueMicrotask(() => this.#options.onState?.(state)); // later: its error must not stop this client
  }

  /** Doubles with each failure. The jitter keeps apart the clients of one lost server. */
  #backoff(failures: number): number {
    const { firstBackoffMs: first, mostBackoffMs: most } = this.#options;
    return Math.min(most, first * 2 ** failures) * (0.5 + Math.random() / 2);
  }
}
