"""Email rules: events, clients' preferences, digest times, addresses, and whether an event is still valid."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from recours.core.accounts import carrier_of
from recours.core.claim import Claim
from recours.core.errors import Actor, ErrorKind
from recours.core.pauses import CLOCKS_DIFFER
from recours.core.text import clean
from recours.core.translations import LANGUAGES, N_, RecordedPhrase

# Digests are due at this hour in the zone of the deadlines; weekly digests on Mondays.
_DIGEST_HOUR = 8


class EventName(StrEnum):
    """The events that emails report. Values are stored."""

    POD_FAILED = "pod_failed"
    POD_RETRIEVED = "pod_retrieved"
    GAVE_UP = "gave_up"
    EXPIRED = "expired"  # given up because the deadline passed long ago
    ACCOUNT_FAULT = "account_fault"
    ACCOUNT_REFUSED = "account_refused"  # a client's own account
    RUN_FAULT = "run_fault"
    # Problems that `recours status` shows, under the same names.
    OUTAGE = "outage"
    TO_CORRECT = "to_correct"  # more than a few claims needed correction within a day
    REFUSED_DOCUMENTS = "refused_documents"
    WEEKLY_REPORT = "weekly_report"  # its facts are the week's figures


class Event(NamedTuple):
    """An event to report, at most once per claim, carrier and tracking number."""

    name: EventName
    audience: Actor
    carrier: str
    number: str
    facts: Mapping[str, Any]


_LONGEST_KEY = 60
_DIGEST = 8  # characters of the hash at the end of a truncated key


def key_of(text: str) -> str:
    """Return a tracking number or carrier name in the form that events store: one line of at most 60 characters."""
    cut = clean(text.strip(), _LONGEST_KEY)
    if cut == clean(text.strip(), _LONGEST_KEY + 1):
        return cut
    digest = hashlib.sha256(text.strip().encode(errors="backslashreplace")).hexdigest()[:_DIGEST]
    return f"{cut[: _LONGEST_KEY - _DIGEST - 1]}…{digest}"


class Frequency(StrEnum):
    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class MailKind(StrEnum):
    """The topic of an email. Values are stored, also in the service's `notification_type`."""

    POD_FAILED = "pod_failed"
    POD_RETRIEVED = "pod_retrieved"
    ACCOUNT_REFUSED = "account_refused"
    OPERATOR_SUMMARY = "operator_summary"
    WEEKLY_REPORT = "weekly_report"


class MailState(StrEnum):
    """The state of an email. Values are stored."""

    READY = "ready"
    HELD = "held"  # by the send limit, until someone releases it
    SENDING = "sending"  # the server has the email, or may have it
    SENT = "sent"
    FAILED = "failed"  # permanently refused
    CANCELLED = "cancelled"  # its reason no longer applies
    UNDECIDED = "undecided"  # a run died while sending it


# States of emails that are not finished.
OPEN_STATES = (MailState.READY, MailState.HELD, MailState.SENDING)

# Recorded with an event whose claim was corrected before an email was sent. Unlike other events, this event is reported
# later if its reason returns.
LAPSED = "its claim was mended before anybody was told"


class MailTrouble(RecordedPhrase):
    """Why sending an email failed or may have failed. `{where}`: the server; `{said}`: its answer or an error."""

    REFUSES_RECIPIENT = N_("the server rejects the recipient: {said}")
    REFUSES_MESSAGE = N_("the server rejects the message: {said}")
    REFUSES_US = N_("the server rejects our emails: {said}")
    TOO_LARGE = N_("the server accepts no message larger than {size} bytes")
    LINE_BROKE = N_("the connection broke after the message was handed over ({said})")
    RUN_DIED = N_("the run died while sending this email")
    RUN_ENDED = N_("the run was ending")
    MENDED = N_("its claims were corrected in the meantime")
    ACCEPTED_AGAIN = N_("the account is accepted again")
    BROKE_CONNECTION = N_("The mail server {where} broke the connection ({said})")
    TAKES_NO_MORE = N_("The mail server {where} accepts no more emails: {said}")
    NO_HOST = N_(
        "The mail server {where} cannot be used: its name, or this machine's own name, is not a valid host name"
    )
    REFUSES_LOGIN = N_("The mail server {where} rejects the login of {user}: {said}")
    NOT_OFFERED = N_("The mail server {where} does not support a required feature: {said}")
    INSECURE = N_("The mail server {where} cannot be reached securely: {said}")
    UNUSABLE = N_("The mail server {where} cannot be used: {said}")
    REFUSES_SENDER = N_("The mail server rejects the sender {sender}: {said}")
    NO_SENDER = N_("There is no sender address: set SMTP_FROM, or smtp_from in system_settings")


class Preferences(NamedTuple):
    pod_failed: bool = True
    pod_retrieved: bool = True
    frequency: Frequency = Frequency.IMMEDIATE
    language: str = "fr"
    account_refused: bool = True

    def wants(self, kind: MailKind) -> bool:
        """Return whether the client wants this kind of email. Kinds without a field cannot be declined."""
        return bool(getattr(self, kind, True))


def parse_preferences(text: str | None, language: str) -> tuple[Preferences, str | None]:
    """Return a client's preferences, and an error if some are unreadable. Unreadable preferences count as missing."""
    usual = Preferences(language=language)
    if text is None or not text.strip():
        return usual, None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return usual, "notification_preferences is not JSON"
    if not isinstance(content, dict):
        return usual, "notification_preferences is not a JSON object"
    values: dict[str, Any] = {}
    faults = []
    for name, allowed in _PREFERENCES.items():
        value = content.get(name)
        value = value.strip().lower() if isinstance(value, str) else value
        if isinstance(value, bool | int | str) and value in allowed:
            values[name] = allowed[value]
        elif value is not None:
            faults.append(name)
    # A client who declines `pod_failed` also declines `account_refused`, unless `account_refused` is set.
    values.setdefault("account_refused", values.get("pod_failed", usual.pod_failed))
    fault = f"notification_preferences: cannot read {', '.join(faults)}" if faults else None
    return usual._replace(**values), fault


_YES_NO = {True: True, False: False, "true": True, "false": False}
_PREFERENCES: dict[str, Mapping[Any, Any]] = {
    "pod_failed": _YES_NO,
    "account_refused": _YES_NO,
    "pod_retrieved": _YES_NO,
    "frequency": {frequency.value: frequency for frequency in Frequency},
    "language": {name: name for name in LANGUAGES},
}


def digest_due(written_at: datetime, frequency: Frequency, now: datetime, zone: ZoneInfo) -> bool:
    """Return whether to email an event now. An event that a wrong clock dated in the future is always due."""
    if frequency is Frequency.IMMEDIATE or written_at > now + CLOCKS_DIFFER:
        return True
    return written_at < _last_digest(frequency, now, zone)


def summary_due(last: datetime | None, now: datetime, zone: ZoneInfo) -> bool:
    """Return whether the operator's daily email is due. `last`: when the previous one was written.

    It is due once a day, from the digest hour on. If a day passed without an email, it is due at any hour. A time in
    the future, caused by a wrong clock, does not count.
    """
    if last is None or last > now + CLOCKS_DIFFER:
        return True
    local_now = now.astimezone(zone)
    days = (local_now.date() - last.astimezone(zone).date()).days
    return days > 1 or (days == 1 and local_now.hour >= _DIGEST_HOUR)


def reported_week(now: datetime, zone: ZoneInfo) -> date:
    """Return the Monday of the week to report: the last week that was over when weekly digests were last due."""
    made_up = _last_digest(Frequency.WEEKLY, now, zone).astimezone(zone).date()
    return made_up - timedelta(days=7)


def week_label(monday: date) -> str:
    """Format the ISO 8601 week, such as `2026-W06`."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def _last_digest(frequency: Frequency, now: datetime, zone: ZoneInfo) -> datetime:
    """Return when digests were last due."""
    local_now = now.astimezone(zone)
    day = local_now.replace(hour=_DIGEST_HOUR, minute=0, second=0, microsecond=0)
    if local_now < day:
        day -= timedelta(days=1)
    if frequency is Frequency.WEEKLY:
        day -= timedelta(days=day.weekday())
    return day.astimezone(UTC)


_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_LONGEST_ADDRESS = 254


def is_address(text: str | None) -> bool:
    """Return whether the text is a single plain email address, which cannot inject headers."""
    return text is not None and len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True)
class OutboxEvent:
    """A recorded event, read to write an email."""

    id: int
    name: EventName
    claim_id: Any
    carrier: str  # the account's key, or the key of the claim's carrier name
    number: str  # the key of the tracking number
    written_at: datetime
    facts: dict[str, Any] = field(default_factory=dict)


class Recipient(NamedTuple):
    client_id: Any
    email: str | None
    name: str | None
    is_active: bool
    preferences: str | None  # JSON


@dataclass(frozen=True)
class Draft:
    """A rendered email that is not stored yet."""

    message_id: str
    kind: MailKind
    client_id: Any
    recipient: str
    language: str
    subject: str
    plain: str
    html: str


@dataclass(frozen=True)
class OutgoingMail(Draft):
    """A stored email with the events that it reports."""

    id: int
    created_at: datetime
    events: tuple[OutboxEvent, ...]


@dataclass(frozen=True)
class Reasons:
    """The current state of the claims and accounts that events concern."""

    claims: Mapping[Any, Claim] = field(default_factory=dict)  # by id
    refused_accounts: Collection[str] = ()  # keys of clients' accounts that carriers reject


def listed_events(events: Sequence[OutboxEvent]) -> list[OutboxEvent]:
    """Return the events that an email lists. A claim that recours gave up on is listed once, even with two events."""
    gave_up = {_subject(event) for event in events if event.name is EventName.GAVE_UP}
    return [
        event for event in events if event.name is not EventName.POD_FAILED or _subject(event) not in gave_up
    ]


def _subject(event: OutboxEvent) -> tuple[Any, str, str]:
    return event.claim_id, event.carrier, event.number


FAULTS = (
    EventName.RUN_FAULT,
    EventName.ACCOUNT_FAULT,
    EventName.OUTAGE,
    EventName.REFUSED_DOCUMENTS,
    EventName.TO_CORRECT,
)


def is_of_client(event: OutboxEvent) -> bool:
    """Return whether the event concerns a client's account."""
    return carrier_of(event.carrier) != event.carrier


def is_listed_with_others(event: OutboxEvent) -> bool:
    """Return whether an email lists the account with others. For denied parcels, each account has its own command."""
    return is_of_client(event) and kind_of(event) is not ErrorKind.ACCESS_DENIED


def fault_key(event: OutboxEvent) -> tuple[object, ...] | None:
    """Return a key that identifies a fault, regardless of day and client; None if the event is not a fault."""
    if event.name not in FAULTS:
        return None
    return event.name, carrier_of(event.carrier), is_of_client(event), kind_of(event)


def is_still_valid(event: OutboxEvent, now: Reasons, skipped: frozenset[str]) -> bool:
    """Return whether the reason for an event still applies.

    A claim must still have no proof, the same number and carrier, and no skipped status. An account must still be
    rejected.
    """
    if event.name not in (EventName.POD_FAILED, EventName.ACCOUNT_REFUSED):
        return True
    if event.name is EventName.ACCOUNT_REFUSED:
        return event.carrier in now.refused_accounts
    claim = now.claims.get(event.claim_id)
    if claim is None or claim.fetch_status == "success":
        return False
    if (claim.claim_status or "").strip().lower() in skipped:
        return False
    carrier = key_of(claim.carrier or claim.carrier_name or event.carrier)
    return event.number == key_of(claim.number or "") and event.carrier == carrier


def kind_of(event: OutboxEvent) -> ErrorKind | None:
    kind = event.facts.get("kind")
    return ErrorKind(kind) if kind else None
