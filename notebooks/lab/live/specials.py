"""Actions that only one of the ten mistakes needs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from good_server import events
from lab.clients.tab import LAB_DELAYS, STOCK_DELAYS
from lab.live.live_tab import LiveTab
from lab.live.messages import NO_ANSWER, NOT_CONNECTED, ask, crowd, drive, finish, forge, join, report, send
from lab.live.outcome import DONE, Outcome
from lab.live.side import Side
from lab.live.wanted import Wanted
from lab.servers.state_client import StateClient

# twice what a user's bucket holds
FLOOD_MESSAGES = 100
# what a page sends that was offline for a few seconds
BURST_MESSAGES = 40
INVENTED_ROOMS = 60
# of CPU time; on a busy machine it takes longer
COMPUTE_MILLISECONDS = 1000
COMPUTE_SECONDS = 18.0
RATE = "chat"


async def flood(side: Side, wanted: Wanted) -> Outcome:
    """Send far more chat messages than a user's bucket holds."""
    return await _send_many(side, side.tabs[wanted.tab], FLOOD_MESSAGES)


async def burst(side: Side, wanted: Wanted) -> Outcome:
    """Send the messages that had waited in an honest page."""
    return await _send_many(side, side.tabs[wanted.tab], BURST_MESSAGES)


async def _send_many(side: Side, live: LiveTab, count: int) -> Outcome:
    """Send chat messages at once, and show acks and bucket levels."""
    if live.sid is None or not side.is_running:
        return Outcome(NOT_CONNECTED)
    state = StateClient(side.target.probe)
    await state.record_levels(RATE, [live.user])
    reader = next(tab.user for tab in side.tabs.values() if tab.user != live.user)
    asking = (ask(live, events.CHAT_SEND, {"to": reader, "text": f"many {number}"}) for number in range(count))
    answers = await asyncio.gather(*asking)
    levels = await state.levels()
    began = levels[0].at_seconds if levels else 0.0
    points = [[round(level.at_seconds - began, 4), round(level.level, 2), int(level.was_taken)] for level in levels]
    side.board.show("bucket", {"user": live.user, "levels": points})
    return _summarize(side, live, answers, "flood")


async def rooms(side: Side, wanted: Wanted) -> Outcome:
    """Join many rooms that nobody else knows."""
    live = side.tabs[wanted.tab]
    joining = (ask(live, events.ROOM_JOIN, {"room": f"job:x{number}"}) for number in range(INVENTED_ROOMS))
    return _summarize(side, live, await asyncio.gather(*joining), "joined")


def _summarize(side: Side, live: LiveTab, answers: Sequence[dict[str, Any]], name: str) -> Outcome:
    """Show how many requests were accepted and refused."""
    accepted = sum(bool(answer.get("ok")) for answer in answers)
    unanswered = sum(answer is NO_ANSWER for answer in answers)
    errors = [answer["error"] for answer in answers if not answer.get("ok") and answer is not NO_ANSWER]
    waits = [error["retry_after"] for error in errors if "retry_after" in error]
    codes = Counter(error["code"] for error in errors)
    side.board.show(
        name,
        {
            "by": live.name,
            "sent": len(answers),
            "accepted": accepted,
            "refused": len(errors),
            "unanswered": unanswered,
            "retry_after": max(waits, default=None),
        },
    )
    parts = [f"{accepted} of {len(answers)} accepted"]
    parts += [f"{count} refused ({code})" for code, count in codes.items()]
    parts += [f"the first free place comes after {min(waits):.1f} s"] if waits else []
    parts += [f"{unanswered} without an answer"] if unanswered else []
    return Outcome(", ".join(parts))


async def compute(side: Side, wanted: Wanted) -> Outcome:
    """Ask for a report that burns CPU time, and wait for it."""
    live = side.tabs[wanted.tab]
    if live.sid is None or not side.is_running:
        return Outcome(NOT_CONNECTED)
    await side.target.probe.reset()
    before = len(live.tab.inbox.of(events.REPORT_READY))
    side.board.show("report", {"is_running": True})
    try:
        await live.tab.send(events.REPORT_REQUEST, {"kind": "cpu", "size": COMPUTE_MILLISECONDS})
        await live.tab.received(events.REPORT_READY, before + 1, timeout=COMPUTE_SECONDS)
    except TimeoutError:
        return Outcome("the report does not come")
    finally:
        side.board.show("report", {"is_running": False})
    lag = (await side.target.probe.read()).loop_lag_worst_seconds
    side.board.show("stall", {"milliseconds": round(1000 * lag)})
    return Outcome(f"its event loop stood still for {1000 * lag:.0f} ms at most")


async def pace(side: Side, wanted: Wanted) -> Outcome:
    """Change the reconnect delays: the library's own, or short ones."""
    side.set_delays(STOCK_DELAYS if wanted.text == "stock" else LAB_DELAYS)
    side.board.show("pace", wanted.text)
    return DONE


SPECIALS: dict[str, Callable[[Side, Wanted], Awaitable[Outcome]]] = {
    "send": send,
    "forge": forge,
    "drive": drive,
    "crowd": crowd,
    "report": report,
    "finish": finish,
    "join": join,
    "flood": flood,
    "burst": burst,
    "rooms": rooms,
    "compute": compute,
    "pace": pace,
}
