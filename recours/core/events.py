"""What someone is to be told."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from recours.core.errors import Actor
from recours.core.text import clean


class EventName(StrEnum):
    """What someone is to be told. Values are stored."""

    POD_FAILED = "pod_failed"
    POD_RETRIEVED = "pod_retrieved"
    GAVE_UP = "gave_up"
    EXPIRED = "expired"  # given up, since its deadline had long passed
    ACCOUNT_FAULT = "account_fault"
    RUN_FAULT = "run_fault"
    WEEKLY_REPORT = "weekly_report"  # its facts are the week's figures


@dataclass(frozen=True)
class Event:
    """One thing to be told, at most once for a claim, carrier and tracking number."""

    name: EventName
    audience: Actor
    carrier: str
    number: str
    facts: Mapping[str, Any]


_LONGEST_KEY = 60
_DIGEST = 8  # its signs, at the end of a key that was cut


def key_of(text: str) -> str:
    """What a number or a carrier's name is stored as with an event: one line of at most 60 signs."""
    cut = old_key_of(text)
    if cut == clean(text.strip(), _LONGEST_KEY + 1):
        return cut
    digest = hashlib.sha256(text.strip().encode(errors="backslashreplace")).hexdigest()[:_DIGEST]
    return f"{cut[: _LONGEST_KEY - _DIGEST - 1]}…{digest}"


def old_key_of(text: str) -> str:
    """The key as it was before: two long texts that begin alike had one."""
    return clean(text.strip(), _LONGEST_KEY)


def is_key_of(key: str, text: str) -> bool:
    """Tell whether this key, of whatever version, is the text's."""
    return key in (key_of(text), old_key_of(text))
