"""The log of the runs."""

import logging

log = logging.getLogger("__main__")
