"""Maps the names of actions of `lab live`'s page to functions.

The page for one mistake offers only some of these actions. `hand.py` has the other actions, such as closing a tab or
killing the server.
"""

from collections.abc import Awaitable, Callable

from lab.clients.tab import LAB_DELAYS, STOCK_DELAYS
from lab.live.fleet import crowd, drive, round_of_positions
from lab.live.floods import burst, flood, rooms
from lab.live.messages import forge, join, send
from lab.live.outcome import DONE, Outcome
from lab.live.reports import choose_way, compute, finish, report
from lab.live.side import Side
from lab.live.wanted import Wanted


async def pace(side: Side, wanted: Wanted) -> Outcome:
    """Change how long all tabs of one server wait before they reconnect.

    `wanted.text` is `stock` for the client library's own delays, or `short`.
    """
    side.set_delays(STOCK_DELAYS if wanted.text == "stock" else LAB_DELAYS)
    side.board.show("pace", wanted.text)
    return DONE


SPECIALS: dict[str, Callable[[Side, Wanted], Awaitable[Outcome]]] = {
    "send": send,
    "forge": forge,
    "drive": drive,
    "round": round_of_positions,
    "crowd": crowd,
    "report": report,
    "finish": finish,
    "join": join,
    "flood": flood,
    "burst": burst,
    "rooms": rooms,
    "compute": compute,
    "way": choose_way,
    "pace": pace,
}
