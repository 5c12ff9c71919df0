"""Answers for numbers: what a run is, percentiles, slopes, and how late the measuring process itself was."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

TICK_SECONDS = 0.01


@dataclass(frozen=True)
class Run:
    """What one scenario measured on one server.

    `value` is the primary metric in the unit of claims.toml, `also` the others by their keys there. `broken` is the
    precondition that failed, in one sentence, or None when the run counts. `details` is JSON-able material for
    figures. `lateness_seconds` says how late this process's own loop was at worst.
    """

    value: float
    also: Mapping[str, float] = field(default_factory=dict)
    broken: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    lateness_seconds: float = 0.0


def percentile(samples: Sequence[float], q: float) -> float:
    """The `q`th percentile (0 to 100), interpolated between neighbours; raises `ValueError` without samples."""
    if not samples:
        raise ValueError("no samples to take a percentile of")
    ordered = sorted(samples)
    position = (len(ordered) - 1) * q / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """How much y grows for each x, by least squares; raises `ValueError` for fewer than two different x."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if not spread:
        raise ValueError("a slope needs two different points")
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread


class Lateness:
    """Samples how late the event loop wakes: `async with Lateness() as lateness: …; lateness.worst_seconds`."""

    def __init__(self) -> None:
        self.worst_seconds = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.worst_seconds = max(self.worst_seconds, loop.time() - due)
