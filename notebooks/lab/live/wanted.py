"""Checks a command of `lab live`'s page before the servers execute it.

The live page is a web page that sends the same commands to the bad and the good server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.live.report_ways import IN_HANDLER, WAYS
from lab.live.side import Side

MOST_TABS = 6
MOST_TEXT = 64
CROWDS = (0, 20, 50, 100, 200)
# actions that choose one of several words
CHOICES = {"pace": ("stock", "short"), "way": (IN_HANDLER, *WAYS)}
# actions without a tab
ON_SERVERS = ("kill", "restart", "crowd", "round", "finish", *CHOICES)


class ActionError(ValueError):
    """Error for a command that is unknown or not possible now.

    A web page sends the commands, for example to close a simulated browser tab. The message is one line.
    """


@dataclass(frozen=True)
class Wanted:
    """A valid command of `lab live`'s page: an action and its parameters.

    `tab` is the simulated browser tab that acts, such as `ana/1`. `target` is the user or room that gets a message.
    `number` is the number of this message, the same on both servers. `text` depends on the action: the room to join,
    the false author of a message, the reconnect delays of the clients (`stock` or `short`), or how the bad server makes
    reports (such as `thread`). `count` is how many additional clients shall be connected.
    """

    action: str
    tab: str = ""
    target: str = ""
    number: int = 0
    text: str = ""
    count: int = 0


def read_command(body: Mapping[str, Any], sides: Mapping[str, Side], number: int) -> Wanted:
    """Return the command in the body of a page's request.

    `sides` maps `bad` and `good` to the two servers. If the command sends a message, `number` is the number of this
    message. Raises `ActionError` when the action is unknown or not possible now.
    """
    arrangement = sides["good"].arrangement
    action = body.get("action")
    if action not in arrangement.actions:
        raise ActionError(f"the actions are {', '.join(arrangement.actions)}")
    action = str(action)
    if action in ON_SERVERS:
        _check_servers(action, sides)
        return Wanted(action, text=_choice(body, action), count=_count(body, action), number=number)
    tab = body.get("tab")
    if action == "open" and tab in arrangement.tabs:
        tab = f"{tab}/1"
    if not isinstance(tab, str) or any(tab not in side.tabs for side in sides.values()):
        raise ActionError("there is no such tab")
    _check_tab(action, tab, sides)
    target = _target(body, arrangement.targets) if action in ("send", "forge") else ""
    return Wanted(action, tab, target, number, _text(body, action, list(arrangement.tabs)))


def _target(body: Mapping[str, Any], targets: tuple[str, ...]) -> str:
    target = str(body.get("to") or body.get("room") or targets[0]).removeprefix("room:")
    names = [name.removeprefix("room:") for name in targets]
    if target not in names:
        raise ActionError(f"a message goes to one of {', '.join(names)}")
    return target


def _text(body: Mapping[str, Any], action: str, users: list[str]) -> str:
    if action == "join":
        room = str(body.get("room") or "")
        if not 0 < len(room) <= MOST_TEXT:
            raise ActionError(f"a room has a name of at most {MOST_TEXT} characters")
        return room
    if action == "forge":
        author = str(body.get("as") or "")
        if author not in users:
            raise ActionError(f"write as one of {', '.join(users)}")
        return author
    return ""


def _choice(body: Mapping[str, Any], action: str) -> str:
    if action not in CHOICES:
        return ""
    if body.get(action) not in CHOICES[action]:
        raise ActionError(f"the {action} is one of {', '.join(CHOICES[action])}")
    return str(body[action])


def _count(body: Mapping[str, Any], action: str) -> int:
    if action != "crowd":
        return 0
    if body.get("count") not in CROWDS:
        raise ActionError(f"the crowd has one of these sizes: {', '.join(map(str, CROWDS))}")
    return int(body["count"])


def _check_servers(action: str, sides: Mapping[str, Side]) -> None:
    running = [side.is_running for side in sides.values()]
    if action == "restart" and all(running):
        raise ActionError("both servers run: kill them first")
    if action != "restart" and not any(running):
        raise ActionError("both servers are down: restart them")


def _check_tab(action: str, tab: str, sides: Mapping[str, Side]) -> None:
    states = {side.tabs[tab].state for side in sides.values()}
    plugs = {side.tabs[tab].plug.state for side in sides.values()}
    if action == "open":
        user = tab.partition("/")[0]
        count = sum(other.user == user and not other.is_closed for other in sides["good"].tabs.values())
        if count >= MOST_TABS:
            raise ActionError(f"{user} has {count} tabs already")
        return
    if states == {"closed"}:
        raise ActionError(f"{tab} is closed: open another tab")
    if action in ("cut", "tunnel") and plugs != {"in"}:
        raise ActionError(f"{tab} has no connection already: let it come back")
    if action == "back" and plugs == {"in"}:
        raise ActionError(f"the plug of {tab} is in already")
    if action not in ("cut", "tunnel", "back", "close") and not any(side.tabs[tab].sid for side in sides.values()):
        raise ActionError(f"{tab} is not connected, so it cannot send")
