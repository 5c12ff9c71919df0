// Made by `python -m good_server contract --typescript`, from the server itself: change it there.
export type AuthExpiring = { expires_in: number };
export type AuthRefresh = { token: string };
export type ChatMessage = { id: string; from: Sender; to: string; room?: never; text: string; at: number } | { id: string; from: Sender; to?: never; room: string; text: string; at: number };
export type ChatSend = { to: string; room?: never; text: string; id?: string } | { to?: never; room: string; text: string; id?: string };
export type ConnectRefusal = { message: string; data: { code: "internal" | "token_expired" | "unauthorized" | "unknown_namespace"; message: string; field?: string; retry_after?: number; id?: string } };
export type CpuSeconds = { cpu_seconds: number };
export type DriverStatus = { status: "available" | "busy" | "offline" };
export type DriverStatusChanged = { driver: string; status: "available" | "busy" | "offline"; at: number };
export type Handshake = { token: string };
export type Noted = { at: number };
export type Refusal = { code: "busy" | "forbidden" | "internal" | "invalid" | "rate_limited" | "timeout" | "token_expired" | "too_many_rooms" | "unauthorized" | "unknown_event"; message: string; field?: string; retry_after?: number; id?: string };
export type ReportError = { code: string; message: string };
export type ReportReady = { job: string; kind: "cpu" | "outside"; result: CpuSeconds; error?: never } | { job: string; kind: "cpu" | "outside"; result?: never; error: ReportError };
export type ReportRequest = { kind: "cpu" | "outside"; size: number };
export type ReportTaken = { job: string };
export type Role = "admin" | "driver" | "company" | "provider" | "vendor";
export type RoomChange = { room: string };
export type RoomChanged = { room: string };
export type Sender = { id: string; role: Role };
export type Sent = { id: string; at: number };
export type ServerClosing = { retry_in: number };
export type SessionEvicted = { limit: number };
export type SessionExtended = { expires_at: number };
export type SystemAnnounce = { text: string; level: "info" | "warning" | "critical"; roles?: Array<Role> };
export type SystemAnnouncement = { id: string; from: Sender; text: string; level: "info" | "warning" | "critical"; at: number };
export type TrackingPosition = { driver: string; lat: number; lng: number; heading?: number; speed?: number; at: number };
export type TrackingUpdate = { lat: number; lng: number; heading?: number; speed?: number };
export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: Refusal };
export interface ClientToServerEvents {
  "chat:send": (payload: ChatSend, ack: (answer: Ack<Sent>) => void) => void;
  "tracking:update": (payload: TrackingUpdate, ack: (answer: Ack<Noted>) => void) => void;
  "driver:status": (payload: DriverStatus, ack: (answer: Ack<Noted>) => void) => void;
  "system:announce": (payload: SystemAnnounce, ack: (answer: Ack<Sent>) => void) => void;
  "room:join": (payload: RoomChange, ack: (answer: Ack<RoomChanged>) => void) => void;
  "room:leave": (payload: RoomChange, ack: (answer: Ack<RoomChanged>) => void) => void;
  "report:request": (payload: ReportRequest, ack: (answer: Ack<ReportTaken>) => void) => void;
  "auth:refresh": (payload: AuthRefresh, ack: (answer: Ack<SessionExtended>) => void) => void;
}
export interface ServerToClientEvents {
  "chat:message": (message: ChatMessage) => void;
  "tracking:position": (message: TrackingPosition) => void;
  "driver:status_changed": (message: DriverStatusChanged) => void;
  "system:announcement": (message: SystemAnnouncement) => void;
  "report:ready": (message: ReportReady) => void;
  "auth:expiring": (message: AuthExpiring) => void;
  "server:closing": (message: ServerClosing) => void;
  "session:evicted": (message: SessionEvicted) => void;
}
