// Names and sentences for the reader.

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const personOf = (tab) => tab.split("/")[0];
export const short = (sid) => sid.slice(0, 4);

/** "ana/2" as a reader says it: "Ana's tab 2". */
export function tabWords(tab) {
  const [person, number] = tab.split("/");
  if (person === "crowd") return `client ${Number(number)} of the crowd`;
  return number ? `${capital(person)}'s tab ${number}` : capital(tab);
}

/** An address as a reader says it; a room keeps its name. */
export function targetWords(target) {
  return target.startsWith("user:") ? `${capital(target.slice(5))} (user:${target.slice(5)})` : target;
}

/** One sentence for one event, for the line in the middle of each side. */
export function sentence(event, model) {
  const who = event.from ? tabWords(event.from) : "The server";
  const message = event.id ? `Message ${event.id}` : "The message";
  switch (event.kind) {
    case "connect": return `${who} connected. Its new id begins with ${short(event.id ?? "")}.`;
    case "cut": return `${who} lost its connection.`;
    case "silent": return `${who} is in a tunnel. The connection looks open, but nothing gets through.`;
    case "back": return `${who} has a network again.`;
    case "closed": return `${who} was closed.`;
    case "sent": return `${who} sends ${event.id ? `message ${event.id}` : "a message"} to ${address(event)}.`;
    case "delivered": return `${message} arrives at ${tabWords(event.to)}.`;
    case "lost": return `${message} does not arrive at ${event.to ? tabWords(event.to) : address(event)}.`;
    case "wasted": return wasted(event, message, model);
    case "room": return `The server sends ${event.id} to ${place(event.room, model)}.`;
    default: return "";
  }
}

function address(event) {
  return event.to ?? event.room ?? "the server";
}

function wasted(event, message, model) {
  if (event.to) return `${message} also goes to ${tabWords(event.to)}, which does not need it.`;
  return `${message} goes to ${place(event.room, model)}: nobody is there.`;
}

/** A room, or a socket id with the tab that has or had it. */
export function place(address, model) {
  const meaning = model.meaning(address ?? "");
  if (meaning.kind !== "sid") return address ?? "nowhere";
  return `the id ${short(address)}…${meaning.owner ? ` of ${meaning.owner}` : ""}`;
}
