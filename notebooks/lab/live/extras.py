"""Light clients of one side, beside the people and their tabs."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from lab.clients.faulty_link import FaultyLink
from lab.clients.inbox import Received
from lab.live.board import Board
from lab.live.crowd import Crowd
from lab.live.pulses import Pulses
from lab.servers.target import Target


class Extras:
    """The crowd of mistake 06 and the bystanders of mistake 09."""

    def __init__(
        self, stack: AsyncExitStack, target: Target, board: Board, observe: Callable[[str, Received], None]
    ) -> None:
        self._stack = stack
        self._target = target
        self._board = board
        self._observe = observe
        self._crowd: Crowd | None = None
        self._pulses: Pulses | None = None

    @property
    def crowd_sids(self) -> list[str]:
        """Return the socket ids of the crowd."""
        return list(self._crowd.sids.values()) if self._crowd is not None else []

    @property
    def bytes_to_client(self) -> int:
        """Return how many bytes the crowd has received."""
        return self._crowd.link.bytes_to_client if self._crowd is not None else 0

    async def fence(self, mark: str) -> None:
        """Wait until all earlier emits have arrived at the crowd."""
        if self._crowd is not None:
            await self._crowd.fence(mark)

    async def gather_crowd(self, count: int) -> None:
        """Open or close light clients until there are `count`."""
        if self._crowd is None:
            link = await self._stack.enter_async_context(FaultyLink(*self._target.ports))
            self._crowd = Crowd(self._target, link, self._observe)
            self._stack.push_async_callback(self._crowd.close)
        await self._crowd.resize(count)
        self._board.show("crowd", {"count": len(self._crowd.sids)})

    async def start_pulses(self) -> None:
        """Let bystanders ask the server something on a schedule."""
        self._pulses = Pulses(self._target, partial(self._board.show, "pulses"))
        self._stack.push_async_callback(self._pulses.stop)
        await self._pulses.start()

    async def connect_again(self) -> None:
        """Connect all again, as light clients do not do it themselves."""
        if self._crowd is not None:
            count = len(self._crowd.sids)
            await self._crowd.resize(0)
            await self.gather_crowd(count)
        if self._pulses is not None:
            await self._pulses.stop()
            await self._pulses.start()
