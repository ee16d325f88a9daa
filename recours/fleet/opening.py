"""The job queue that the settings name."""

from recours.fleet import extra
from recours.fleet.jobs import JobQueue, NoFleetError
from recours.settings.model import Settings


def open_queue(settings: Settings) -> JobQueue:
    """Connects nowhere yet. Raises NoFleetError on SQLite, or without the extra."""
    if settings.database_url.get_backend_name() == "sqlite":
        raise NoFleetError(
            "Long-lived workers and their job queue need PostgreSQL: set DATABASE_URL. On SQLite the two workers that cron "
            "starts do all the work."
        )
    if problem := extra.problem():
        raise NoFleetError(
            f"Long-lived workers and their job queue need the extra 'fleet': {problem}. Install it: {extra.remedy()}"
        )
    from recours.fleet.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415 (an extra)

    return ProcrastinateQueue(settings.database_url)
