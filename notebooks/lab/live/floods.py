"""Actions of `lab live`'s page for mistake 10, which is missing limits.

One client sends many requests at once.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from good_server import events
from lab.live.live_tab import LiveTab
from lab.live.messages import NO_ANSWER, NOT_CONNECTED, Answer, ask, can_send, chat_to, follow
from lab.live.outcome import Outcome
from lab.live.side import Side
from lab.live.wanted import Wanted
from lab.servers.state_client import StateClient

# twice what a user's bucket holds
FLOOD_MESSAGES = 100
# what a page sends that was offline for a few seconds
BURST_MESSAGES = 40
INVENTED_ROOMS = 60
RATE = "chat"
# how long the page shows that the bucket fills again, and how often its level is measured
REFILL_SECONDS, SAMPLE_SECONDS = 2.0, 0.1


async def flood(side: Side, wanted: Wanted) -> Outcome:
    """Send far more chat messages than the rate limit allows.

    `wanted` names the tab that sends. The result says how many messages the server accepted.
    """
    return await _send_many(side, wanted, FLOOD_MESSAGES)


async def burst(side: Side, wanted: Wanted) -> Outcome:
    """Send as many messages as a page queues during a short outage.

    This is no abuse, so the rate limit should accept all of them.
    """
    return await _send_many(side, wanted, BURST_MESSAGES)


async def _send_many(side: Side, wanted: Wanted, count: int) -> Outcome:
    """Send `count` chat messages at once, and measure the rate limit.

    The page then shows the level of the user's token bucket after each message, and how many messages were accepted.
    After that, the page shows how the bucket fills again. Returns the number of accepted messages in words.
    """
    live = side.tabs[wanted.tab]
    if not can_send(side, live):
        return NOT_CONNECTED
    state = StateClient(side.target.probe)
    await state.record_levels(RATE, [live.user])
    reader = next(tab.user for tab in side.tabs.values() if tab.user != live.user)
    sendings = [
        chat_to(side, live, reader, f"m{wanted.number}.{index}", f"many {wanted.number}.{index}")
        for index in range(1, count + 1)
    ]
    answers = await follow(side, sendings)
    levels = await state.levels()
    began = levels[0].at_seconds if levels else 0.0
    points = [[round(level.at_seconds - began, 4), round(level.level, 2), int(level.was_taken)] for level in levels]
    bucket = {"user": live.user, "levels": points}
    side.board.show("bucket", bucket)
    outcome = _summarize(side, live, answers, "flood")
    if levels:
        await _show_refill(side, state, bucket)
    return outcome


async def _show_refill(side: Side, state: StateClient, bucket: dict[str, Any]) -> None:
    """Show on the page how a token bucket fills again, for `REFILL_SECONDS`.

    Nobody sends meanwhile. `bucket` has the user and the earlier levels of the user's bucket, which the page shows,
    too. If the server has no bucket of this user any more, the function returns early.
    """
    clock = asyncio.get_running_loop().time
    ends_at = clock() + REFILL_SECONDS
    while clock() < ends_at:
        await asyncio.sleep(SAMPLE_SECONDS)
        level = await state.level_now(bucket["user"])
        if level is None:
            # the server was restarted meanwhile, or has deleted a full bucket
            return
        side.board.show("bucket", {**bucket, "now": round(level, 2)})


async def rooms(side: Side, wanted: Wanted) -> Outcome:
    """Ask to join many rooms with invented names.

    `wanted` names the tab that asks. The result says how many rooms the server accepted.
    """
    live = side.tabs[wanted.tab]
    joining = (ask(live, events.ROOM_JOIN, {"room": f"job:x{number}"}) for number in range(INVENTED_ROOMS))
    return _summarize(side, live, await asyncio.gather(*joining), "joined")


def _summarize(side: Side, live: LiveTab, answers: Sequence[Answer], name: str) -> Outcome:
    """Show on the page how many requests were accepted and refused.

    `answers` are the acks of the requests that the tab `live` sent. `name` is the name of the shown value. Returns the
    same numbers in words.
    """
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
