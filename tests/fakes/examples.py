"""How property tests are run: the same examples each time where CI is set, few enough to be run often.

`make test` sets FEWER_EXAMPLES and takes a third.
"""

import os

from hypothesis import HealthCheck, settings

FEWER = "FEWER_EXAMPLES" in os.environ

# No folder of examples is left at the top of the project.
MODEST = settings(
    max_examples=20 if FEWER else 60,
    deadline=None,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
