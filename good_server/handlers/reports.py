"""Handler of `report:request`. A finished report is sent to all tabs of the user who requested it."""

from typing import Any

from .. import events
from ..events import ReportRequest, ReportTaken
from ..gateway import Request, Route
from ..rooms import user_room
from ..services.reports import Reports


def routes(reports: Reports) -> tuple[Route, ...]:
    """Return the route of `report:request`: the event with its handler and checks.

    `reports` is the queue that makes the reports.
    """

    async def request_report(request: Request, wanted: ReportRequest) -> dict[str, Any]:
        # the job keeps the room of the user, not the socket, which may be gone when the report is ready
        to = request.address(user_room(request.identity.user))
        return {"job": await reports.request(wanted.kind, wanted.size, to)}

    return (Route(events.REPORT_REQUEST, ReportRequest, request_report, answer=ReportTaken),)
