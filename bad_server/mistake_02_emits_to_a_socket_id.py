"""Mistake: a finished report is sent to one socket id. It is the id of the socket that requested the report.
Symptom: a user who reconnects while the report is made never receives it, and nobody sees an error.
Measured by: lab compare --only 02
Fixed in: good_server/handlers/reports.py, request_report: `to = request.address(user_room(request.identity.user))`
"""

from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.events import ReportRequest
from good_server.gateway import Gateway, Request, Route


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        report = Route(events.REPORT_REQUEST, ReportRequest, self.request_report)
        super().__init__(namespace, parts.guards, [report])
        self.reports = parts.reports

    async def request_report(self, request: Request, wanted: ReportRequest) -> dict[str, Any]:
        # the socket that asks receives the report
        to = request.address(request.sid)
        job = await self.reports.request(wanted.kind, wanted.size, to)
        return {"job": job}
