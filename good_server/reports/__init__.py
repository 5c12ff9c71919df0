"""Optional part that makes reports, an example of heavy work. A team may delete or replace this folder."""

from ..observability import Metrics
from ..services.reports import Reports
from ..settings import Settings


def create_reports(settings: Settings, metrics: Metrics) -> Reports:
    """Create the queue of reports. It is in Redis if `SERVER_REDIS_URL` is set, else in memory."""
    if settings.redis_url is None:
        from .embedded import EmbeddedReports

        return EmbeddedReports(settings, metrics)
    from .queue import QueuedReports

    return QueuedReports(settings)
