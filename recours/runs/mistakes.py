"""recours's own mistakes in a fetch.

One claim that the program stumbles over is a strange claim; three in a row that it stumbles over in the same place are a
broken installation. Pure: of one lane in one run.
"""

from dataclasses import dataclass, field
from typing import Any

from recours.core.errors import MACHINE_FAULTS, RAISE_FILE_LIMIT
from recours.host.installation import how_to_install_again

SAME_MISTAKES = 3


@dataclass(frozen=True)
class Mistake:
    """An exception of recours's own in a fetch: which one, and where.

    `remedy`: known from the first one on; None: not known. `of_any_claim`: any other would have met it too.
    """

    message: str
    place: str
    remedy: str | None = None
    of_any_claim: bool = False


def mistake_of(error: Exception) -> Mistake:
    """What it was, and the line that raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    message = f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__
    is_any = isinstance(error, ImportError) or _lacks_files(error)
    return Mistake(message, f"{type(error).__name__} {place}", _remedy_of(error), of_any_claim=is_any)


def _remedy_of(error: Exception) -> str | None:
    """For what is the machine's fault, though an answer that takes all its memory is one claim's."""
    causes = (error, error.__cause__)
    if any(isinstance(each, MemoryError) for each in causes):
        return "This machine has too little memory for a run; '--concurrency 1' needs the least"
    if _lacks_files(error):
        return f"This machine has no file or no memory left. {RAISE_FILE_LIMIT}"
    if any(isinstance(each, ImportError) for each in causes):
        return f"Packages are missing or do not fit: {how_to_install_again()}"
    return None


def _lacks_files(error: Exception) -> bool:
    causes = (error, error.__cause__)
    return any(isinstance(each, OSError) and each.errno in MACHINE_FAULTS for each in causes)


@dataclass
class Mistakes:
    """The mistakes of a lane, by the ids of their claims. They are not recorded before it is known whose fault they are."""

    waiting: list[Any] = field(default_factory=list)  # in a row, in the same place
    # Whose answers are to be recorded without using an attempt.
    excused: set[Any] = field(default_factory=set)
    is_run_at_fault: bool = False
    _place: str = ""
    _of_any_claim: bool = False

    @property
    def puts_last(self) -> bool:
        """Tell whether the excused claims would else keep all others of the carrier from being asked about, run after run.

        Not where a package is missing: then it is none of these claims' doing.
        """
        return self.is_run_at_fault and not self._of_any_claim

    def note(self, claim_id: Any, mistake: Mistake | None) -> int:
        """Take an answer, or the mistake in its place; returns how many claims are excused if the run is at fault from now on.

        What does not wait any more may be recorded.
        """
        if mistake is None:
            self.waiting.clear()
        elif self.is_run_at_fault:
            self.excused.add(claim_id)
        else:
            if mistake.place != self._place:
                self.waiting.clear()
            self._place, self._of_any_claim = mistake.place, mistake.of_any_claim
            self.waiting.append(claim_id)
            if mistake.remedy is not None or len(self.waiting) >= SAME_MISTAKES:
                self.is_run_at_fault = True
                self.excused.update(self.waiting)
                self.waiting.clear()
                return len(self.excused)
        return 0
