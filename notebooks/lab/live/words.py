"""Describes in plain words what an action did on each server.

An action is a command of the live page, such as closing a browser tab. It is done on the bad and on the good server.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lab.live.changes import address_words, changes, tab_words
from lab.live.memory import Memory
from lab.live.reports import WORDS
from lab.live.side import Side
from lab.live.stream import LiveEvent
from lab.live.wanted import Wanted

KEPT = {
    1: "remembers {count} {ids} of {sockets} that no longer {exist}",
    2: "keeps {count} {tickets} for {sockets} that no longer {exist}",
    4: "still has {count} {rows} of people who have no tab open",
    5: "still shows {count} {people} as online who {have} no tab open",
}
MISSING = {4: "its table does not list", 5: "its dict of people online does not list"}
OPENINGS = {
    "cut": "The plug of {tab} is pulled: its connection is reset.",
    "tunnel": "{tab} is in a tunnel: nothing gets through, and nobody is told.",
    "back": "The plug of {tab} is back, and its client library reconnects by itself.",
    "open": "{user} opens one more tab.",
    "close": "{tab} is closed.",
    "kill": "Both servers are killed: all connections are lost.",
    "restart": "The servers run again, and the clients reconnect by themselves.",
    "send": "{tab} sends message {number} to {target}.",
    "report": "{tab} asks for a report. The job keeps a ticket with the address for the result.",
    "finish": "The job ends, and the server sends the result to the address on the ticket.",
    "join": "{tab} asks to join the room {text}.",
    "forge": "{tab} sends message {number} to {target} and writes {text} as its author.",
    "drive": "{tab} reports its position.",
    "round": "Every driver reports one position.",
    "crowd": "{count} other clients are connected now. One in ten drives for acme; none of them needs a position.",
    "flood": "{tab} sends as fast as it can.",
    "burst": "{tab} sends what had waited while it was offline.",
    "rooms": "{tab} joins invented rooms as fast as it can.",
    "compute": "{tab} asks for a report that takes a second of computing.",
    "way": "The bad server now makes reports {text}.",
    "pace": "The clients now reconnect with {text} delays.",
}
# more of them are counted
MOST_PLACES = 4
SIDES = {"bad": "The bad server", "good": "The good server"}


@dataclass(frozen=True)
class Told:
    """What an action did on one of the two servers.

    `before` is what the server remembered before the action. `events` are the events since then. `problem` is a
    sentence that comes first in the description, such as why the action was not possible, or None.
    """

    side: Side
    before: Memory
    events: Sequence[LiveEvent]
    problem: str | None


def describe(wanted: Wanted, sides: Sequence[Told]) -> str:
    """Return in words what a command did on both servers.

    `wanted` is the command, such as closing a simulated browser tab. `sides` says what happened on each server.
    """
    opening = OPENINGS[wanted.action].format(
        tab=tab_words(wanted.tab),
        user=wanted.tab.partition("/")[0].capitalize(),
        number=wanted.number,
        target=wanted.target.removeprefix("user:").capitalize() if "user:" in wanted.target else wanted.target,
        text=_text(wanted),
        count=wanted.count,
    )
    return " ".join([opening, *map(_about, sides)])


def _about(told: Told) -> str:
    facts = [told.problem] if told.problem is not None else []
    facts += _fates(told.events)
    facts += changes(told.side, told.before)
    facts += _memory(told.side)
    return f"{SIDES[told.side.name]}: {'; '.join(facts) or 'nothing else changes'}."


def _fates(events: Sequence[LiveEvent]) -> list[str]:
    """Return in words which messages arrived, were lost or were wasted.

    A wasted message reached a simulated browser tab for which it is not meant, or reached a tab again, or went to an
    address (a room or a socket id) without sockets.
    """
    delivered = [event for event in events if event.kind == "delivered"]
    wasted = [event for event in events if event.kind == "wasted"]
    found = []
    for words, places in (
        ("delivered to {}", _tabs(delivered)),
        ("lost for {}", _tabs([event for event in events if event.kind == "lost"])),
        ("also read by {}, for which it is not meant", _tabs(wasted)),
        ("wasted on {}, where no socket is", _addresses([event for event in wasted if event.to is None])),
    ):
        if places:
            found.append(words.format(places))
    return found + _forged(delivered)


def _tabs(events: Sequence[LiveEvent]) -> str:
    return _count([tab_words(event.to) for event in events if event.to is not None], "clients")


def _addresses(events: Sequence[LiveEvent]) -> str:
    return _count([address_words(event.room or "") for event in events], "addresses")


def _count(places: Sequence[str], what: str) -> str:
    """Return a phrase that says where messages went.

    `places` has one entry per message: a simulated browser tab in words, or an address (a room or a socket id). If
    there are more than `MOST_PLACES` different places, the phrase has only their number and the word `what`, such as
    `clients`.
    """
    counts = Counter(places)
    if len(counts) > MOST_PLACES:
        return f"{len(counts)} {what}" + (f" ({len(places)} messages)" if len(places) > len(counts) else "")
    return " and ".join(place if count == 1 else f"{place} ({count} messages)" for place, count in counts.items())


def _text(wanted: Wanted) -> str:
    if wanted.action == "way":
        return WORDS[wanted.text]
    return wanted.text.capitalize() if wanted.action == "forge" else wanted.text


def _forged(delivered: Sequence[LiveEvent]) -> list[str]:
    """Return in words which simulated browser tabs show a false author.

    `delivered` are the events of messages that arrived.
    """
    authors = {event.to: (event.more or {}).get("author") for event in delivered}
    senders = {event.to: (event.origin or "").partition("/")[0] for event in delivered}
    return [
        f"{tab_words(to)} shows it as a message of {author.capitalize()}"
        for to, author in authors.items()
        if to is not None and author is not None and author != senders[to]
    ]


def _memory(side: Side) -> list[str]:
    """Return in words how the server's memory differs from the open tabs.

    The tabs are simulated browser tabs. The memory is the rooms of the sockets, and everything that the handlers store,
    such as socket ids.
    """
    if not side.is_running:
        return ["it is down"]
    found = [_kept(side)] if side.memory.kept else []
    connected = [tab for tab in side.tabs.values() if tab.state == "connected"]
    outside = [tab_words(tab.name) for tab in connected if not side.memory.rooms_of.get(tab.sid or "", ())]
    if outside:
        found.append(f"{' and '.join(outside)} {_is(outside)} connected, but in no room")
    missing = side.memory.missing(sorted({tab.user for tab in connected}))
    if missing:
        users, have = " and ".join(user.capitalize() for user in missing), "has" if len(missing) == 1 else "have"
        found.append(f"{MISSING[side.arrangement.number]} {users}, who {have} a tab open")
    return found


def _kept(side: Side) -> str:
    count = side.memory.kept
    one = count == 1
    words = KEPT.get(side.arrangement.number, "remembers {count} {ids} of {sockets} that no longer {exist}")
    return "it " + words.format(
        count=count,
        ids="id" if one else "ids",
        sockets="a socket" if one else "sockets",
        exist="exists" if one else "exist",
        rows="row" if one else "rows",
        tickets="ticket" if one else "tickets",
        people="person" if one else "people",
        have="has" if one else "have",
    )


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
