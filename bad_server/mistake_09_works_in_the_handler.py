"""Mistake: the report is computed in the handler. The handler runs on the event loop that serves everyone.
Symptom: while one user's report is made, everybody's messages, acks and heartbeats wait.
Measured by: lab compare --only 09
Fixed in: good_server/handlers/reports.py, request_report: `await reports.request(wanted.kind, wanted.size, to)`
"""

import asyncio
import uuid
from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.events import ReportRequest
from good_server.gateway import Gateway, Request, Route
from good_server.handlers import chat
from good_server.rooms import user_room
from good_server.services.cpu import burn
from good_server.services.reports import compose


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        report = Route(events.REPORT_REQUEST, ReportRequest, self.make_report)
        super().__init__(namespace, parts.guards, (report, *chat.routes(parts.recent)))

    async def make_report(self, request: Request, wanted: ReportRequest) -> dict[str, Any]:
        job = uuid.uuid4().hex
        cpu_seconds = 0.0
        if wanted.kind == "cpu":
            cpu_seconds = burn(wanted.size)
        else:
            await asyncio.sleep(wanted.size / 1000)
        report = compose(job, wanted.kind, cpu_seconds)
        await request.emit(events.REPORT_READY, report, to=(user_room(request.identity.user),))
        return {"job": job}
