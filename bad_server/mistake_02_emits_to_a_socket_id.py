"""Mistake: a finished report is sent to the socket id that asked for it.
Symptom: whoever reconnects while the report is made never gets it, and nobody sees an error.
Measured by: lab compare --only 02
Put right in: good_server/handlers/reports.py, request_report: `to=to`, which is `user_room(request.identity.user)`
"""

from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.events import ReportRequest
from good_server.gateway import Gateway, Request, Route
from good_server.handlers.reports import compose


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards, [Route(events.REPORT_REQUEST, ReportRequest, self.request_report)])
        self.reports = parts.reports

    async def request_report(self, request: Request, wanted: ReportRequest) -> dict[str, Any]:
        async def deliver(job: str, cpu_seconds: float | None) -> None:
            report = compose(job, wanted.kind, cpu_seconds)
            await request.emit(events.REPORT_READY, report, to=(request.sid,))

        return {"job": self.reports.request(wanted.kind, wanted.size, deliver)}
