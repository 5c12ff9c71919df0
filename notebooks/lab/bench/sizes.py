"""Sizes of the bench's loads, quick and full."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much load to apply, as counts.

    `singles` are single messages, `leaving` are the sizes of the crowds that disconnect.
    """

    rounds: int
    rounds_when_long: int
    members: int
    bursts: int
    singles: int
    requests: int
    connections: int
    leaving: tuple[int, ...]
    readers: int
    backlog: int


QUICK = Sizes(1, 1, 400, 3, 30, 4000, 400, (500, 2000), 200, 320)
FULL = Sizes(3, 1, 1000, 5, 60, 10_000, 2000, (500, 2000, 8000, 16_000), 1000, 320)
