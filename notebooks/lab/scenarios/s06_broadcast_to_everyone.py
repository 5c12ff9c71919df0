"""Scenario 06: count the deliveries that do not concern their receiver.

A delivery is an event that a client receives. Drivers of ten companies report their positions, and some users chat.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from good_server import events
from lab.clients.chat_ring import wait_until_delivered
from lab.clients.inbox import Received
from lab.clients.tab import Person, Tab, gather_bounded, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

SETTINGS = {
    # every client has the same address
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
}

# a company has two drivers and four people in its office
CLIENTS_PER_COMPANY = 20
ADMINS = 4
# groups that deliveries are counted for, besides the users of each company
OTHERS = ("admin", "driver", "provider", "vendor")


@dataclass(frozen=True)
class Cost:
    """CPU time that the server used, and bytes that it sent."""

    cpu_seconds: float
    bytes_sent: int


async def run(target: Target, *, seed: int = 7, clients: int = 200, positions: int = 2, chats: int = 20) -> Run:
    """Measure the percentage of deliveries that do not concern their receiver.

    A delivery is an event that a client receives. The percentage is the `value` of the returned run. `bad_server` emits
    everything to everyone, so its percentage depends on the roles and companies of the clients. There are `clients`
    clients. Each driver reports `positions` positions, and `chats` chat messages are sent.
    """
    random_source = random.Random(seed)  # noqa: S311 - repeatable choices, not secrets
    async with tabs(target, create_people(clients)) as opened:
        idle, _ = await _cost(target, opened, _do_nothing)
        busy, accepted = await _cost(target, opened, lambda: _report_and_chat(opened, random_source, positions, chats))
    people = {tab.user: tab.person for tab in opened}
    deliveries = [(tab.person, received) for tab in opened for received in tab.inbox.all if _author(received)]
    wasted = [delivery for delivery in deliveries if not is_concerned(*delivery, people)]
    useful = len(deliveries) - len(wasted)
    expected = _expected_deliveries(opened, positions) + chats
    broken = None
    if accepted < len(_drivers(opened)) * positions + chats:
        broken = "the server did not accept every position and message"
    elif useful != expected:
        broken = f"{useful} of {expected} useful deliveries arrived"
    also = {
        "bytes_on_the_wire": busy.bytes_sent - idle.bytes_sent,
        "cpu_microseconds_per_useful_delivery": (busy.cpu_seconds - idle.cpu_seconds) * 1e6 / expected,
        "crossed_a_company_border": sum(_crosses_company_border(*delivery, people) for delivery in wasted),
    }
    value = 100 * len(wasted) / len(deliveries) if deliveries else float("nan")
    details = {"deliveries": len(deliveries), "useful": useful, **_per_head(deliveries, people, positions)}
    return Run(value, also, broken, details)


def create_people(clients: int) -> list[Person]:
    """Create the users of a simulated platform with drivers and companies.

    `clients` is the number of users. A tenth are drivers, a fifth work in the offices of the companies, and four are
    admins. The other users have nothing to do with drivers. With more clients there are more companies, but a company
    does not become larger.
    """
    company = companies_of(clients)
    drivers, offices = clients // 10, clients // 5
    rest = clients - drivers - offices - ADMINS
    return [
        *(Person(f"driver-{number}", "driver", company[number % len(company)]) for number in range(drivers)),
        *(Person(f"office-{number}", "company", company[number % len(company)]) for number in range(offices)),
        *(Person(f"admin-{number}", "admin") for number in range(ADMINS)),
        *(Person(f"other-{number}", ("vendor", "provider")[number % 2]) for number in range(rest)),
    ]


def companies_of(clients: int) -> list[str]:
    """Return the names of the companies on a platform with `clients` users."""
    return [f"company-{number}" for number in range(max(1, clients // CLIENTS_PER_COMPANY))]


def is_concerned(person: Person, received: Received, people: Mapping[str, Person]) -> bool:
    """Whether a received message or position concerns its receiver.

    A message concerns the user to which it is sent. A position concerns the admins and the office of the driver's
    company. `people` maps user ids to users.
    """
    if received.event == events.CHAT_MESSAGE:
        return bool(received.data["to"] == person.user)
    author = people[_author(received)]
    return person.role == "admin" or (person.role == "company" and person.company == author.company)


async def _report_and_chat(opened: Sequence[Tab], random_source: random.Random, positions: int, chats: int) -> int:
    """Let every driver report positions and some users chat.

    Each driver reports `positions` positions. In total, `chats` chat messages are sent. Returns how many positions and
    messages the server accepted.
    """
    asking: list[Callable[[], Awaitable[dict[str, Any]]]] = []
    for driver in _drivers(opened) * positions:
        position = {"lat": random_source.uniform(-90, 90), "lng": random_source.uniform(-180, 180)}
        asking.append(lambda tab=driver, position=position: tab.ask(events.TRACKING_UPDATE, position))  # type: ignore[misc]
    for _ in range(chats):
        writer, reader = random_source.sample(opened, 2)
        chat = {"to": reader.user, "text": "are you there?"}
        asking.append(lambda tab=writer, chat=chat: tab.ask(events.CHAT_SEND, chat))  # type: ignore[misc]
    return [ack.get("ok") for ack in await gather_bounded(asking)].count(True)


async def _do_nothing() -> int:
    return 0


async def _cost(target: Target, opened: Sequence[Tab], action: Callable[[], Awaitable[int]]) -> tuple[Cost, int]:
    """Measure the server's CPU time and the bytes that an action costs.

    `opened` are all open tabs, and the bytes are those that the server sends to these tabs. After the action, the
    function waits until all events have arrived, and this wait is part of the cost. With the action `_do_nothing`, only
    the wait is measured. Returns the cost, and the number that `action()` returned.
    """
    before = Cost((await target.probe.read()).cpu_seconds, sum(tab.link.bytes_to_client for tab in opened))
    accepted = await action()
    await wait_until_delivered(opened)
    after = Cost((await target.probe.read()).cpu_seconds, sum(tab.link.bytes_to_client for tab in opened))
    return Cost(after.cpu_seconds - before.cpu_seconds, after.bytes_sent - before.bytes_sent), accepted


def _drivers(opened: Sequence[Tab]) -> list[Tab]:
    return [tab for tab in opened if tab.person.role == "driver"]


def _expected_deliveries(opened: Sequence[Tab], positions: int) -> int:
    """Return how often users must receive a driver's position, in total.

    Each driver reports `positions` positions. Each position must reach the admins and the office of the driver's
    company.
    """
    admins = sum(tab.person.role == "admin" for tab in opened)
    offices = Counter(tab.person.company for tab in opened if tab.person.role == "company")
    return sum(positions * (admins + offices[driver.person.company]) for driver in _drivers(opened))


def _author(received: Received) -> str:
    """Return the id of the user who sent a message or position.

    Returns an empty string for other events.
    """
    if received.event == events.TRACKING_POSITION:
        return str(received.data["driver"])
    return str(received.data["from"]["id"]) if received.event == events.CHAT_MESSAGE else ""


def _crosses_company_border(person: Person, received: Received, people: Mapping[str, Person]) -> bool:
    """Whether an event reached a user outside the author's company.

    `received` is the event, and `person` is the user who received it. The author is the user who sent it. False if the
    author has no company.
    """
    company = people[_author(received)].company
    return company is not None and company != person.company


def _per_head(
    deliveries: Sequence[tuple[Person, Received]], people: Mapping[str, Person], positions: int
) -> dict[str, Any]:
    """Return which share of each company's positions each group received.

    A group is all office staff of one company, or all users of one role. Each driver reported `positions` positions.
    Returns a dict with the names of the `companies` and `groups`, and two tables with one row per company and one
    column per group. A cell of `received` is the share (0 to 1) of the company's positions that a member of the group
    received, on average. A cell of `concerned` is True if a member of the group received one of these positions and
    is concerned by it.
    """
    companies = sorted({str(person.company) for person in people.values() if person.role == "driver"}, key=_by_number)
    groups = [*companies, *OTHERS]
    drivers = Counter(person.company for person in people.values() if person.role == "driver")
    heads = Counter(_group(person) for person in people.values())
    received: Counter[tuple[str, str]] = Counter()
    concerned: set[tuple[str, str]] = set()
    for person, position in deliveries:
        if position.event != events.TRACKING_POSITION:
            continue
        cell = (str(people[_author(position)].company), _group(person))
        received[cell] += 1
        if is_concerned(person, position, people):
            concerned.add(cell)
    return {
        "companies": companies,
        "groups": groups,
        "received": [
            [received[company, group] / max(1, heads[group] * drivers[company] * positions) for group in groups]
            for company in companies
        ],
        "concerned": [[(company, group) in concerned for group in groups] for company in companies],
    }


def _group(person: Person) -> str:
    return str(person.company) if person.role == "company" else person.role


def _by_number(company: str) -> int:
    return int(company.rpartition("-")[2])


SCENARIO = Scenario(run, settings=SETTINGS)
