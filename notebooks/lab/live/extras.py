"""Simulated clients of one server, in addition to its users' tabs.

These clients do not reconnect by themselves.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import aiohttp

from lab.clients.faulty_link import FaultyLink
from lab.clients.inbox import Received
from lab.live.arrangement import FLEET_COMPANY
from lab.live.board import Board
from lab.live.crowd import Crowd
from lab.live.loop_hand import LoopHand
from lab.live.pulses import Pulses
from lab.live.report_ways import IN_HANDLER, PATH
from lab.servers.target import Target


class Extras:
    """Additional simulated clients of one server: a crowd, and bystanders.

    The live page of mistake 06 (the bad server broadcasts to everyone) has a crowd: clients that receive events. Every
    tenth client of the crowd reports positions. The live page of mistake 09 (a handler blocks the event loop) has
    bystanders: clients that send chat messages on a schedule, and measure how long the acks take.
    """

    def __init__(
        self, stack: AsyncExitStack, target: Target, board: Board, observe: Callable[[str, Received], None]
    ) -> None:
        self._stack = stack
        self._target = target
        self._board = board
        self._observe = observe
        self.crowd: Crowd | None = None
        self.pulses: Pulses | None = None
        # how the server makes reports, where the reader may choose it
        self.way = IN_HANDLER

    @property
    def crowd_sids(self) -> list[str]:
        """Return the socket ids of the crowd's clients."""
        return list(self.crowd.sids.values()) if self.crowd is not None else []

    @property
    def bytes_to_client(self) -> int:
        """Return how many bytes the whole crowd has received so far."""
        return self.crowd.link.bytes_to_client if self.crowd is not None else 0

    async def fence(self, mark: str) -> None:
        """Wait until the crowd's clients have received all earlier emits.

        The server sends the event `FENCE` with the id `mark` after these emits, so they have arrived when this event
        arrives. If the event does not arrive, return after some seconds.
        """
        if self.crowd is not None:
            await self.crowd.fence(mark)

    async def gather_crowd(self, count: int) -> None:
        """Open or close clients until the crowd has `count` clients."""
        if self.crowd is None:
            link = await self._stack.enter_async_context(FaultyLink(*self._target.ports))
            self.crowd = Crowd(self._target, link, self._observe, company=FLEET_COMPANY)
            self._stack.push_async_callback(self.crowd.close)
        await self.crowd.resize(count)
        self._board.show("crowd", {"count": len(self.crowd.sids)})

    async def start_bystanders(self) -> None:
        """Connect the bystanders, and start to watch the server's event loop.

        Bystanders are clients that measure ack times. From now on, the page shows these ack times, and whether
        the event loop runs or is blocked.
        """
        self.pulses = Pulses(self._target, partial(self._board.show, "pulses"))
        self._stack.push_async_callback(self.pulses.stop)
        await self.pulses.start()
        hand = LoopHand(self._target, partial(self._board.show, "loop"))
        self._stack.push_async_callback(hand.stop)
        hand.start()

    async def choose_way(self, way: str) -> None:
        """Choose how the server makes its next reports.

        `way` is `handler` (the handler computes, and blocks the event loop), `thread`, `sliced` (on the event loop, in
        short slices) or `process`.
        """
        self.way = way
        address = f"{self._target.url}{PATH}"
        async with aiohttp.ClientSession() as session, session.post(address, json={"way": way}) as response:
            response.raise_for_status()

    async def connect_again(self) -> None:
        """Connect all additional clients again, after the server has restarted.

        Unlike tabs, these clients do not reconnect by themselves. The chosen way to make reports, for example in a
        thread, is also sent to the new server process.
        """
        if self.way != IN_HANDLER:
            await self.choose_way(self.way)
        if self.crowd is not None:
            count = len(self.crowd.sids)
            await self.crowd.resize(0)
            await self.gather_crowd(count)
        if self.pulses is not None:
            await self.pulses.stop()
            await self.pulses.start()
