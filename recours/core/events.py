"""What someone is to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from recours.core.errors import Actor


class EventName(StrEnum):
    """What someone is to be told. Values are stored."""

    POD_FAILED = "pod_failed"
    POD_RETRIEVED = "pod_retrieved"
    GAVE_UP = "gave_up"
    ACCOUNT_FAULT = "account_fault"
    WEEKLY_REPORT = "weekly_report"  # its facts are the week's figures


@dataclass(frozen=True)
class Event:
    """One thing to be told, at most once for a claim, carrier and tracking number."""

    name: EventName
    audience: Actor
    carrier: str
    number: str
    facts: Mapping[str, Any]
