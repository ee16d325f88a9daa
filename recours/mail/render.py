"""Render an email about claims (subject, plain text and HTML) from its events, in French or English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.disputes import findings_text
from recours.core.errors import TRAITS, ErrorKind, is_persistent
from recours.core.evidence import Findings
from recours.core.localized import Localized, typeset
from recours.core.mail import (
    FAULTS,
    EventName,
    MailKind,
    OutboxEvent,
    is_listed_with_others,
    kind_of,
    listed_events,
)
from recours.core.sentences import explanation_in, sentence
from recours.core.text import clean
from recours.core.translations import N_, Counted
from recours.host.installation import pasteable
from recours.mail.subjects import subject_of
from recours.reporting.labels import explain_or_quote, quoted

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
MOST_CLAIMS = 200  # listed in one email
_MOST_NAMES = 20  # expired claims, or clients with rejected accounts, listed by name
_LONGEST_REFERENCE = 100
_LONGEST_ERROR = 300
_LONGEST_NAME = 80
_LONGEST_PROBLEM = 1000  # more than for an error, because a problem may list files


@dataclass(frozen=True)
class Branding:
    service: str = ""
    claim_url: str = ""  # with {reference}
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Rendered:
    subject: str
    plain: str
    html: str


@dataclass(frozen=True)
class Section:
    """A section of an email: a title and labeled lines."""

    title: str
    lines: Sequence[tuple[str, str]]
    link: str = ""


def render(
    kind: MailKind,
    events: Sequence[OutboxEvent],
    language: str,
    name: str | None,
    branding: Branding,
    catalog: Catalog,
    blocked: Mapping[str, int] | None = None,
) -> Rendered:
    """Render the email about these events. External text is cleaned here and escaped by the template.

    `blocked`: the number of blocked claims by account key, for the subject.
    """
    texts = Localized(language, branding.zone)
    events = listed_events(events)
    expired = [event for event in events if event.name is EventName.EXPIRED]
    faults = [event for event in events if event.name is EventName.ACCOUNT_FAULT]
    client_faults = [event for event in faults if is_listed_with_others(event)]
    grouped = {event.id for event in (*expired, *client_faults)}
    single = sorted(
        (event for event in events if event.id not in grouped), key=lambda e: e.name not in FAULTS
    )
    sections = [_section(event, kind, texts, branding, catalog) for event in single[:MOST_CLAIMS]]
    if more := [_reference(event) for event in single[MOST_CLAIMS:]]:
        title = texts.counted("{count} more claim", "{count} more claims", len(more))
        sections.append(Section(title, [(texts("Claims"), _name_list(more, texts))]))
    sections += [_expired(expired, texts)] if expired else []
    sections += _client_accounts(client_faults, texts, catalog)
    addressee = clean(name, _LONGEST_NAME) if name else ""
    subject = subject_of(kind, events, language, catalog, blocked or {})
    intro = texts.counted(*_INTROS[kind], len(sections))
    return render_sections(subject, intro, sections, texts, branding, name=addressee)


def render_sections(
    subject: str,
    intro: str,
    sections: Sequence[Section],
    texts: Localized,
    branding: Branding,
    *,
    name: str = "",
) -> Rendered:
    """Render an email from its sections. `name`: the reader's name."""
    values = {
        "subject": subject,
        "hello": texts("Hello {name},", name=name) if name else texts("Hello,"),
        "intro": intro,
        "sections": sections,
        "texts": texts,
        "service": branding.service or texts("The claims service"),
        "language": texts.language,
        "colon": " :" if texts.language == "fr" else ":",
    }
    templates = _environment()
    plain, html = (templates.get_template(f"mail.{form}.j2").render(values) for form in ("txt", "html"))
    return Rendered(subject, typeset(plain, texts.language), typeset(html, texts.language))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 (imported with the first email)

    return Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=select_autoescape(("html.j2",), default_for_string=True),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)


def _section(
    event: OutboxEvent, kind: MailKind, texts: Localized, branding: Branding, catalog: Catalog
) -> Section:
    carrier = catalog.name_of(event.carrier, clean(event.carrier, 60))
    if event.name in FAULTS:
        return Section(texts(_FAULTS[event.name], carrier=carrier), _fault(event, carrier, texts))
    if event.name is EventName.ACCOUNT_REFUSED:
        return Section(carrier, _account_refused(event, carrier, texts))
    lines = [
        (texts("Carrier"), carrier),
        (texts("Tracking number"), clean(event.number, 60) or texts("(none)")),
    ]
    reference = _reference(event)
    if event.name is EventName.POD_RETRIEVED:
        lines += _retrieved(event.facts, texts)
    elif kind is MailKind.OPERATOR_SUMMARY:  # leaves out the advice to clients
        lines.append((texts("What happened"), _error(event, carrier, texts)))
        if event.name is EventName.GAVE_UP:
            lines.append((texts("How it ended"), _end(event, texts)))
    else:
        lines += _failed(event, carrier, texts)
    link = branding.claim_url.replace("{reference}", quote(reference, safe="")) if branding.claim_url else ""
    return Section(reference, lines, link)


def _expired(events: Sequence[OutboxEvent], texts: Localized) -> Section:
    """One section for all claims whose deadline has long passed."""
    references = [_reference(event) for event in events]
    title = texts.counted(
        "{count} claim given up: deadline passed", "{count} claims given up: deadline passed", len(events)
    )
    happened = texts.counted(
        "The response deadline passed more than {count} day ago, so recours no longer asks the carrier.",
        "The response deadline passed more than {count} days ago, so recours no longer asks the carrier.",
        max(event.facts["days"] for event in events),
    )
    remedy = texts(
        "If you still need the proof, reopen the claim: recours reopen {reference}",
        reference=references[0],
    )
    return Section(
        title,
        [
            (texts("What happened"), happened),
            (texts("Claims"), _name_list(references, texts)),
            (texts("What you can do"), pasteable(remedy)),
        ],
    )


def _client_accounts(events: Sequence[OutboxEvent], texts: Localized, catalog: Catalog) -> list[Section]:
    """One section per carrier, with all client accounts that the carrier rejects."""
    by_carrier: dict[str, dict[str, list[str]]] = {}  # by carrier, then by label of the error
    for event in events:
        kind = kind_of(event)
        label = texts(TRAITS[kind].label) if kind else texts("What happened")
        clients = by_carrier.setdefault(carrier_of(event.carrier), {}).setdefault(label, [])
        clients.append(clean(event.facts.get("client") or event.carrier, 100))
    sections = []
    for carrier, clients_by_label in by_carrier.items():
        title = texts.counted(
            "{carrier}: {count} client account rejected",
            "{carrier}: {count} client accounts rejected",
            sum(map(len, clients_by_label.values())),
            carrier=catalog.name_of(carrier, carrier),
        )
        lines = [(label, _name_list(names, texts)) for label, names in clients_by_label.items()]
        remedy = pasteable(texts("List the accounts and the reasons: recours accounts list"))
        sections.append(Section(title, [*lines, (texts("What you can do"), remedy)]))
    return sections


def _name_list(names: Sequence[str], texts: Localized) -> str:
    """The first names, and the number of further names."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (texts(" and {count} more", count=more) if more > 0 else "")


def _account_refused(event: OutboxEvent, carrier: str, texts: Localized) -> list[tuple[str, str]]:
    """Lines for the client who owns the account, with the carrier's own message as a detail."""
    happened = N_("{carrier} rejects the credentials of your account.")
    meaning = N_(
        "Your {carrier} claims are on hold. No attempt is lost, and we continue as soon as {carrier} accepts the account."
    )
    remedy = N_(
        "Please ask {carrier} whether the password or key was changed or has expired. Then send us the new credentials the same way as the first ones, but never by email."
    )
    if kind_of(event) is ErrorKind.ACCOUNT_DENIED:
        happened = N_("{carrier} recognizes your account, but does not authorize it to use this service.")
        remedy = N_(
            "Please ask {carrier} to give this account API access to tracking and proofs of delivery."
        )
    lines = [
        (texts("What happened"), texts(happened, carrier=carrier)),
        (texts("What it means"), texts(meaning, carrier=carrier)),
        (texts("What you can do"), texts(remedy, carrier=carrier)),
    ]
    if words := clean(event.facts.get("words") or "", _LONGEST_ERROR):
        lines.append((texts("Technical detail"), quoted(texts.language, words)))
    return lines


def _retrieved(facts: Mapping[str, Any], texts: Localized) -> list[tuple[str, str]]:
    happened = texts("attached manually")
    if not facts.get("by_hand"):
        happened = texts.counted(
            "obtained after {count} attempt", "obtained after {count} attempts", facts["attempts"]
        )
    lines = [(texts("Proof of delivery"), happened)]
    if document := facts.get("shown"):
        lines.append((texts("What it shows"), clean(findings_text(Findings(**document), None, texts))))
    if at := facts.get("delivered_at"):
        lines.append((texts("Delivered on"), texts.minute(datetime.fromisoformat(at))))
    elif day := facts.get("delivered_day"):
        lines.append((texts("Delivered on"), texts.day(date.fromisoformat(day))))
    if signatory := facts.get("signatory"):
        lines.append((texts("Signed by"), clean(signatory, 100)))
    return lines


def _end(event: OutboxEvent, texts: Localized) -> str:
    """How recours gave up: the number of attempts, and whether a last attempt was made."""
    kind = kind_of(event)
    has_last = event.facts.get("last_attempt")
    if kind and is_persistent(kind) and has_last:
        return texts(
            "Given up after a last attempt before the deadline, without another call, because the error is final"
        )
    if kind and is_persistent(kind):
        return texts("Given up without another call, because the error is final")
    if has_last:
        return texts.counted(
            "Given up after {count} attempt and a last attempt before the deadline",
            "Given up after {count} attempts and a last attempt before the deadline",
            event.facts["attempts"],
        )
    return texts.counted(
        "Given up after {count} attempt", "Given up after {count} attempts", event.facts["attempts"]
    )


def _failed(event: OutboxEvent, carrier: str, texts: Localized) -> list[tuple[str, str]]:
    """Lines for the client. The error is added as a technical detail, unless it only repeats what happened."""
    kind = kind_of(event)
    advice = ADVICE.get(kind or "", ADVICE["other"])
    if kind is ErrorKind.INVALID_TRACKING and not event.number:
        advice = ADVICE["no_number"]
    happened, meaning, remedy = map(texts, advice)
    lines = [(texts("What happened"), happened), (texts("What it means"), meaning)]
    if event.facts.get("final") and event.facts.get("last_attempt"):
        lines.append((texts("How it ended"), _end(event, texts)))
    lines.append((texts("What you can do"), remedy))
    if deadline := event.facts.get("deadline"):
        lines.append((texts("Deadline of the claim"), texts.day(date.fromisoformat(deadline))))
    detail = _error(event, carrier, texts, to_client=True)
    if detail != happened.rstrip("."):
        lines.append((texts("Technical detail"), detail))
    return lines


def _error(event: OutboxEvent, carrier: str, texts: Localized, *, to_client: bool = False) -> str:
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    explanation = explanation_in(event.facts, carrier)
    return explain_or_quote(texts.language, explanation, kind_of(event), text, to_client=to_client)


def _fault(event: OutboxEvent, carrier: str, texts: Localized) -> list[tuple[str, str]]:
    """Lines about a problem, account or run. English emails use the recorded text, with details such as commands."""
    if problem := event.facts.get("problem"):
        remedy = pasteable(event.facts["remedy"])
        return [
            (texts("What happened"), clean(problem, _LONGEST_PROBLEM)),
            (texts("What you can do"), remedy),
        ]
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    if texts.language == "en":
        return [(texts("What happened"), text)]
    if explanation := explanation_in(event.facts, carrier):
        return [(texts("What happened"), sentence(texts.language, explanation))]
    lines = [(texts("Technical detail"), quoted(texts.language, text))]
    if kind := kind_of(event):
        lines.insert(0, (texts("What happened"), texts(TRAITS[kind].label)))
    return lines


# ---------------------------------------------------------------- texts

_INTROS = {
    MailKind.POD_FAILED: Counted(
        "We could not obtain the proof of delivery for the following claim.",
        "We could not obtain the proof of delivery for the following claims.",
    ),
    MailKind.POD_RETRIEVED: Counted(
        "We have obtained the proof of delivery for the following claim. You do not need to do anything.",
        "We have obtained the proof of delivery for the following claims. You do not need to do anything.",
    ),
    MailKind.ACCOUNT_REFUSED: Counted(
        "We can no longer request your proofs of delivery from the following carrier.",
        "We can no longer request your proofs of delivery from the following carriers.",
    ),
    MailKind.OPERATOR_SUMMARY: Counted(
        "The following issue needs your attention.",
        "The following issues need your attention.",
    ),
}
_FAULTS = {
    EventName.ACCOUNT_FAULT: N_("{carrier} account"),
    EventName.OUTAGE: N_("{carrier} unavailable"),
    EventName.TO_CORRECT: N_("Claims to correct"),
    EventName.REFUSED_DOCUMENTS: N_("Documents from {carrier} refused"),
    EventName.RUN_FAULT: N_("Error in recours ({carrier})"),
}

# For each kind of error: what happened, what it means for the client, and what they can do.
ADVICE: dict[str, tuple[str, str, str]] = {
    "no_number": (
        N_("The claim has no tracking number."),
        N_("Without a tracking number, we cannot ask the carrier for the proof of delivery."),
        N_(
            "Please add the tracking number to the claim as soon as possible. You will find it on the shipping label or in "
            "the shipping confirmation. We will then ask the carrier automatically."
        ),
    ),
    ErrorKind.INVALID_TRACKING: (
        N_("The tracking number is not valid for this carrier."),
        N_("The carrier cannot find the parcel with this number."),
        N_(
            "Please check the number on the shipping label or in the shipping confirmation, and correct it in the claim as "
            "soon as possible. We will then ask the carrier again automatically."
        ),
    ),
    ErrorKind.NOT_FOUND: (
        N_("The carrier does not know this tracking number."),
        N_("Even on our last attempt, the carrier found no parcel with this number."),
        N_(
            "Please check the tracking number and the carrier, and correct the claim as soon as possible. We will then ask "
            "the carrier again automatically."
        ),
    ),
    ErrorKind.ACCESS_DENIED: (
        N_("The carrier refuses to give us information about this parcel."),
        N_("The carrier knows the parcel, but the parcel was not sent under the contract that we use."),
        N_(
            "Please tell us which contract the parcel was sent under, or ask the carrier for the proof of delivery yourself."
        ),
    ),
    ErrorKind.RETURNED_TO_SENDER: (
        N_("The carrier returned the parcel to its sender."),
        N_("The recipient did not receive this parcel, so there will be no proof of delivery to them."),
        N_("Please check whether the parcel came back to you, and update the claim accordingly."),
    ),
    ErrorKind.POD_NEVER_AVAILABLE: (
        N_("The carrier has no proof of delivery for this parcel."),
        N_(
            "Either the carrier told us that it has none, or the proof is so late that we no longer expect one."
        ),
        N_(
            "Please add other evidence to the claim, such as the carrier's tracking page, messages from the recipient or a "
            "proof of posting."
        ),
    ),
    "other": (
        N_("We have not received the proof of delivery from the carrier."),
        N_("Our last attempt failed too, so we have stopped asking."),
        N_("You can ask the carrier for the proof directly, or add other evidence to the claim."),
    ),
}
