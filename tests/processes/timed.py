"""The fork server's job for commands that use `job["at"]` as the current time and are reproducible.

Their clock is simulated, and their waits have no jitter. A database server has the real time: its offset is not
measured, and the order of two equally urgent claims does not depend on when it vacuumed their table.
"""

import random
import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event

# Before others import them by name.
random.random = lambda: 0.5

from recours.database import engine  # noqa: E402

engine.clock_offset = lambda *_: timedelta()

from recours.sandbox import SimulatedClock  # noqa: E402
from tests.processes import child  # noqa: E402

_ORDER = re.compile(r"ORDER BY recours_claims\.\w+(?=\s+LIMIT)")
_TOLD = ("now", "monotonic", "sleep")


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def _break_ties(*execution: Any) -> tuple[str, Any]:
    _, _, statement, parameters, *_ = execution
    return _ORDER.sub(r"\g<0>, recours_claims.claim_id", statement), parameters


def run(job: dict[str, Any]) -> int:
    """Run like `tests.processes.child`."""
    clock = SimulatedClock(datetime.fromisoformat(job["at"]))
    for name in _TOLD:
        setattr(engine.SystemClock, name, staticmethod(getattr(clock, name)))
    return child.run(job)
