"""Answers that are not recorded before later ones have told whose fault they are: the claim's, the account's, or the run's.

One parcel that is denied is not ours; five in a row are rather our account. One claim that our program stumbles over is
a strange claim; three that it stumbles over in the same place are a broken installation. Pure: of one lane in one run.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from recours.core.errors import REFUSED_KINDS, ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.installation import how_to_install_again

DENIALS = 5
SAME_MISTAKES = 3


class Suspect(StrEnum):
    """Whose fault several answers may be, other than their claims'."""

    ACCOUNT = "account"
    RUN = "run"


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
    is_any = isinstance(error, ImportError)
    return Mistake(message, f"{type(error).__name__} {place}", _remedy_of(error), of_any_claim=is_any)


def _remedy_of(error: Exception) -> str | None:
    """For what is the machine's fault, though an answer that takes all its memory is one claim's."""
    causes = (error, error.__cause__)
    if any(isinstance(each, MemoryError) for each in causes):
        return "This machine has too little memory for a run; '--concurrency 1' needs the least"
    if any(isinstance(each, ImportError) for each in causes):
        return f"Packages are missing or do not fit: {how_to_install_again()}"
    return None


@dataclass
class Doubts:
    """Denials and recours's own mistakes, by the ids of their claims, as long as nothing has decided about them."""

    denied: dict[Any, int] = field(default_factory=dict)  # and how many had been begun by then
    mistaken: list[Any] = field(default_factory=list)
    accepted: bool = False  # an answer about a claim of this run showed that the carrier accepts our account
    believed: bool = False  # denials are taken at their word
    guilty: set[Suspect] = field(default_factory=set)
    # Whose answers are to be recorded without using an attempt.
    excused: set[Any] = field(default_factory=set)
    _place: str = ""
    _of_any_claim: bool = False

    @property
    def puts_last(self) -> bool:
        """Tell whether the excused claims would else keep all others of the carrier from being asked about, run after run.

        Not where others were accepted before, or where a package is missing: then it is none of these claims' doing.
        """
        is_account = Suspect.ACCOUNT in self.guilty and not self.accepted
        return is_account or (Suspect.RUN in self.guilty and not self._of_any_claim)

    def waits(self, claim_id: Any) -> bool:
        """Tell whether the claim's answer is not to be recorded yet."""
        return claim_id in self.denied or claim_id in self.mistaken

    def hear(
        self,
        claim_id: Any,
        outcome: Outcome,
        *,
        accepted: bool,
        mistake: Mistake | None,
        place: int,
        begun: int,
        denied_before: bool = False,
    ) -> Suspect | None:
        """Take an answer; whose fault is to be examined now. What is not doubted any more may be recorded.

        `place`: as which one of the lane the claim was begun; `begun`: how many were so far. An acceptance tells nothing
        about a denial that came while its own call was under way. `denied_before`: the account of its client was denied
        the parcel already, so that another denial is the claim's own.
        """
        if mistake:
            return self._hear_mistake(claim_id, mistake)
        self.mistaken.clear()
        if is_denial(outcome):
            return None if denied_before else self._hear_denial(claim_id, begun)
        if accepted:
            self.accepted = True
            self.denied = {denied: before for denied, before in self.denied.items() if before >= place}
        return None

    def _hear_mistake(self, claim_id: Any, mistake: Mistake) -> Suspect | None:
        if Suspect.RUN in self.guilty:
            self.excused.add(claim_id)
            return None
        if mistake.place != self._place:
            self.mistaken.clear()
        self._place, self._of_any_claim = mistake.place, mistake.of_any_claim
        self.mistaken.append(claim_id)
        enough = mistake.remedy is not None or len(self.mistaken) >= SAME_MISTAKES
        return Suspect.RUN if enough else None

    def _hear_denial(self, claim_id: Any, begun: int) -> Suspect | None:
        if Suspect.ACCOUNT in self.guilty:
            self.excused.add(claim_id)
        elif not self.believed:
            self.denied[claim_id] = begun
        return Suspect.ACCOUNT if len(self.denied) >= DENIALS else None

    def condemn(self, suspect: Suspect) -> int:
        """It is their fault: of how many claims no attempt is used up."""
        waiting: dict[Any, int] | list[Any] = self.denied if suspect is Suspect.ACCOUNT else self.mistaken
        self.guilty.add(suspect)
        self.excused.update(waiting)
        excused = len(waiting)
        waiting.clear()
        return excused

    def believe(self) -> None:
        """Denials are the claims' own, in spite of their number."""
        self.believed = True
        self.denied.clear()

    def end(self) -> None:
        """No other answer will come: what is in doubt is the claims' own."""
        self.denied.clear()
        self.mistaken.clear()


def is_denial(outcome: Outcome) -> bool:
    """Tell whether an answer denies us one parcel."""
    if not isinstance(outcome, Failure):
        return False
    return outcome.kind is ErrorKind.ACCESS_DENIED or (outcome.alone and outcome.kind in REFUSED_KINDS)
