"""Settings for property tests: few enough examples to run often, and always the same if CI is set.

`make test` sets FEWER_EXAMPLES and runs a third.
"""

import os

from hypothesis import HealthCheck, settings

FEWER = "FEWER_EXAMPLES" in os.environ

# No `database`: Hypothesis would create a folder of examples at the top of the project.
MODEST = settings(
    max_examples=20 if FEWER else 60,
    deadline=None,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
