"""Optional part that makes reports, an example of heavy work. A team may delete or replace this folder."""

from ..observability import Metrics
from ..services.reports import Reports
from ..settings import Settings


def create_reports(settings: Settings, metrics: Metrics) -> Reports:
    """Create the queue of reports, which are slow jobs that clients request.

    The queue is in Redis if `SERVER_REDIS_URL` is set, and otherwise in memory.
    """
    if settings.redis_url is None:
        from .embedded import EmbeddedReports

        return EmbeddedReports(settings, metrics)
    from .queue import QueuedReports

    return QueuedReports(settings)
