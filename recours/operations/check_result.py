"""What a look at something found: whether it needs a hand, and which."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CheckState(StrEnum):
    """How serious a finding is. Only a fault needs a hand."""

    OK = "ok"
    REMARK = "remark"
    FAULT = "fault"


@dataclass(frozen=True)
class CheckResult:
    """What one look found, in words; `remedy` is what to do, for a remark or a fault."""

    name: str
    state: CheckState
    words: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "state": self.state, "words": self.words, "remedy": self.remedy or None}


def ok(name: str, words: str) -> CheckResult:
    """Nothing to do."""
    return CheckResult(name, CheckState.OK, words)


def remark(name: str, words: str, remedy: str = "") -> CheckResult:
    """Worth knowing; it may be meant like that."""
    return CheckResult(name, CheckState.REMARK, words, remedy)


def fault(name: str, words: str, remedy: str) -> CheckResult:
    """It does not work, or will not for long."""
    return CheckResult(name, CheckState.FAULT, words, remedy)
