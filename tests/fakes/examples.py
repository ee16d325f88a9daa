"""Settings for property tests: the same examples each time with CI set, and few enough to run often.

`make test` sets FEWER_EXAMPLES and runs a third.
"""

import os

from hypothesis import HealthCheck, settings

FEWER = "FEWER_EXAMPLES" in os.environ

# Leave no folder of examples at the top of the project.
MODEST = settings(
    max_examples=20 if FEWER else 60,
    deadline=None,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
