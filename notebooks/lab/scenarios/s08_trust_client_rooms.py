"""Scenario 08: count the private messages that an attacker receives.

The attacker has a valid token, asks to join other users' rooms, and sends messages under other users' names. The other
users ask to join the same rooms, to show which users the server lets into which rooms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from good_server import events
from lab.clients.chat_ring import wait_until_delivered
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target


@dataclass(frozen=True)
class Secret:
    """A private message with its room, author, event and intended reader.

    `author` sends `event` with `payload`. `reader` receives the message as the event `arrives_as`.
    """

    room: str
    author: Person
    event: str
    payload: Mapping[str, Any]
    reader: Person
    arrives_as: str
    # fields by which this message is recognized among all that a tab receives
    marks: Mapping[str, Any]
    # further users who are meant to receive it
    also_for: tuple[Person, ...] = ()

    def is_for(self, person: Person) -> bool:
        """Whether this person wrote the message or is meant to receive it."""
        return person in (self.author, self.reader, *self.also_for)

    def copies(self, tab: Tab) -> int:
        """Count how often a tab received this private message."""
        return len(tab.inbox.of(self.arrives_as, lambda data: self.marks.items() <= data.items()))


JOB = "job:99"
ATTACKER = Person("mallory")
ADMIN = Person("root", "admin")
VICTIM = Person("victim", "provider", rooms=(JOB,))
FRIEND = Person("friend", rooms=(JOB,))
DRIVER = Person("dora", "driver", "acme")
OFFICE = Person("olga", "company", "acme")
SECRETS = (
    Secret(
        "role:admin",
        ADMIN,
        events.SYSTEM_ANNOUNCE,
        {"text": "for admins", "level": "info", "roles": ["admin"]},
        ADMIN,
        events.SYSTEM_ANNOUNCEMENT,
        {"text": "for admins"},
    ),
    Secret(
        f"user:{VICTIM.user}",
        FRIEND,
        events.CHAT_SEND,
        {"to": VICTIM.user, "text": "for you"},
        VICTIM,
        events.CHAT_MESSAGE,
        {"to": VICTIM.user, "text": "for you"},
    ),
    Secret(
        "company:acme",
        DRIVER,
        events.TRACKING_UPDATE,
        {"lat": 1.5, "lng": 2.5},
        OFFICE,
        events.TRACKING_POSITION,
        {"driver": DRIVER.user},
        # admins follow every driver, in their own room
        (ADMIN,),
    ),
    Secret(
        JOB,
        VICTIM,
        events.CHAT_SEND,
        {"room": JOB, "text": "for the crew"},
        FRIEND,
        events.CHAT_MESSAGE,
        {"room": JOB, "text": "for the crew"},
    ),
)
# everyone who asks for the rooms, the attacker first
PEOPLE = (ATTACKER, DRIVER, OFFICE, VICTIM, FRIEND, ADMIN)
# users under whose names the attacker writes
FORGED = (ADMIN, FRIEND, DRIVER, OFFICE)


async def run(target: Target, *, seed: int = 7, rounds: int = 5) -> Run:
    """Measure the percentage of private messages that the attacker receives.

    The attacker is a user with a valid token who asks to join the rooms of other users. The percentage is the `value`
    of the returned run. Each private message is sent `rounds` times. `seed` has no effect, because nothing is random.
    """
    async with tabs(target, PEOPLE) as opened:
        by_user = {tab.user: tab for tab in opened}
        attacker, victim = by_user[ATTACKER.user], by_user[VICTIM.user]
        granted = [[await _is_accepted(tab, events.ROOM_JOIN, {"room": one.room}) for one in SECRETS] for tab in opened]
        for secret in SECRETS * rounds:
            await _is_accepted(by_user[secret.author.user], secret.event, secret.payload)
        for person in FORGED:
            sender = {"id": person.user, "role": person.role}
            await _is_accepted(attacker, events.CHAT_SEND, {"to": VICTIM.user, "text": "forged", "from": sender})
        await wait_until_delivered(opened)
    arrived = sum(secret.copies(by_user[secret.reader.user]) for secret in SECRETS)
    reads = [[min(rounds, secret.copies(tab)) for secret in SECRETS] for tab in opened]
    read, joined = reads[0], granted[0]
    forged_names = _forged_names(victim)
    expected = rounds * len(SECRETS)
    broken = None if arrived == expected else f"{arrived} of {expected} private messages reached their readers"
    details = {
        "rooms": [secret.room for secret in SECRETS],
        "joined": joined,
        "read": read,
        "of": rounds,
        "forged": forged_names,
        # one row for each of `PEOPLE`, one column for each of `SECRETS`
        "granted": granted,
        "reads": reads,
    }
    also = {"forged_senders_accepted": 100 * len(forged_names) / len(FORGED)}
    return Run(100 * sum(read) / expected, also, broken, details)


async def _is_accepted(tab: Tab, event: str, payload: Mapping[str, Any]) -> bool:
    return (await tab.ask(event, payload)).get("ok") is True


def _forged_names(victim: Tab) -> Sequence[str]:
    """Return the names under which the victim received the attacker's messages.

    The attacker writes to the victim and names other users as the sender. The result is empty if the server replaces or
    refuses such a sender.
    """
    forged = victim.inbox.of(events.CHAT_MESSAGE, lambda data: data["text"] == "forged")
    return sorted({received.data["from"]["id"] for received in forged} & {person.user for person in FORGED})


SCENARIO = Scenario(run)
