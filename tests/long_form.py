"""RECOURS_LONG=1 selects the long form of tests and benchmarks: every case, more repeats, larger sizes."""

import os

IS_LONG = os.environ.get("RECOURS_LONG", "") not in ("", "0")
