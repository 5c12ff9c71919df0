"""Reports: heavy or outside work, made away from the event loop.

Here are the interface and the message; `reports/` is an implementation that a team may delete or replace.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..errors import Busy, Internal
from ..events import CpuSeconds, ReportError, ReportKind, ReportReady
from ..rooms import Address

# sends a finished report to its address: `await publish(address, report)`
Publish = Callable[[Address, ReportReady], Awaitable[None]]


def compose(job: str, kind: ReportKind, cpu_seconds: float | None) -> ReportReady:
    """Return the message of a finished report. `cpu_seconds` of None is a failure."""
    if cpu_seconds is None:
        failed = ReportError(code=Internal.code, message="the report could not be made")
        return ReportReady(job=job, kind=kind, error=failed)
    return ReportReady(job=job, kind=kind, result=CpuSeconds(cpu_seconds=cpu_seconds))


class Reports(Protocol):
    """A queue of reports: your own has these three methods."""

    async def start(self, publish: Publish) -> None:
        """Start before the first request; `publish` sends reports made in this process."""

    async def stop(self) -> None:
        """Stop after the last request."""

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Accept a report of `size` milliseconds and return its job id. Raises `Busy` when too many reports wait."""


class NoReports:
    """No queue of reports: the event is not served."""

    async def start(self, publish: Publish) -> None: ...

    async def stop(self) -> None: ...

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        raise Busy
