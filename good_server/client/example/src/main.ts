/** Two users side by side, each with tabs. */
import { Tab } from "./tab.js";
import { tokensOf, type Person } from "./tokens.js";

const PEOPLE: Person[] = [
  { user: "ana", role: "driver", company: "acme", other: "ben" },
  { user: "ben", role: "company", company: "acme", other: "ana" },
];
const life = document.querySelector<HTMLSelectElement>("#life") as HTMLSelectElement;
const tabs = new Set<Tab>();

function showPerson(person: Person, server: string): void {
  const template = document.querySelector<HTMLTemplateElement>("#person-template");
  const section = template?.content.firstElementChild?.cloneNode(true) as HTMLElement;
  const find = (selector: string): HTMLElement => section.querySelector(selector) as HTMLElement;
  section.dataset["user"] = person.user;
  section.dataset["role"] = person.role;
  find(".avatar").textContent = person.user.slice(0, 1).toUpperCase();
  find("h2").textContent = person.user;
  find(".role").textContent = `${person.role}, ${person.company}`;
  let count = 0;
  const open = (): void => {
    const tab = new Tab(person, `Tab ${++count}`, server, tokensOf(person, () => life.value));
    tab.element.querySelector(".close")?.addEventListener("click", () => {
      tab.close();
      tabs.delete(tab);
      find(".open").focus();
    });
    tabs.add(tab);
    find(".tabs").append(tab.element);
  };
  find(".open").addEventListener("click", open);
  document.querySelector("#people")?.append(section);
  open();
}

async function start(): Promise<void> {
  const response = await fetch("/dev/config");
  if (!response.ok) throw new Error(String(response.status));
  const { server } = (await response.json()) as { server: string };
  for (const person of PEOPLE) showPerson(person, server);
}

life.addEventListener("change", () => tabs.forEach((tab) => tab.renew()));
window.addEventListener("online", () => tabs.forEach((tab) => tab.hurry()));
start().catch(() => {
  const trouble = document.querySelector("#trouble") as HTMLElement;
  trouble.textContent = "No tokens: start python -m good_server.client.example, then load this page again.";
  trouble.hidden = false;
});
