"""Reports, the example of heavy work: pool, queue and worker."""

from ..services.reports import Reports
from ..settings import Settings


def create_reports(settings: Settings) -> Reports:
    """Return a queue in Redis if that is set, else in memory."""
    if settings.redis_url is None:
        from .embedded import EmbeddedReports

        return EmbeddedReports(settings)
    from .queue import QueuedReports

    return QueuedReports(settings)
