"""What is mailed to whom, and when: events, preferences, digests, addresses, reasons that are gone."""

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

# Digests are made up at this hour, in the zone of the deadlines; weekly ones on Mondays.
_DIGEST_HOUR = 8


class EventName(StrEnum):
    """What someone is to be told. Values are stored."""

    POD_FAILED = "pod_failed"
    POD_RETRIEVED = "pod_retrieved"
    GAVE_UP = "gave_up"
    EXPIRED = "expired"  # given up, since its deadline had long passed
    ACCOUNT_FAULT = "account_fault"
    ACCOUNT_REFUSED = "account_refused"  # the client's own, by its carrier
    RUN_FAULT = "run_fault"
    # Problems of the verdict, by their names there.
    OUTAGE = "outage"
    TO_CORRECT = "to_correct"  # more than a handful of claims, within a day
    REFUSED_DOCUMENTS = "refused_documents"
    WEEKLY_REPORT = "weekly_report"  # its facts are the week's figures


class Event(NamedTuple):
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
    """What a mail is about. Values are stored, and are the service's `notification_type`."""

    POD_FAILED = "pod_failed"
    POD_RETRIEVED = "pod_retrieved"
    ACCOUNT_REFUSED = "account_refused"
    OPERATOR_SUMMARY = "operator_summary"
    WEEKLY_REPORT = "weekly_report"


class MailState(StrEnum):
    """Where a mail stands. Values are stored."""

    READY = "ready"
    HELD = "held"  # by the brake, until someone releases it
    SENDING = "sending"  # the server was given it, or may have been
    SENT = "sent"
    FAILED = "failed"  # refused for good
    CANCELLED = "cancelled"  # its reason was gone
    UNDECIDED = "undecided"  # a run died while it was sending it


# Those of mails that are not ended.
OPEN_STATES = (MailState.READY, MailState.HELD, MailState.SENDING)

# What is kept with an event that was not mailed, since its claim was corrected first. Such a one, and no other, is to
# be told after all if its reason comes back.
LAPSED = "its claim was mended before anybody was told"


class MailTrouble(RecordedPhrase):
    """Why a mail did not go out, or perhaps did. `{where}`: the server; `{said}`: what it said, or the system."""

    REFUSES_RECIPIENT = N_("the server refuses the recipient: {said}")
    REFUSES_MESSAGE = N_("the server refuses the message: {said}")
    REFUSES_US = N_("the server refuses us: {said}")
    TOO_LARGE = N_("the server takes no message larger than {size} bytes")
    LINE_BROKE = N_("the line broke after the message was given away ({said})")
    RUN_DIED = N_("the run died while sending it")
    RUN_ENDED = N_("the run was to end")
    MENDED = N_("its claims were mended meanwhile")
    ACCEPTED_AGAIN = N_("the account is accepted again")
    BROKE_CONNECTION = N_("The mail server {where} broke the connection ({said})")
    TAKES_NO_MORE = N_("The mail server {where} takes no more: {said}")
    NO_HOST = N_(
        "The mail server {where} cannot be used: that, or this machine's own name, is not the name of a host"
    )
    REFUSES_LOGIN = N_("The mail server {where} refuses the login of {user}: {said}")
    NOT_OFFERED = N_("The mail server {where} does not offer what is asked of it: {said}")
    INSECURE = N_("The mail server {where} cannot be reached securely: {said}")
    UNUSABLE = N_("The mail server {where} cannot be used: {said}")
    REFUSES_SENDER = N_("The mail server refuses the sender {sender}: {said}")
    NO_SENDER = N_("There is no address to send from: SMTP_FROM is not set, nor smtp_from in system_settings")


class Preferences(NamedTuple):
    pod_failed: bool = True
    pod_retrieved: bool = True
    frequency: Frequency = Frequency.IMMEDIATE
    language: str = "fr"
    account_refused: bool = True

    def wants(self, kind: MailKind) -> bool:
        """Return whether mails of a kind are wanted. Each kind that can be declined has a field of its name."""
        return bool(getattr(self, kind, True))


def parse_preferences(text: str | None, language: str) -> tuple[Preferences, str | None]:
    """A client's preferences, and what of them could not be read: that is as if it were missing."""
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
    # A client who wants no mail about what is missing wants none about why, unless they say so.
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
    """Return whether what was written then is to be told by now: also what a wrong clock dated into the future."""
    if frequency is Frequency.IMMEDIATE or written_at > now + CLOCKS_DIFFER:
        return True
    return written_at < _last_digest(frequency, now, zone)


def summary_due(last: datetime | None, now: datetime, zone: ZoneInfo) -> bool:
    """Return whether the operator's mail of the day is to be written; `last`: when the latest one was.

    One a day, from the hour of digests on. After a day without one, at any hour. A `last` that a wrong clock dated into the
    future does not count.
    """
    if last is None or last > now + CLOCKS_DIFFER:
        return True
    local_now = now.astimezone(zone)
    days = (local_now.date() - last.astimezone(zone).date()).days
    return days > 1 or (days == 1 and local_now.hour >= _DIGEST_HOUR)


def reported_week(now: datetime, zone: ZoneInfo) -> date:
    """The Monday of the last week that is to be reported by now: it was over when weekly digests were made up."""
    made_up = _last_digest(Frequency.WEEKLY, now, zone).astimezone(zone).date()
    return made_up - timedelta(days=7)


def week_label(monday: date) -> str:
    """`2026-W06`, as ISO 8601 has it."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def _last_digest(frequency: Frequency, now: datetime, zone: ZoneInfo) -> datetime:
    """The latest time, not after `now`, at which digests are made up."""
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
    """Return whether mail can be sent there: one plain address, nothing that could forge a header."""
    return text is not None and len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True)
class OutboxEvent:
    """An event as it is read for a mail."""

    id: int
    name: EventName
    claim_id: Any
    carrier: str  # its key, or that of the name that the claim had
    number: str  # its key
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
    """A mail that was rendered, and not kept yet."""

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
    """A mail that is kept. `events`: those that it reports."""

    id: int
    created_at: datetime
    events: tuple[OutboxEvent, ...]


@dataclass(frozen=True)
class Reasons:
    """What the reasons of some events are about, as it is now."""

    claims: Mapping[Any, Claim] = field(default_factory=dict)  # by their ids
    refused_accounts: Collection[str] = ()  # the keys of clients' accounts that carriers refuse


def things(events: Sequence[OutboxEvent]) -> list[OutboxEvent]:
    """What a mail is about. A claim that gave up is one thing, also if the mail says why as well."""
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
    """Return whether it is about a client's account, by the account's key."""
    return carrier_of(event.carrier) != event.carrier


def is_listed_with_others(event: OutboxEvent) -> bool:
    """Return whether one line is enough for all accounts of clients with this fault; parcels denied have a command each."""
    return is_of_client(event) and kind_of(event) is not ErrorKind.ACCESS_DENIED


def trouble_of(event: OutboxEvent) -> tuple[object, ...] | None:
    """What a fault has in common with the same one of another day, or of another client; None: it is no fault."""
    if event.name not in FAULTS:
        return None
    return event.name, carrier_of(event.carrier), is_of_client(event), kind_of(event)


def is_still_valid(event: OutboxEvent, now: Reasons, skipped: frozenset[str]) -> bool:
    """Return whether the reason of an event is still there: what somebody is to mend, they may have mended.

    Its claim was neither mended, nor corrected, nor settled; or the account is still refused.
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
