"""The history of a claim: attempts, emails and changes, latest first. All functions are pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from recours.core.actions import SERVICE, ChangeKind
from recours.core.carrier import Catalog
from recours.core.mail import MailState
from recours.core.sentences import sentence
from recours.core.text import clean
from recours.core.translations import N_
from recours.dashboard.texts import (
    CLAIM_STATUSES,
    EVENTS,
    FETCH_STATUSES,
    MAIL_STATES,
    NOTIFIED,
    OUTCOMES,
    PageTexts,
)
from recours.reporting.evidence import KIND_NAMES
from recours.reporting.labels import CHANGES, colon, quoted
from recours.reporting.records import Message, PastAttempt, PastChange
from recours.runs.ports import ATTACHED

_ICONS = {"success": "check", "failed": "cross", ATTACHED: "clip"}
_LONGEST_REASON = 300
# The names of changed values.
_VALUE_NAMES = {
    "number": N_("tracking number"),
    "carrier": N_("carrier"),
    "count": N_("retry count"),
    "kind": N_("kind"),
    "status": N_("fetch status"),
    "deadline": N_("deadline"),
}
_OF_CLAIM_STATUS = (ChangeKind.SET_ASIDE, ChangeKind.RESUMED)


@dataclass(frozen=True)
class HistoryEntry:
    at: datetime
    icon: str
    title: str
    lines: Sequence[str] = ()
    by: str = ""  # a person's name
    tone: str = ""


@dataclass(frozen=True)
class History:
    """Writes history entries in one language."""

    texts: PageTexts
    catalog: Catalog

    def entries(
        self, attempts: Sequence[PastAttempt], messages: Sequence[Message], changes: Sequence[PastChange]
    ) -> list[HistoryEntry]:
        """All entries, latest first. An attached file has one entry, with the name of the person from the change."""
        who = {
            change.at: self.texts.who(change.by) for change in changes if change.what == ChangeKind.ATTACHED
        }
        entries = [
            *(self._change(change) for change in changes if change.what != ChangeKind.ATTACHED),
            *(self._attempt(attempt, who.get(attempt.started_at, "")) for attempt in attempts),
            *map(self._message, messages),
        ]
        # Entries with the same time keep this order: the cause before its effect.
        return sorted(entries, key=lambda entry: entry.at)[::-1]

    def _attempt(self, attempt: PastAttempt, by: str) -> HistoryEntry:
        """The history entry for an attempt. `by`: the person who attached the document, if any."""
        texts = self.texts
        lines = []
        title = texts.label(OUTCOMES, attempt.outcome)
        if attempt.kind:
            title = texts.kind(attempt.kind)
        if attempt.explanation:
            lines.append(clean(sentence(texts.language, attempt.explanation), 500))
        elif attempt.message:
            lines.append(quoted(texts.language, attempt.message))
        if attempt.signed_by:
            lines.append(texts("signed by {who}", who=clean(attempt.signed_by, 100)))
        lines.append(" · ".join(self._circumstances(attempt)))
        tone = {"success": "good", ATTACHED: "good", "failed": "bad"}.get(attempt.outcome, "")
        icon = _ICONS.get(attempt.outcome, "pause")
        return HistoryEntry(attempt.started_at, icon, _capitalized(title), lines, by, tone)

    def _circumstances(self, attempt: PastAttempt) -> Iterator[str]:
        texts = self.texts
        if attempt.outcome == ATTACHED:
            yield texts("By hand")
        elif attempt.is_last:
            yield texts("Last attempt")
        else:
            yield texts("Retry {number}", number=attempt.retry) if attempt.retry else texts("First fetch")
        yield clean(self.catalog.name_of(attempt.carrier, attempt.carrier), 60)
        if attempt.account:
            yield texts("the client's own account")
        if attempt.number:
            yield clean(attempt.number, 60)
        if attempt.outcome == "left" and attempt.kind:
            yield texts("deferred, no attempt used")
        if attempt.outcome != ATTACHED:
            seconds = self.texts.number(attempt.duration_s, 1)
            yield texts.counted(
                "{count} call, {seconds} s", "{count} calls, {seconds} s", attempt.calls, seconds=seconds
            )

    def _message(self, message: Message) -> HistoryEntry:
        texts = self.texts
        at = message.ended_at or message.written_at
        if message.told is None:  # no email was written, or it was canceled
            at = message.written_at
            delivery = texts("not written yet")
        elif message.mail_state == MailState.SENT:
            delivery = texts("sent to {who}", who=clean(message.recipient or "", 100))
        elif message.mail_state:
            delivery = texts.label(MAIL_STATES, message.mail_state)
        else:
            delivery = clean(texts.label(NOTIFIED, message.told))
        title = texts("Email {what}", what=clean(texts.label(EVENTS, message.event)))
        return HistoryEntry(at, "mail", title, [delivery])

    def _change(self, change: PastChange) -> HistoryEntry:
        title = _capitalized(change_text(self.texts, change))
        return HistoryEntry(
            change.at, "edit" if change.by == SERVICE else "person", title, by=self.texts.who(change.by)
        )


def change_text(texts: PageTexts, change: PastChange) -> str:
    """Describe a change: `edited: carrier UPS → DHL, deadline none → 9 Mar 2026`."""
    parts = []
    names = _VALUE_NAMES | {"status": N_("claim status")} if change.what in _OF_CLAIM_STATUS else _VALUE_NAMES
    for name, value in change.details.items():
        label = texts.label(names, clean(name, 40))
        match name, value:
            case _, None:
                continue
            case "why", _:
                parts.append(texts("'{value}'", value=clean(value, _LONGEST_REASON)))
            case _, [old, new]:
                parts.append(
                    f"{label} {_value(texts, change, name, old)} → {_value(texts, change, name, new)}"
                )
            case _:
                quotation = texts("'{value}'", value=_value(texts, change, name, value))
                parts.append(f"{label} {quotation}")
    title = texts.label(CHANGES, change.what)
    return f"{title}{colon(texts.language)}{', '.join(parts)}" if parts else title


def _value(texts: PageTexts, change: PastChange, name: str, value: Any) -> str:
    if name == "status":
        statuses = CLAIM_STATUSES if change.what in _OF_CLAIM_STATUS else FETCH_STATUSES
        return clean(texts.label(statuses, (value or "").lower()), 60)
    if name == "deadline":
        return texts.day(date.fromisoformat(value)) if value else texts.in_context("deadline", "none")
    if name == "kind":
        return clean(texts.label(KIND_NAMES, value), 60)
    return texts("none") if value is None else clean(value, 60)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
