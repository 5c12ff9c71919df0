"""Actions of `lab live`'s page for mistakes 02 and 09, about reports.

Mistake 02 is that a report is sent to one socket id, and mistake 09 that a handler makes it and blocks the event loop.
"""

import asyncio

from good_server import events
from lab.live.ledger import Message
from lab.live.messages import NO_CONNECTION, NOT_CONNECTED, SILENT_SECONDS, ask, can_send, problem_in
from lab.live.outcome import DONE, Outcome
from lab.live.report_ways import IN_HANDLER
from lab.live.side import Side
from lab.live.wanted import Wanted
from lab.servers.state_client import StateClient

REPORT_MILLISECONDS = 1
# enough to recognize a job by
SHORT = 8
# of CPU time; on a busy machine it takes longer
COMPUTE_MILLISECONDS = 1000
REPORT_SECONDS = 18.0
WORDS = {
    IN_HANDLER: "in its handler",
    "thread": "in a thread",
    "sliced": "in slices of 10 ms, on its event loop",
    "process": "in another process",
}


async def report(side: Side, wanted: Wanted) -> Outcome:
    """Request a report, which the server makes only after the action `finish`.

    `wanted` names the tab that requests the report.
    """
    live = side.tabs[wanted.tab]
    at = asyncio.get_running_loop().time()
    answer = await ask(live, events.REPORT_REQUEST, {"kind": "outside", "size": REPORT_MILLISECONDS})
    if not answer.get("ok"):
        return Outcome(problem_in(answer), answer)
    job = answer["data"]["job"]
    message = Message(job[:SHORT], job, live.name)
    side.ledger.add(message, to=None, room=None, at=at)
    side.await_report(job, message)
    return Outcome(None, answer)


async def finish(side: Side, wanted: Wanted) -> Outcome:
    """Let a server make all requested reports, and wait for them.

    If this takes longer than `REPORT_SECONDS`, the result names a problem.
    """
    if not side.is_running:
        return DONE
    if not side.open_reports:
        return Outcome("no job is open")
    await StateClient(side.target.probe).release_reports()
    are_sent = await side.wait_for(lambda: not side.open_reports, timeout=REPORT_SECONDS)
    return DONE if are_sent else Outcome("the report does not come")


async def compute(side: Side, wanted: Wanted) -> Outcome:
    """Request a report that needs CPU time, and measure the delays.

    The page shows how long the event loop was blocked. It also shows the worst ack time of the bystanders, which are
    additional clients that measure ack times.
    """
    live, pulses = side.tabs[wanted.tab], side.extras.pulses
    if not can_send(side, live) or pulses is None:
        return NOT_CONNECTED
    expected = frozenset(tab.name for tab in side.tabs_of(f"user:{live.user}"))
    message = Message(f"r{wanted.number}", events.REPORT_READY, live.name, expected)
    emits, addresses = await side.begin(), side.memory.addresses
    await side.target.probe.reset()
    pulses.begin()
    began, before = asyncio.get_running_loop().time(), len(live.tab.inbox.of(events.REPORT_READY))
    side.ledger.add(message, to=None, room=None, at=began)
    side.board.show("report", {"is_running": True})
    try:
        await live.tab.send(events.REPORT_REQUEST, {"kind": "cpu", "size": COMPUTE_MILLISECONDS})
        wait_seconds = REPORT_SECONDS if live.can_receive else SILENT_SECONDS
        await live.tab.received(events.REPORT_READY, before + 1, timeout=wait_seconds)
    except NO_CONNECTION:
        # the ledger says what became of it
        pass
    finally:
        side.board.show("report", {"is_running": False})
    slowest = await pulses.slowest()
    await side.settle()
    await side.look()
    message.emits = emits
    side.ledger.finish(message, addresses)
    if not message.received:
        return Outcome("the report does not come")
    return await _show_measured(side, message.received[0].at - began, slowest)


async def _show_measured(side: Side, took_seconds: float, slowest: float) -> Outcome:
    stall = 1000 * (await side.target.probe.read()).loop_lag_worst_seconds
    way = side.extras.way if side.name == "bad" else "process"
    measured = {"report": round(1000 * took_seconds), "stall": round(stall), "slowest": round(slowest)}
    side.board.show("ways", {**side.board.named.get("ways", {}), way: measured})
    return Outcome(
        f"the report was made {WORDS[way]}; the event loop stood still for at most {stall:.0f} ms, and the slowest ack"
        f" of a bystander took {slowest:.0f} ms"
    )


async def choose_way(side: Side, wanted: Wanted) -> Outcome:
    """Choose how the bad server makes its next reports.

    `wanted.text` is the way, such as `thread`. On the good server, nothing changes.
    """
    if side.name == "good":
        return Outcome("it makes reports in another process, as before")
    if not side.is_running:
        return Outcome("the server is down")
    await side.extras.choose_way(wanted.text)
    side.board.show("way", wanted.text)
    return Outcome("start a report, and compare")
