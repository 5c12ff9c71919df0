"""Reports: asked for here, made elsewhere, and delivered to the user, on whichever tabs the user then has."""

from typing import Any

from good_server import events
from good_server.errors import Internal
from good_server.events import CpuSeconds, ReportError, ReportKind, ReportReady, ReportRequest
from good_server.gateway import Request, Route
from good_server.rooms import user_room
from good_server.services.reports import Reports


def compose(job: str, kind: ReportKind, cpu_seconds: float | None) -> ReportReady:
    """What is told of a report that ended; without `cpu_seconds` it failed."""
    if cpu_seconds is None:
        failed = ReportError(code=Internal.code, message="the report could not be made")
        return ReportReady(job=job, kind=kind, error=failed)
    return ReportReady(job=job, kind=kind, result=CpuSeconds(cpu_seconds=cpu_seconds))


def routes(reports: Reports) -> tuple[Route, ...]:
    """`reports` makes them, away from the event loop."""

    async def request_report(request: Request, wanted: ReportRequest) -> dict[str, Any]:
        # the job keeps the user, not the request: by the time it is done, that socket may be long gone
        gateway, to = request.gateway, (user_room(request.identity.user),)

        async def deliver(job: str, cpu_seconds: float | None) -> None:
            await gateway.send(events.REPORT_READY, compose(job, wanted.kind, cpu_seconds), to=to)

        return {"job": reports.request(wanted.kind, wanted.size, deliver)}

    return (Route(events.REPORT_REQUEST, ReportRequest, request_report),)
