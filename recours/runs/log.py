"""The logger of the runs, with the name that the guide fixes."""

import logging

log = logging.getLogger("__main__")
