"""The fork server's job for reproducible commands whose current time is `job["at"]`.

Their clock is simulated, and their waits have no jitter. The offset of the database server, which has the real time, is
not measured. The order of equally urgent claims does not depend on when the server vacuumed their table.
"""

import random
import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event

# Replaced before other modules import these functions by name.
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
