"""Describes how a click on `lab live`'s page changed a server's memory.

The live page is a web page that sends actions to the bad and the good server. A server's memory has its rooms. For each
report that is not sent yet, the memory has the rooms or socket ids to which the server will send the report.
"""

from collections.abc import Sequence

from lab.live.memory import Memory
from lab.live.side import Side

# more of them are counted
MOST_NAMES = 4


def tab_words(tab: str) -> str:
    """Return a tab's name in words: "Ana's tab 1" for `ana/1`."""
    user, _, number = tab.partition("/")
    return f"{user.capitalize()}'s tab {number}"


def address_words(address: str) -> str:
    """Return `address` in words: a room's name, or a shortened socket id.

    An address is what the server emits to: a room or a socket id.
    """
    return address if ":" in address else f"the id {address[:6]}…"


def changes(side: Side, before: Memory) -> list[str]:
    """Describe how a server's memory differs from `before`.

    `side` is the good or the bad server. `before` is what this server remembered earlier: its rooms and the
    reports that were not sent yet. Each returned string describes one change. The list is empty if the server is down.
    """
    if not side.is_running:
        return []
    return [*_left(side, before), *_joined(side, before), *_tickets(side, before)]


def _left(side: Side, before: Memory) -> list[str]:
    """Describe which tabs have lost a socket in rooms since `before`.

    `before` is what the server remembered earlier. The list has one sentence, or is empty if there is no such tab.
    """
    gone = before.rooms_of.keys() - side.memory.rooms_of.keys()
    had_rooms = {sid for sid in gone if before.rooms_of[sid]}
    names = [tab.name for tab in side.tabs.values() if had_rooms & set(tab.tab.ids)]
    return [f"Socket.IO has removed {_tabs(names)} from {'its' if len(names) == 1 else 'their'} rooms"] if names else []


def _joined(side: Side, before: Memory) -> list[str]:
    """Describe which tabs have joined rooms since `before`.

    `before` is what the server remembered earlier. The list has one sentence, or is empty if there is no such tab.
    """
    joined = {}
    for tab in side.tabs.values():
        known = before.rooms_of.get(tab.sid or "", ())
        rooms = [room for room in side.memory.rooms_of.get(tab.sid or "", ()) if room not in known]
        if rooms:
            joined[tab.name] = rooms
    if len(joined) > 1:
        return [f"{_tabs(list(joined))} are now in their rooms"]
    return [f"{tab_words(name)} is now in {_rooms(rooms)}" for name, rooms in joined.items()]


def _tickets(side: Side, before: Memory) -> list[str]:
    """Describe where each report requested since `before` will be sent.

    `before` is what the server remembered earlier. Returns one sentence per report, with its rooms or socket ids. The
    list is empty on a live page without the action `finish`, which lets the server make the reports.
    """
    if "finish" not in side.arrangement.actions:
        # a report that needs no ticket to be understood
        return []
    new = side.memory.reports.keys() - before.reports.keys()
    return [f"the ticket says {' and '.join(map(address_words, side.memory.reports[job]))}" for job in sorted(new)]


def _tabs(names: Sequence[str]) -> str:
    return " and ".join(map(tab_words, names)) if len(names) <= MOST_NAMES else f"{len(names)} tabs"


def _rooms(rooms: Sequence[str]) -> str:
    # the user's own room first: it is what most messages go to
    rooms = sorted(rooms, key=lambda room: (not room.startswith("user:"), room))
    return " and ".join(rooms) if len(rooms) <= MOST_NAMES else f"{len(rooms)} more rooms"
