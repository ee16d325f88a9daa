"""How property tests are run: the same examples each time where CI is set, few enough to be run often."""

import os

from hypothesis import HealthCheck, settings

# No folder of examples is left at the top of the project.
MODEST = settings(
    max_examples=60,
    deadline=None,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
