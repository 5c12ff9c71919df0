"""Interface of the report queue, and the message about a finished report.

A report is a slow job that a client requests, an example of heavy work. The folder `reports/` implements the queue; a
team may delete or replace it.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..errors import Busy, Internal
from ..events import CpuSeconds, ReportError, ReportKind, ReportReady
from ..rooms import Address

# sends a finished report to its address: `await publish(address, report)`
Publish = Callable[[Address, ReportReady], Awaitable[None]]


def compose(job: str, kind: ReportKind, cpu_seconds: float | None) -> ReportReady:
    """Return the message about a finished report. If `cpu_seconds` is None, the report has failed."""
    if cpu_seconds is None:
        failed = ReportError(code=Internal.code, message="the report could not be made")
        return ReportReady(job=job, kind=kind, error=failed)
    return ReportReady(job=job, kind=kind, result=CpuSeconds(cpu_seconds=cpu_seconds))


class Reports(Protocol):
    """Interface of a queue of reports. Your own queue needs `start`, `stop` and `request`.

    A report is a slow job that a client requests. The queue may have an attribute `failing`: the names of its
    long-lived tasks that failed recently.
    """

    async def start(self, publish: Publish) -> None:
        """Start making reports. The server calls this once, when it starts.

        For each finished report, call `publish(address, report)`: it sends the report to the rooms in `address`.
        """

    async def stop(self) -> None:
        """Stop making reports. The server calls this after it has disconnected its clients."""

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Queue a report and return its job id.

        The work takes `size` milliseconds. The finished report is sent to the rooms in `to`. Raises `Busy` if too many
        reports wait.
        """


class NoReports:
    """Placeholder for a server that makes no reports. `report:request` is then an unknown event."""

    async def start(self, publish: Publish) -> None: ...

    async def stop(self) -> None: ...

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        raise Busy
