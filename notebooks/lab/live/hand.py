"""Runs an action of `lab live`'s page on one server.

An action cuts a connection, closes a tab or kills the server, for example. It ends when its effects were observed, or
after some seconds.
"""

import asyncio

import socketio

from lab.live.live_tab import LiveTab
from lab.live.memory import NO_SERVER
from lab.live.outcome import Outcome
from lab.live.side import Side
from lab.live.specials import SPECIALS
from lab.live.wanted import Wanted
from lab.servers.process import ServerError

# a cut is seen by both ends within milliseconds
SEEN_SECONDS = 2.0
BACK_SECONDS = 8.0


async def act(side: Side, wanted: Wanted) -> Outcome:
    """Run an action on one server, and wait for its effects.

    `wanted` has the action and its tab. The returned `Outcome` names a problem if the action did not succeed.
    """
    try:
        if wanted.action in ON_ONE_SIDE:
            return Outcome(await ON_ONE_SIDE[wanted.action](side))
        if wanted.action in ON_A_TAB:
            return Outcome(await ON_A_TAB[wanted.action](side, side.tabs[wanted.tab]))
        return await SPECIALS[wanted.action](side, wanted)
    except NO_SERVER:
        await side.look()
        return Outcome("it did not end in time" if side.is_running else "the server has ended")
    except ServerError as error:
        return Outcome(str(error))


async def _cut(side: Side, live: LiveTab) -> str | None:
    lost = live.sid
    await live.plug.pull()
    await side.wait_for(lambda: live.sid is None and lost not in side.memory.rooms_of, timeout=SEEN_SECONDS)
    return None


async def _tunnel(side: Side, live: LiveTab) -> str | None:
    await live.plug.enter_tunnel()
    side.stream.publish(side.name, "silent", origin=live.name, id=live.sid)
    return None


async def _back(side: Side, live: LiveTab) -> str | None:
    connects = live.tab.connects
    await live.plug.put_back()
    side.stream.publish(side.name, "back", origin=live.name)
    if not side.is_running:
        return "the server is down"
    return await _wait_for_connect(side, live, connects)


async def _wait_for_connect(side: Side, live: LiveTab, connects: int) -> str | None:
    try:
        await live.tab.connected(connects + 1, timeout=BACK_SECONDS)
    except TimeoutError:
        return f"no connection for {BACK_SECONDS:.0f} s"
    await side.wait_for(lambda: live.sid in side.memory.rooms_of, timeout=SEEN_SECONDS)
    return None


async def _open(side: Side, live: LiveTab) -> str | None:
    if not side.is_running:
        return "the server is down"
    try:
        await side.open(live.user)
    except socketio.exceptions.ConnectionError:
        return "the server refused the connection"
    return None


async def _close(side: Side, live: LiveTab) -> str | None:
    lost, is_silent = live.sid, live.state == "silent"
    await live.close()
    side.stream.publish(side.name, "closed", origin=live.name, id=lost)
    if not is_silent:
        await side.wait_for(lambda: lost not in side.memory.rooms_of, timeout=SEEN_SECONDS)
    return None


async def _kill(side: Side) -> str | None:
    await side.kill()
    await side.wait_for(lambda: not any(tab.can_receive for tab in side.tabs.values()), timeout=SEEN_SECONDS)
    return None


async def _restart(side: Side) -> str | None:
    if side.is_running:
        return None
    waiting = [tab for tab in side.tabs.values() if not tab.is_closed and tab.plug.state == "in"]
    connects = [tab.tab.connects for tab in waiting]
    await side.start_again()
    problems = await asyncio.gather(
        *(_wait_for_connect(side, tab, count) for tab, count in zip(waiting, connects, strict=True))
    )
    return next((problem for problem in problems if problem is not None), None)


ON_ONE_SIDE = {"kill": _kill, "restart": _restart}
ON_A_TAB = {"cut": _cut, "tunnel": _tunnel, "back": _back, "open": _open, "close": _close}
