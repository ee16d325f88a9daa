"""The texts of carriers with and without a proof of delivery, in six languages, from `words.toml`."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

from tests.corpus.parcels import LANGUAGES, month_name


@dataclass(frozen=True, kw_only=True)
class Words:
    """Sentences have the names `carrier`, `number`, `date`, `name` and `place` in braces."""

    proof: str
    number: str
    delivered_on: str
    signed_by: str
    place: str
    status: str
    delivered: str
    signature: str
    sender: str
    recipient: str
    weight: str
    reference: str
    greeting: str
    letter: list[str]
    closing: str
    left: list[str]
    photo: str
    events: list[str]  # before the delivery, the first event first
    menu: list[str]
    footer: list[str]
    people: list[str]
    places: list[tuple[str, str]]


_TEXTS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
# By kind and language, with a bar between title and body.
MESSAGES: dict[str, dict[str, list[str]]] = _TEXTS["messages"]
CONDITIONS: dict[str, list[str]] = _TEXTS["conditions"]
INVOICE: dict[str, list[str]] = _TEXTS["invoice"]
WAYBILL: dict[str, str] = _TEXTS["waybill"]


def _words(position: int, language: str) -> Words:
    labels = {label: texts[position] for label, texts in _TEXTS["labels"].items()}
    return Words(**labels, **_TEXTS["sentences"][language], places=_TEXTS["places"][language])


WORDS = {language: _words(position, language) for position, language in enumerate(LANGUAGES)}


def date_with_truth(random: Random, language: str, at: datetime) -> tuple[str, date | datetime]:
    """In a national form, with its meaning for a reader; one in six has no time."""
    forms = _TEXTS["forms"][language]
    truth: date | datetime = at
    if random.random() < 1 / 6:
        forms = _TEXTS["day_forms"][language]
        truth = at.date()
    month = month_name(at, language)
    weekday = _TEXTS["days"][language].split()[at.weekday()]
    return random.choice(forms).format(d=at, m=month, s=month[:3], w=weekday), truth
