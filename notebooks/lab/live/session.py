"""A live session: the same actions on both servers."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from lab.live.arrangement import ARRANGEMENTS, Arrangement
from lab.live.hand import act
from lab.live.side import Side
from lab.live.stream import Stream
from lab.live.words import describe

# heartbeats of a production server, which the page shows beside the accelerated ones; the good server's defaults
REAL_INTERVAL_SECONDS, REAL_TIMEOUT_SECONDS = 25, 20
LIVE_INTERVAL_SECONDS, LIVE_TIMEOUT_SECONDS = 1, 1
MOST_TABS = 6


class ActionError(ValueError):
    """An action that is not possible now; the message is one line."""


class Session:
    """Both servers with the same people, and every action done on both.

    Use it as `async with`. Actions wait for each other.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        self.arrangement = arrangement
        self.stream = Stream()
        self.sides = {name: Side(name, arrangement, self.stream) for name in ("bad", "good")}
        self._acting = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._messages = 0
        self.happened = ""

    async def __aenter__(self) -> Self:
        try:
            # one after the other: a server that fails to start must not leave the other one half started
            for side in self.sides.values():
                await self._stack.enter_async_context(side)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def do(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Do an action on both sides, and return what happened in words.

        Raises `ActionError` when the action is unknown or not possible.
        """
        async with self._acting:
            action, tab, target = self._read(wanted)
            self._messages += action == "send"
            before = self.stream.seq
            sides = list(self.sides.values())
            problems = await asyncio.gather(*(act(side, action, tab, target, self._messages) for side in sides))
            for side in sides:
                await side.look()
            events = [event for event in self.stream.events if event.seq > before]
            told = [
                (side, [event for event in events if event.side == side.name], problem)
                for side, problem in zip(sides, problems, strict=True)
            ]
            self.happened = describe(action, tab, target, self._messages, told)
            return {"ok": True, "seq": self.stream.seq, "happened": self.happened}

    def state(self) -> dict[str, Any]:
        """Return what a page that comes now has to know."""
        claim = self.arrangement.claim
        return {
            "mistake": self.arrangement.id,
            "number": self.arrangement.number,
            "mistakes": [f"{number:02}" for number in sorted(ARRANGEMENTS)],
            "title": claim.title,
            "claim": f"{claim.metric} ({claim.unit}): {claim.better} is better",
            "sides": {name: side.state() for name, side in self.sides.items()},
            "heartbeat": {
                "interval": LIVE_INTERVAL_SECONDS,
                "timeout": LIVE_TIMEOUT_SECONDS,
                "real_interval": REAL_INTERVAL_SECONDS,
                "real_timeout": REAL_TIMEOUT_SECONDS,
            },
            "actions": list(self.arrangement.actions),
            "targets": list(self.arrangement.targets),
            "happened": self.happened,
            "seq": self.stream.seq,
        }

    def _read(self, wanted: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
        action, tab = wanted.get("action"), wanted.get("tab")
        if action not in self.arrangement.actions:
            raise ActionError(f"the actions are {', '.join(self.arrangement.actions)}")
        if action in ("kill", "restart"):
            self._check_servers(str(action))
            return str(action), None, None
        if action == "open" and tab in {person.user for person in self.arrangement.people}:
            tab = f"{tab}/1"
        if not isinstance(tab, str) or any(tab not in side.tabs for side in self.sides.values()):
            raise ActionError("there is no such tab")
        self._check_tab(str(action), tab)
        return str(action), tab, self._target(wanted) if action == "send" else None

    def _target(self, wanted: Mapping[str, Any]) -> str:
        target = str(wanted.get("to") or wanted.get("room") or self.arrangement.targets[0])
        names = [name.removeprefix("room:") for name in self.arrangement.targets]
        if target.removeprefix("room:") not in names:
            raise ActionError(f"a message goes to one of {', '.join(names)}")
        return target.removeprefix("room:")

    def _check_servers(self, action: str) -> None:
        running = [side.is_running for side in self.sides.values()]
        if action == "kill" and not any(running):
            raise ActionError("both servers are down already: restart them")
        if action == "restart" and all(running):
            raise ActionError("both servers run: kill them first")

    def _check_tab(self, action: str, tab: str) -> None:
        states = {side.tabs[tab].state for side in self.sides.values()}
        plugs = {side.tabs[tab].plug.state for side in self.sides.values()}
        if action != "open" and states == {"closed"}:
            raise ActionError(f"{tab} is closed: open another tab")
        if action in ("cut", "tunnel") and plugs != {"in"}:
            raise ActionError(f"{tab} has no connection already: let it come back")
        if action == "back" and plugs == {"in"}:
            raise ActionError(f"the plug of {tab} is in already")
        if action in ("send", "report") and not any(side.tabs[tab].sid for side in self.sides.values()):
            raise ActionError(f"{tab} is not connected, so it cannot send")
        user = tab.partition("/")[0]
        count = sum(other.user == user and not other.is_closed for other in self.sides["good"].tabs.values())
        if action == "open" and count >= MOST_TABS:
            raise ActionError(f"{user} has {count} tabs already")
