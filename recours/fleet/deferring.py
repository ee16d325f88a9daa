"""A job put into the queue by SQL alone, as a trigger in docs/several-machines.md does: quick, and without a pool of connections."""

from contextlib import suppress

from psycopg.errors import UniqueViolation

from recours.fleet.listening import connected

NOW = "recours_now"  # the queue of what is not for some carrier alone
_DEFER_FETCH = """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, 'recours.fetch_now', 0, NULL, %(lock)s,
    jsonb_build_object('reference', %(reference)s::text, 'asked_at', extract(epoch FROM clock_timestamp())), NULL
)::procrastinate_job_to_defer_v1])"""


def defer_fetch(conninfo: str, reference: str) -> None:
    """Have a claim fetched, unless a job for it waits already. Raises psycopg.Error."""
    names = {"queue": NOW, "lock": f"recours fetch {reference}", "reference": reference}
    with suppress(UniqueViolation), connected(conninfo) as server, server.transaction():
        server.execute(_DEFER_FETCH, names)
