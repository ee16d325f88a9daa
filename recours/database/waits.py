"""How long a database's server is waited for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Waits:
    """How long a server is waited for, in seconds."""

    statement: float = 40.0  # for one statement; longer than a lock is waited for
    long_statement: float = 3600.0  # for one that goes through a whole table, or builds an index
    connect: float = 20.0  # for a connection, at each of the server's addresses
    quiet: float = 10.0  # then a second connection is asked for, and again as often
    hurried: float = 1.0  # the same when the run is to end
    answer: float = 5.0  # for that one
    # A server that fell silent is not tried again for so long: what is left of a run ends at once.
    silence: float = 20.0


USUAL = Waits()
