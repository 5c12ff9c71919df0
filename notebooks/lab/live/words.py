"""Says in plain words what an action did on each side."""

from collections.abc import Sequence

from lab.live.side import Side
from lab.live.stream import LiveEvent
from lab.live.wanted import Wanted

KEPT = {
    1: "remembers {count} {ids} of {sockets} that no longer {exist}",
    4: "still has {count} {rows} of people who have no tab open",
    5: "still shows {count} {people} as online who {have} no tab open",
}
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
    "crowd": "{count} more clients are connected; the driver is none of their business.",
    "flood": "{tab} sends as fast as it can.",
    "burst": "{tab} sends what had waited while it was offline.",
    "rooms": "{tab} joins invented rooms as fast as it can.",
    "compute": "{tab} asks for a report that takes a second of computing.",
    "pace": "The clients now reconnect with {text} delays.",
}
# more of them are counted
MOST_PLACES = 4
SIDES = {"bad": "The bad server", "good": "The good server"}


def describe(wanted: Wanted, sides: Sequence[tuple[Side, Sequence[LiveEvent], str | None]]) -> str:
    """Return in words what an action did on both sides.

    `sides` has for each side its events since the action began, and what was not possible there.
    """
    opening = OPENINGS[wanted.action].format(
        tab=_name(wanted.tab),
        user=wanted.tab.partition("/")[0].capitalize(),
        number=wanted.number,
        target=wanted.target.removeprefix("user:").capitalize() if "user:" in wanted.target else wanted.target,
        text=wanted.text.capitalize() if wanted.action == "forge" else wanted.text,
        count=wanted.count,
    )
    return " ".join([opening, *(_about(side, events, problem) for side, events, problem in sides)])


def _about(side: Side, events: Sequence[LiveEvent], problem: str | None) -> str:
    facts = [problem] if problem is not None else []
    facts += _fates(events)
    facts += _memory(side)
    return f"{SIDES[side.name]}: {'; '.join(facts) or 'nothing else changes'}."


def _fates(events: Sequence[LiveEvent]) -> list[str]:
    """Return what became of the messages in these events."""
    delivered = [event for event in events if event.kind == "delivered"]
    wasted = [event for event in events if event.kind == "wasted"]
    found = []
    for words, places in (
        ("delivered to {}", _tabs(delivered)),
        ("lost for {}", _tabs([event for event in events if event.kind == "lost"])),
        ("also read by {}, for which it is not meant", _tabs(wasted)),
        ("wasted on {}, where no socket is", [_short(event.room or "") for event in wasted if event.to is None]),
        ("{} can take it for a message of somebody else", _tabs([event for event in delivered if _is_forged(event)])),
    ):
        if places:
            found.append(words.format(_join(places)))
    return found


def _tabs(events: Sequence[LiveEvent]) -> list[str]:
    return [_name(event.to) for event in events if event.to is not None]


def _name(tab: str) -> str:
    """Return a tab's name in words, such as "Ana's tab 1"."""
    user, _, number = tab.partition("/")
    return f"{user.capitalize()}'s tab {number}"


def _is_forged(event: LiveEvent) -> bool:
    """Whether a received message names an author who has not sent it."""
    author = (event.more or {}).get("author")
    return author is not None and author != (event.origin or "").partition("/")[0]


def _join(places: Sequence[str]) -> str:
    if len(places) > MOST_PLACES:
        return f"{len(places)} clients" if all("'s tab " in place for place in places) else f"{len(places)} addresses"
    return " and ".join(places)


def _memory(side: Side) -> list[str]:
    """Return how the server's memory differs from the open tabs."""
    if not side.is_running:
        return ["it is down"]
    found = [_kept(side)] if side.memory.kept else []
    connected = [tab for tab in side.tabs.values() if tab.state == "connected"]
    outside = [_name(tab.name) for tab in connected if not side.memory.rooms_of.get(tab.sid or "", ())]
    if outside:
        found.append(f"{' and '.join(outside)} {_is(outside)} connected, but in no room")
    missing = side.memory.missing(sorted({tab.user for tab in connected}))
    if missing:
        have = "has" if len(missing) == 1 else "have"
        found.append(
            f"its table does not list {' and '.join(user.capitalize() for user in missing)}, who {have} a tab open"
        )
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
        people="person" if one else "people",
        have="has" if one else "have",
    )


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _short(address: str) -> str:
    """Return a room's name, or the beginning of a socket id."""
    return address if ":" in address else f"the id {address[:6]}…"
