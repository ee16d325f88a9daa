"""A mail about claims: its subject, plain text and HTML, in French and English, out of the events that it tells."""

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
from recours.core.localized import Localized
from recours.core.mail import FAULTS, EventName, MailKind, OutboxEvent, is_listed_with_others, kind_of, things
from recours.core.sentences import explanation_in, sentence
from recours.core.text import clean
from recours.core.translations import N_
from recours.host.installation import pasteable
from recours.mail.subjects import subject_of
from recours.reporting.labels import explain_or_quote, quoted

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
MOST_CLAIMS = 200  # that a mail lists
_MOST_NAMED = 20  # claims that expired, clients whose accounts are refused
_LONGEST_REFERENCE = 100
_LONGEST_ERROR = 300
_LONGEST_NAME = 80
_LONGEST_PROBLEM = 1000  # it names files


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
class Item:
    """A section of a mail: its lines, each a label and a text."""

    title: str
    lines: Sequence[tuple[str, str]]
    link: str = ""


def render(
    kind: MailKind,
    events: Sequence[OutboxEvent],
    language: str,
    name: str | None,
    head: Branding,
    catalog: Catalog,
    blocked: Mapping[str, int] | None = None,
) -> Rendered:
    """The mail that tells these events. Foreign text is cleaned here, and escaped by the template.

    `blocked`: how many claims wait, by the key of their account, for its subject.
    """
    texts = Localized(language, head.zone)
    events = things(events)
    expired = [event for event in events if event.name is EventName.EXPIRED]
    faults = [event for event in events if event.name is EventName.ACCOUNT_FAULT]
    of_clients = [event for event in faults if is_listed_with_others(event)]
    together = {event.id for event in (*expired, *of_clients)}
    alone = sorted(
        (event for event in events if event.id not in together), key=lambda e: e.name not in FAULTS
    )
    items = [_item(event, kind, texts, head, catalog) for event in alone[:MOST_CLAIMS]]
    if more := [_reference(event) for event in alone[MOST_CLAIMS:]]:
        title = texts.counted("{count} more claim", "{count} more claims", len(more))
        items.append(Item(title, [(texts("Claims"), _named(more, texts))]))
    items += [_expired(expired, texts)] if expired else []
    items += _accounts_of_clients(of_clients, texts, catalog)
    addressee = clean(name, _LONGEST_NAME) if name else ""
    subject = subject_of(kind, events, language, catalog, blocked or {})
    return mail_of(subject, texts(_INTROS[kind]), items, texts, head, name=addressee)


def mail_of(
    subject: str, intro: str, items: Sequence[Item], texts: Localized, head: Branding, *, name: str = ""
) -> Rendered:
    """The mail of these items. `name`: of its reader."""
    values = {
        "subject": subject,
        "hello": texts("Hello {name},", name=name) if name else texts("Hello,"),
        "intro": intro,
        "items": items,
        "texts": texts,
        "service": head.service or texts("The claims service"),
        "language": texts.language,
        "colon": " :" if texts.language == "fr" else ":",
    }
    templates = _environment()
    plain, html = (templates.get_template(f"mail.{form}.j2").render(values) for form in ("txt", "html"))
    return Rendered(subject, plain, html)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 (loaded with the first mail)

    return Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=select_autoescape(("html.j2",), default_for_string=True),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)


def _item(event: OutboxEvent, kind: MailKind, texts: Localized, head: Branding, catalog: Catalog) -> Item:
    carrier = catalog.name_of(event.carrier, clean(event.carrier, 60))
    if event.name in FAULTS:
        return Item(f"{texts(_FAULTS[event.name])} {carrier}".rstrip(), _fault(event, carrier, texts))
    if event.name is EventName.ACCOUNT_REFUSED:
        return Item(carrier, _account_refused(event, carrier, texts))
    lines = [
        (texts("Carrier"), carrier),
        (texts("Tracking number"), clean(event.number, 60) or texts("(none)")),
    ]
    reference = _reference(event)
    if event.name is EventName.POD_RETRIEVED:
        lines += _retrieved(event.facts, texts)
    elif kind is MailKind.OPERATOR_SUMMARY:  # what a client could do is none of their business
        lines.append((texts("What happened"), _error(event, carrier, texts)))
        if event.name is EventName.GAVE_UP:
            lines.append((texts("What it means"), _end(event, texts)))
    else:
        lines += _failed(event, carrier, texts)
    link = head.claim_url.replace("{reference}", quote(reference, safe="")) if head.claim_url else ""
    return Item(reference, lines, link)


def _expired(events: Sequence[OutboxEvent], texts: Localized) -> Item:
    """Claims whose deadline has long passed: one thing, however many they are."""
    references = [_reference(event) for event in events]
    title = texts.counted(
        "{count} claim given up: deadline passed", "{count} claims given up: deadline passed", len(events)
    )
    happened = texts.counted(
        "The response deadline passed more than {count} day ago: the carrier is not asked any more.",
        "The response deadline passed more than {count} days ago: the carrier is not asked any more.",
        max(event.facts["days"] for event in events),
    )
    remedy = texts(
        "If a proof is still of use, have the claim start over: recours reopen {reference}",
        reference=references[0],
    )
    return Item(
        title,
        [
            (texts("What happened"), happened),
            (texts("Claims"), _named(references, texts)),
            (texts("What you can do"), pasteable(remedy)),
        ],
    )


def _accounts_of_clients(events: Sequence[OutboxEvent], texts: Localized, catalog: Catalog) -> list[Item]:
    """One thing for each carrier, however many accounts it refuses."""
    by_carrier: dict[str, dict[str, list[str]]] = {}  # and by what is wrong
    for event in events:
        kind = kind_of(event)
        label = texts(TRAITS[kind].label) if kind else texts("What happened")
        clients = by_carrier.setdefault(carrier_of(event.carrier), {}).setdefault(label, [])
        clients.append(clean(event.facts.get("client") or event.carrier, 100))
    items = []
    for carrier, clients_by_label in by_carrier.items():
        title = texts.counted(
            "{carrier}: {count} account of clients",
            "{carrier}: {count} accounts of clients",
            sum(map(len, clients_by_label.values())),
            carrier=catalog.name_of(carrier, carrier),
        )
        lines = [(label, _named(names, texts)) for label, names in clients_by_label.items()]
        remedy = pasteable(texts("To see which ones and why: recours accounts list"))
        items.append(Item(title, [*lines, (texts("What you can do"), remedy)]))
    return items


def _named(names: Sequence[str], texts: Localized) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (texts(" and {count} more", count=more) if more > 0 else "")


def _account_refused(event: OutboxEvent, carrier: str, texts: Localized) -> list[tuple[str, str]]:
    """For the client whose account it is, with the carrier's own message as a detail."""
    happened = N_("{carrier} rejects the credentials of your account.")
    meaning = N_(
        "Your {carrier} claims wait. No attempt is lost: the search goes on once the account is accepted."
    )
    remedy = N_(
        "Check with {carrier} whether the password or key was changed or has expired. Then give us the new credentials the way you gave us the first ones, but never by e-mail."
    )
    if kind_of(event) is ErrorKind.ACCOUNT_DENIED:
        happened = N_("{carrier} knows your account, but does not let it use this service.")
        remedy = N_("Ask {carrier} to give this account access by API to tracking and proofs of delivery.")
    lines = [
        (texts("What happened"), texts(happened, carrier=carrier)),
        (texts("What it means"), texts(meaning, carrier=carrier)),
        (texts("What you can do"), texts(remedy, carrier=carrier)),
    ]
    if words := clean(event.facts.get("words") or "", _LONGEST_ERROR):
        lines.append((texts("Technical detail"), quoted(texts.language, words)))
    return lines


def _retrieved(facts: Mapping[str, Any], texts: Localized) -> list[tuple[str, str]]:
    happened = texts("attached by hand")
    if not facts.get("by_hand"):
        happened = texts.counted(
            "obtained after {count} attempt", "obtained after {count} attempts", facts["attempts"]
        )
    lines = [(texts("What happened"), happened)]
    if document := facts.get("shown"):
        lines.append((texts("What it shows"), clean(findings_text(Findings(**document), None, texts))))
    if at := facts.get("delivered_at"):
        local = texts.local(datetime.fromisoformat(at))
        hour = f"{local:à %H h %M %Z}" if texts.language == "fr" else f"{local:%H:%M %Z}"
        lines.append((texts("Delivered on"), f"{texts.day(local)} {hour}"))
    elif day := facts.get("delivered_day"):
        lines.append((texts("Delivered on"), texts.day(date.fromisoformat(day))))
    if signatory := facts.get("signatory"):
        lines.append((texts("Signed by"), clean(signatory, 100)))
    return lines


def _end(event: OutboxEvent, texts: Localized) -> str:
    """After how many attempts a claim gave up, and whether a last attempt was among them."""
    kind = kind_of(event)
    has_last = event.facts.get("last_attempt")
    if kind and is_persistent(kind) and has_last:
        return texts(
            "Given up after a last attempt before the deadline: the error is final, so no further call was made"
        )
    if kind and is_persistent(kind):
        return texts("Given up: the error is final, so no further call was made")
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
    """For the client, with the sentence about this very failure as a detail."""
    kind = kind_of(event)
    advice = ADVICE.get(kind or "", ADVICE["other"])
    if kind is ErrorKind.INVALID_TRACKING and not event.number:
        advice = ADVICE["no_number"]
    happened, meaning, remedy = map(texts, advice)
    lines = [(texts("What happened"), happened), (texts("What it means"), meaning)]
    if event.facts.get("final") and event.facts.get("last_attempt"):
        lines.append((texts("How it ended"), _end(event, texts)))
    lines.append((texts("What you can do"), remedy))
    lines.append((texts("Technical detail"), _error(event, carrier, texts, to_client=True)))
    return lines


def _error(event: OutboxEvent, carrier: str, texts: Localized, *, to_client: bool = False) -> str:
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    explanation = explanation_in(event.facts, carrier)
    return explain_or_quote(texts.language, explanation, kind_of(event), text, to_client=to_client)


def _fault(event: OutboxEvent, carrier: str, texts: Localized) -> list[tuple[str, str]]:
    """Of a carrier's account, of a run, or a problem. The English text has details for the operator, such as a command."""
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


# ---------------------------------------------------------------- what is said to people

_INTROS = {
    MailKind.POD_FAILED: N_("We could not obtain the proof of delivery:"),
    MailKind.POD_RETRIEVED: N_("We have obtained the proof of delivery:"),
    MailKind.ACCOUNT_REFUSED: N_("We can no longer ask for your proofs of delivery:"),
    MailKind.OPERATOR_SUMMARY: N_("To check:"),
}
_FAULTS = {
    EventName.ACCOUNT_FAULT: N_("The carrier's account"),
    EventName.OUTAGE: N_("Carrier unavailable:"),
    EventName.TO_CORRECT: N_("Claims to correct"),
    EventName.REFUSED_DOCUMENTS: N_("Refused documents:"),
    EventName.RUN_FAULT: N_("recours itself failed:"),
}

# What happened, what it means to a client, and what they can do.
ADVICE: dict[str, tuple[str, str, str]] = {
    "no_number": (
        N_("The claim has no tracking number."),
        N_("Without this number we cannot ask the carrier for the proof of delivery."),
        N_(
            "Enter the number that is on the label or the shipping confirmation in the claim: the search then resumes "
            "automatically."
        ),
    ),
    ErrorKind.INVALID_TRACKING: (
        N_("The tracking number is not valid for this carrier."),
        N_("With this number the carrier cannot find the parcel."),
        N_(
            "Check the number on the label or the shipping confirmation, and correct it in the claim: "
            "the search then resumes automatically."
        ),
    ),
    ErrorKind.NOT_FOUND: (
        N_("The carrier does not know this number."),
        N_("Even on our last attempt it found no parcel with this number."),
        N_(
            "Check the number and the carrier, and correct them in the claim: the search then resumes automatically."
        ),
    ),
    ErrorKind.ACCESS_DENIED: (
        N_("The carrier refuses to tell us about this parcel."),
        N_("The carrier knows the parcel, but it does not belong to the contract with which we ask."),
        N_(
            "Tell us the contract that it was sent with, or ask the carrier for the proof of delivery yourself."
        ),
    ),
    ErrorKind.RETURNED_TO_SENDER: (
        N_("The carrier took the parcel back to its sender."),
        N_("The recipient did not receive this parcel, so no proof of delivery to them will exist."),
        N_("Check whether the parcel came back to you, and adapt the claim accordingly."),
    ),
    ErrorKind.POD_NEVER_AVAILABLE: (
        N_("The carrier has no proof of delivery for this parcel."),
        N_("It answers that there is none, or it should have come long ago: we expect none any more."),
        N_(
            "Add another piece of evidence to the claim: the carrier's tracking, what the recipient wrote, a proof of "
            "posting."
        ),
    ),
    "other": (
        N_("We have not received the proof of delivery."),
        N_("Our last attempt failed too, so we have stopped trying."),
        N_("You can ask the carrier for it directly, or add another piece of evidence to the claim."),
    ),
}
