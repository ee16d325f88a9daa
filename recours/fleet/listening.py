"""Whether a database's notifications arrive: they do not through a pooler that hands each transaction to another session."""

import psycopg

_CHANNEL, _PATIENCE_S = "recours_probe", 2.0


def notifications_arrive(conninfo: str) -> bool:
    """Send one to find out; takes two seconds where they do not. Raises psycopg.Error."""
    with (
        psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as listener,
        psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as other,
    ):
        listener.execute(f"LISTEN {_CHANNEL}")
        other.execute(f"NOTIFY {_CHANNEL}")
        return any(True for _ in listener.notifies(timeout=_PATIENCE_S, stop_after=1))
