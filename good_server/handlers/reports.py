"""Reports: asked for here, made elsewhere, and delivered to the user, on whichever tabs the user then has."""

from typing import Any

from .. import events
from ..events import ReportRequest
from ..gateway import Request, Route
from ..rooms import user_room
from ..services.reports import Reports


def routes(reports: Reports) -> tuple[Route, ...]:
    """`reports` makes them, away from the event loop."""

    async def request_report(request: Request, wanted: ReportRequest) -> dict[str, Any]:
        # the job keeps the user, not the request: by the time it is done, that socket may be long gone
        to = request.address(user_room(request.identity.user))
        return {"job": await reports.request(wanted.kind, wanted.size, to)}

    return (Route(events.REPORT_REQUEST, ReportRequest, request_report),)
