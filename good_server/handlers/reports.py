"""Reports: asked for here, made elsewhere, and delivered to the user, on whichever tabs the user then has."""

from typing import Any

from good_server import events
from good_server.errors import Internal
from good_server.events import CpuSeconds, ReportError, ReportReady, ReportRequest
from good_server.gateway import Request, Route
from good_server.rooms import user_room
from good_server.services.reports import Reports


def routes(reports: Reports) -> tuple[Route, ...]:
    """`reports` makes them, away from the event loop."""

    async def request_report(request: Request, wanted: ReportRequest) -> dict[str, Any]:
        # the job keeps the user, not the request: by the time it is done, that socket may be long gone
        gateway, to = request.gateway, (user_room(request.identity.user),)

        async def deliver(job: str, cpu_seconds: float | None) -> None:
            failed = ReportError(code=Internal.code, message="the report could not be made")
            message = ReportReady(
                job=job,
                kind=wanted.kind,
                result=CpuSeconds(cpu_seconds=cpu_seconds) if cpu_seconds is not None else None,
                error=failed if cpu_seconds is None else None,
            )
            await gateway.send(events.REPORT_READY, message, to=to)

        return {"job": reports.request(wanted.kind, wanted.size, deliver)}

    return (Route(events.REPORT_REQUEST, ReportRequest, request_report),)
