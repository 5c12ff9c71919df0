"""Runs each action of `lab live`'s page on both servers."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from lab.live.arrangement import ARRANGEMENTS, Arrangement
from lab.live.hand import act
from lab.live.side import Side
from lab.live.stream import Stream
from lab.live.wanted import read_command
from lab.live.words import Told, describe
from lab.servers.process import LAB_SETTINGS

# heartbeats of a production server, which the page shows beside the accelerated ones; the good server's defaults
REAL_INTERVAL_SECONDS, REAL_TIMEOUT_SECONDS = 25, 20
# actions that send something with a number
NUMBERED = ("send", "forge", "drive", "round", "flood", "burst", "compute")


class Session:
    """The good and the bad server, with the same users.

    Every action is done on both servers, and only one action at a time. In an `async with` block, both servers run.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        self.arrangement = arrangement
        self.stream = Stream()
        self.sides = {name: Side(name, arrangement, self.stream) for name in ("bad", "good")}
        self._acting = asyncio.Lock()
        self._messages = 0
        self.happened = ""

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(side.start() for side in self.sides.values()))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        await asyncio.gather(*(side.stop() for side in self.sides.values()))

    async def do(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do an action on both servers, and describe what happened.

        `body` is the command of the page. Returns the description in words and the acks. Raises `ActionError` when the
        action is unknown or not possible.
        """
        async with self._acting:
            wanted = read_command(body, self.sides, self._messages + 1)
            self._messages += wanted.action in NUMBERED
            before = self.stream.seq
            sides = list(self.sides.values())
            memories = [side.memory for side in sides]
            outcomes = await asyncio.gather(*(act(side, wanted) for side in sides))
            for side in sides:
                await side.look()
            events = [event for event in self.stream.events if event.seq > before]
            told = [
                Told(side, memory, [event for event in events if event.side == side.name], outcome.problem)
                for side, memory, outcome in zip(sides, memories, outcomes, strict=True)
            ]
            self.happened = describe(wanted, told)
            answers = {side.name: outcome.answer for side, outcome in zip(sides, outcomes, strict=True)}
            return {"ok": True, "seq": self.stream.seq, "happened": self.happened, "answers": answers}

    def state(self) -> dict[str, Any]:
        """Return all data that a newly opened page needs."""
        claim, settings = self.arrangement.claim, LAB_SETTINGS | self.arrangement.server_settings
        return {
            "mistake": self.arrangement.id,
            "number": self.arrangement.number,
            "mistakes": [f"{number:02}" for number in sorted(ARRANGEMENTS)],
            "title": claim.title,
            "claim": f"{claim.metric} ({claim.unit}): {claim.better} is better",
            "sides": {name: side.state() for name, side in self.sides.items()},
            "heartbeat": {
                "interval": float(settings["SERVER_PING_INTERVAL_SECONDS"]),
                "timeout": float(settings["SERVER_PING_TIMEOUT_SECONDS"]),
                "real_interval": REAL_INTERVAL_SECONDS,
                "real_timeout": REAL_TIMEOUT_SECONDS,
            },
            "actions": list(self.arrangement.actions),
            "targets": list(self.arrangement.targets),
            "happened": self.happened,
            "seq": self.stream.seq,
        }
