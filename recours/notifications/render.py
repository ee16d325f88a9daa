"""A mail's subject, plain text and HTML, out of the events that it tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind, is_persistent
from recours.core.events import EventName
from recours.core.mail import MailKind, OutboxEvent, kind_of, things
from recours.core.sentences import said_by, sentence
from recours.core.text import clean, counted
from recours.notifications.texts import WORDS, Advice, MailTexts
from recours.operations.labels import quoted, said_or_quoted

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_NAMED = 20  # claims that expired
_LONGEST_REFERENCE, _LONGEST_ERROR, _LONGEST_NAME, _LONGEST_SUBJECT = 100, 300, 80, 150


@dataclass(frozen=True)
class Branding:
    """What every mail shows of the service."""

    service: str = ""
    claim_url: str = ""  # with {reference}
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Rendered:
    """A mail's words."""

    subject: str
    plain: str
    html: str


@dataclass(frozen=True)
class _Item:
    title: str
    lines: tuple[tuple[str, str], ...]
    link: str = ""


def render(
    kind: MailKind,
    told: Sequence[OutboxEvent],
    language: str,
    name: str | None,
    head: Branding,
    catalog: Catalog,
) -> Rendered:
    """The mail that tells these events. Foreign text is cleaned here, and escaped by the template."""
    words = WORDS[language]
    told = things(told)
    expired = [event for event in told if event.name is EventName.EXPIRED]
    items = [
        _item(event, kind, words, head, catalog) for event in told if event.name is not EventName.EXPIRED
    ]
    items += [_expired(expired, words)] if expired else []
    subject = clean(_subject(kind, told, len(items), words), _LONGEST_SUBJECT)
    intro = {
        MailKind.POD_FAILED: words.failed,
        MailKind.POD_RETRIEVED: words.retrieved,
        MailKind.OPERATOR_SUMMARY: words.summary,
    }[kind]
    shown = clean(name, _LONGEST_NAME) if name else ""
    values: dict[str, Any] = {
        "subject": subject,
        "hello": words.hello.format(name=shown) if shown else words.hello_nobody,
        "intro": intro,
        "items": items,
        "words": words,
        "service": head.service or words.unknown_service,
        "language": language,
        "colon": " :" if language == "fr" else ":",
    }
    texts = environment()
    return Rendered(
        subject,
        texts.get_template("mail.txt.j2").render(values),
        texts.get_template("mail.html.j2").render(values),
    )


@cache
def environment() -> "Environment":
    """Where the templates are."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 (loaded with the first mail)

    return Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=select_autoescape(("html.j2",), default_for_string=True),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _subject(kind: MailKind, told: Sequence[OutboxEvent], count: int, words: MailTexts) -> str:
    forms = {
        MailKind.POD_FAILED: words.subject_failed,
        MailKind.POD_RETRIEVED: words.subject_retrieved,
        MailKind.OPERATOR_SUMMARY: words.subject_summary,
    }[kind]
    return counted(words.language, forms, count, reference=_reference(told[0]))


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)


def _item(event: OutboxEvent, kind: MailKind, words: MailTexts, head: Branding, catalog: Catalog) -> _Item:
    carrier = catalog.name_of(event.carrier, clean(event.carrier, 60))
    if event.name in (EventName.ACCOUNT_FAULT, EventName.RUN_FAULT):
        subject = words.account if event.name is EventName.ACCOUNT_FAULT else words.run
        return _Item(f"{subject} {carrier}", ((words.happened, _reason(event, carrier, words)),))
    lines = [(words.carrier, carrier), (words.number, clean(event.number, 60) or words.none)]
    reference = _reference(event)
    if event.name is EventName.POD_RETRIEVED:
        lines += _retrieved(event, words, head)
    elif kind is MailKind.OPERATOR_SUMMARY:
        lines += _left_to_operator(event, carrier, words)
    else:
        lines += _failed(event, carrier, words)
    link = head.claim_url.replace("{reference}", quote(reference, safe="")) if head.claim_url else ""
    return _Item(reference, tuple(lines), link)


def _expired(told: Sequence[OutboxEvent], words: MailTexts) -> _Item:
    """Claims whose deadline has long passed: one thing, however many they are."""
    shown = [_reference(event) for event in told[:_MOST_NAMED]]
    more = words.more.format(count=len(told) - len(shown)) if len(told) > len(shown) else ""
    days = max((event.facts["days"] for event in told if isinstance(event.facts.get("days"), int)), default=0)
    return _Item(
        counted(words.language, words.expired, len(told)),
        (
            (words.happened, counted(words.language, words.expired_happened, days)),
            (words.claims, ", ".join(shown) + more),
            (words.do, words.expired_do.format(reference=shown[0])),
        ),
    )


def _retrieved(event: OutboxEvent, words: MailTexts, head: Branding) -> list[tuple[str, str]]:
    attempts = event.facts.get("attempts")
    count = attempts if isinstance(attempts, int) else 1
    lines = [(words.happened, counted(words.language, words.attempts, count))]
    if at := _moment(event.facts.get("delivered_at")):
        lines.append((words.delivered, f"{at.astimezone(head.zone):%Y-%m-%d %H:%M}"))
    elif day := _day(event.facts.get("delivered_day")):
        lines.append((words.delivered, day))
    if signatory := event.facts.get("signatory"):
        lines.append((words.signed_by, clean(signatory, 100)))
    return lines


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def _day(text: Any) -> str | None:
    """An ISO date: the carrier told no moment, so no time is shown."""
    try:
        return date.fromisoformat(text).isoformat() if isinstance(text, str) else None
    except ValueError:
        return None


def _left_to_operator(event: OutboxEvent, carrier: str, words: MailTexts) -> list[tuple[str, str]]:
    """The sentence alone, and whether that was the end: what a client could do is none of their business."""
    lines = [(words.happened, _error(event, carrier, words))]
    retries = event.facts.get("turns")
    if event.name is EventName.GAVE_UP and isinstance(retries, int):
        kind = kind_of(event)
        is_final = kind is not None and is_persistent(kind)
        told = words.gave_up_final if is_final else counted(words.language, words.gave_up, retries)
        lines.append((words.means, told))
    return lines


def _failed(event: OutboxEvent, carrier: str, words: MailTexts) -> list[tuple[str, str]]:
    """For the client, with the sentence about this very failure as a detail."""
    advice = _advice(event, words)
    return [
        (words.happened, advice.happened),
        (words.means, advice.means),
        (words.do, advice.do),
        (words.detail, _error(event, carrier, words)),
    ]


def _error(event: OutboxEvent, carrier: str, words: MailTexts) -> str:
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    return said_or_quoted(words.language, said_by(event.facts, carrier), kind_of(event), text)


def _reason(event: OutboxEvent, carrier: str, words: MailTexts) -> str:
    """Of a carrier's account, or of a run. The English one has details for the operator, such as a command."""
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    if words.language == "en":
        return text
    said = said_by(event.facts, carrier)
    return sentence(words.language, said) if said else quoted(words.language, text)


def _advice(event: OutboxEvent, words: MailTexts) -> Advice:
    kind = kind_of(event)
    if kind is ErrorKind.INVALID_TRACKING and not event.number:
        return words.no_number
    return words.advice[kind if kind in words.advice else None]
