"""The form of a case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.bad_input_world import SCHEDULER, Ran, World

Prepare = Callable[[World], None]
Check = Callable[[World, Ran], None]


@dataclass(frozen=True)
class Case:
    """One kind of bad input, and what a run makes of it."""

    name: str
    status: int
    # Sentences that a person understands: each stands on stderr, and in the log where one can be written.
    says: tuple[str, ...]
    options: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)  # None: not set
    prepare: Prepare | None = None
    check: Check | None = None
    worker: str = SCHEDULER
    logged: bool = True  # the sentence is in the log too
    copied: bool = False  # needs files in the root, so runs in a copy of the checkout
    modes_bind: bool = False  # the run is bound by file modes, even if root starts it
    memory_mb: int | None = None  # the run must make do with this
    calls: bool = False  # the carrier is asked; if not, the case shows that it is not
    seconds: int = 30  # that a run takes at most, on a busy machine too; hardly any needs three
    full: bool = False  # repeats another case or takes long: left to `make test-full`
    internal: bool = False  # our own fault: a traceback in the log is right


def case(name: str, status: int, *says: str, **more: Any) -> Case:
    """A case; its sentences as arguments."""
    return Case(name, status, says, **more)
