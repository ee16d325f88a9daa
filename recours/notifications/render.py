"""A mail about claims: its subject, plain text and HTML, in French and English, out of the events that it tells."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind, is_persistent
from recours.core.mail import EventName, MailKind, OutboxEvent, kind_of, things
from recours.core.sentences import said_by, sentence
from recours.core.text import Texts, clean
from recours.installation import pasteable
from recours.operations.labels import quoted, said_or_quoted

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_NAMED = 20  # claims that expired
_LONGEST_REFERENCE, _LONGEST_ERROR, _LONGEST_NAME, _LONGEST_SUBJECT = 100, 300, 80, 150


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
    texts = Texts(language, TEXTS[language])
    told = things(told)
    expired = [event for event in told if event.name is EventName.EXPIRED]
    items = [
        _item(event, kind, texts, head, catalog) for event in told if event.name is not EventName.EXPIRED
    ]
    items += [_expired(expired, texts)] if expired else []
    subject = texts.counted(f"subject_{kind}", len(items), reference=_reference(told[0]))
    shown = clean(name, _LONGEST_NAME) if name else ""
    values: dict[str, Any] = {
        "subject": clean(subject, _LONGEST_SUBJECT),
        "hello": texts("hello", name=shown) if shown else texts("hello_nobody"),
        "intro": texts(f"intro_{kind}"),
        "items": items,
        "texts": texts,
        "service": head.service or texts("unknown_service"),
        "language": language,
        "colon": " :" if language == "fr" else ":",
    }
    return from_templates("mail", values)


def from_templates(name: str, values: Mapping[str, Any]) -> Rendered:
    """The templates `name.txt.j2` and `name.html.j2`, filled in."""
    templates = _environment()
    plain, html = (templates.get_template(f"{name}.{form}.j2").render(values) for form in ("txt", "html"))
    return Rendered(values["subject"], plain, html)


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


def _item(event: OutboxEvent, kind: MailKind, texts: Texts, head: Branding, catalog: Catalog) -> _Item:
    carrier = catalog.name_of(event.carrier, clean(event.carrier, 60))
    if event.name in (EventName.ACCOUNT_FAULT, EventName.RUN_FAULT):
        return _Item(f"{texts(event.name)} {carrier}", ((texts("happened"), _reason(event, carrier, texts)),))
    lines = [(texts("carrier"), carrier), (texts("number"), clean(event.number, 60) or texts("none"))]
    reference = _reference(event)
    if event.name is EventName.POD_RETRIEVED:
        lines += _retrieved(event, texts, head)
    elif kind is MailKind.OPERATOR_SUMMARY:
        lines += _left_to_operator(event, carrier, texts)
    else:
        lines += _failed(event, carrier, texts)
    link = head.claim_url.replace("{reference}", quote(reference, safe="")) if head.claim_url else ""
    return _Item(reference, tuple(lines), link)


def _expired(told: Sequence[OutboxEvent], texts: Texts) -> _Item:
    """Claims whose deadline has long passed: one thing, however many they are."""
    shown = [_reference(event) for event in told[:_MOST_NAMED]]
    more = texts("more", count=len(told) - len(shown)) if len(told) > len(shown) else ""
    days = max((event.facts["days"] for event in told if isinstance(event.facts.get("days"), int)), default=0)
    return _Item(
        texts.counted("expired", len(told)),
        (
            (texts("happened"), texts.counted("expired_happened", days)),
            (texts("claims"), ", ".join(shown) + more),
            (texts("do"), pasteable(texts("expired_do", reference=shown[0]))),
        ),
    )


def _retrieved(event: OutboxEvent, texts: Texts, head: Branding) -> list[tuple[str, str]]:
    attempts = event.facts.get("attempts")
    lines = [(texts("happened"), texts.counted("attempts", attempts if isinstance(attempts, int) else 1))]
    if delivered := _delivered(event.facts, head.zone):
        lines.append((texts("delivered"), delivered))
    if signatory := event.facts.get("signatory"):
        lines.append((texts("signed_by"), clean(signatory, 100)))
    return lines


def _delivered(facts: Mapping[str, Any], zone: tzinfo) -> str | None:
    """Without the time of day, where the carrier gave none."""
    at, day = facts.get("delivered_at"), facts.get("delivered_day")
    with suppress(ValueError):
        if isinstance(at, str) and (time := datetime.fromisoformat(at)).tzinfo:
            return f"{time.astimezone(zone):%Y-%m-%d %H:%M}"
    with suppress(ValueError):
        if isinstance(day, str):
            return date.fromisoformat(day).isoformat()
    return None


def _left_to_operator(event: OutboxEvent, carrier: str, texts: Texts) -> list[tuple[str, str]]:
    """The sentence alone, and whether that was the end: what a client could do is none of their business."""
    lines = [(texts("happened"), _error(event, carrier, texts))]
    if event.name is EventName.GAVE_UP and (end := _end(event, texts)):
        lines.append((texts("means"), end))
    return lines


def _end(event: OutboxEvent, texts: Texts) -> str:
    """After how many attempts a claim gave up, and whether a last attempt was among them; "": that was not kept."""
    retries, kind = event.facts.get("turns"), kind_of(event)
    if not isinstance(retries, int):
        return ""
    last = "_last" if event.facts.get("last_attempt") else ""
    if kind is not None and is_persistent(kind):
        return texts(f"gave_up_final{last}")
    return texts.counted(f"gave_up{last}", retries)


def _failed(event: OutboxEvent, carrier: str, texts: Texts) -> list[tuple[str, str]]:
    """For the client, with the sentence about this very failure as a detail."""
    advice, kind = ADVICE[texts.language], kind_of(event)
    if kind is ErrorKind.INVALID_TRACKING and not event.number:
        happened, means, do = advice["no_number"]
    else:
        happened, means, do = advice.get(kind or "", advice["other"])
    after_last = event.facts.get("final") and event.facts.get("last_attempt")
    end = _end(event, texts) if after_last else ""
    return [
        (texts("happened"), happened),
        (texts("means"), means),
        *([(texts("end"), end)] if end else []),
        (texts("do"), do),
        (texts("detail"), _error(event, carrier, texts)),
    ]


def _error(event: OutboxEvent, carrier: str, texts: Texts) -> str:
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    return said_or_quoted(texts.language, said_by(event.facts, carrier), kind_of(event), text)


def _reason(event: OutboxEvent, carrier: str, texts: Texts) -> str:
    """Of a carrier's account, or of a run. The English one has details for the operator, such as a command."""
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    if texts.language == "en":
        return text
    said = said_by(event.facts, carrier)
    return sentence(texts.language, said) if said else quoted(texts.language, text)


# ---------------------------------------------------------------- what is said to people

TEXTS: dict[str, dict[str, Any]] = {
    "fr": {
        "subject_pod_failed": (
            "Preuve de livraison introuvable : dossier {reference}",
            "Preuve de livraison introuvable : {count} dossiers",
        ),
        "subject_pod_retrieved": (
            "Preuve de livraison obtenue : dossier {reference}",
            "Preuve de livraison obtenue : {count} dossiers",
        ),
        "subject_operator_summary": "Preuves de livraison : {count} point{s} à regarder",
        "hello": "Bonjour {name},",
        "hello_nobody": "Bonjour,",
        "intro_pod_failed": "Nous n'avons pas pu obtenir la preuve de livraison :",
        "intro_pod_retrieved": "Nous avons obtenu la preuve de livraison :",
        "intro_operator_summary": "À vérifier :",
        "number": "Numéro de suivi",
        "none": "(aucun)",
        "carrier": "Transporteur",
        "happened": "Ce qui s'est passé",
        "means": "Ce que cela signifie",
        "do": "Ce que vous pouvez faire",
        "detail": "Détail technique",
        "signed_by": "Signataire",
        "delivered": "Livré le",
        "see_claim": "Voir le dossier",
        "attempts": "obtenue après {count} tentative{s}",
        "account_fault": "Compte du transporteur",
        "run_fault": "Erreur interne de recours :",
        "gave_up": "Abandonné après {count} tentative{s}",
        "gave_up_last": "Abandonné après {count} tentative{s} et une dernière tentative avant la date limite",
        "gave_up_final": "Abandonné : l'erreur est définitive, aucun autre appel n'a été fait",
        "gave_up_final_last": "Abandonné après une dernière tentative avant la date limite : l'erreur est définitive, aucun autre appel n'a été fait",
        "end": "Fin de la recherche",
        "expired": "{count} dossier{s} abandonné{s} : échéance dépassée",
        "expired_happened": "La date limite de réponse est dépassée depuis plus de {count} jour{s} : le transporteur n'est plus interrogé.",
        "expired_do": "Si la preuve est encore utile, relancez la recherche : recours reopen {reference}",
        "claims": "Dossiers",
        "more": " et {count} de plus",
        "closing": "Cordialement,",
        "automatic": "Ce message est envoyé automatiquement.",
        "unknown_service": "Le service des réclamations",
    },
    "en": {
        "subject_pod_failed": (
            "No proof of delivery: claim {reference}",
            "No proof of delivery: {count} claims",
        ),
        "subject_pod_retrieved": (
            "Proof of delivery obtained: claim {reference}",
            "Proof of delivery obtained: {count} claims",
        ),
        "subject_operator_summary": "Proofs of delivery: {count} thing{s} to look at",
        "hello": "Hello {name},",
        "hello_nobody": "Hello,",
        "intro_pod_failed": "We could not obtain the proof of delivery:",
        "intro_pod_retrieved": "We have obtained the proof of delivery:",
        "intro_operator_summary": "To check:",
        "number": "Tracking number",
        "none": "(none)",
        "carrier": "Carrier",
        "happened": "What happened",
        "means": "What it means",
        "do": "What you can do",
        "detail": "Technical detail",
        "signed_by": "Signed by",
        "delivered": "Delivered on",
        "see_claim": "See the claim",
        "attempts": "obtained after {count} attempt{s}",
        "account_fault": "The carrier's account",
        "run_fault": "recours itself failed:",
        "gave_up": "Given up after {count} attempt{s}",
        "gave_up_last": "Given up after {count} attempt{s} and a last attempt before the deadline",
        "gave_up_final": "Given up: the error is final, so no further call was made",
        "gave_up_final_last": "Given up after a last attempt before the deadline: the error is final, so no further call was made",
        "end": "How it ended",
        "expired": "{count} claim{s} given up: deadline passed",
        "expired_happened": "The response deadline passed more than {count} day{s} ago: the carrier is not asked any more.",
        "expired_do": "If a proof is still of use, have the claim start afresh: recours reopen {reference}",
        "claims": "Claims",
        "more": " and {count} more",
        "closing": "Kind regards,",
        "automatic": "This message is sent automatically.",
        "unknown_service": "The claims service",
    },
}

# What happened, what it means to a client, and what they can do.
ADVICE: dict[str, dict[str, tuple[str, str, str]]] = {
    "fr": {
        "no_number": (
            "Le dossier n'a pas de numéro de suivi.",
            "Sans ce numéro, nous ne pouvons pas demander la preuve de livraison au transporteur.",
            "Indiquez dans le dossier le numéro qui figure sur l'étiquette ou la confirmation d'expédition : la recherche "
            "reprend d'elle-même.",
        ),
        ErrorKind.INVALID_TRACKING: (
            "Le numéro de suivi n'est pas valable pour ce transporteur.",
            "Avec ce numéro, le transporteur ne peut pas retrouver le colis.",
            "Vérifiez le numéro sur l'étiquette ou la confirmation d'expédition, et corrigez-le dans le dossier : "
            "la recherche reprend d'elle-même.",
        ),
        ErrorKind.NOT_FOUND: (
            "Le transporteur ne connaît pas ce numéro.",
            "Même au dernier de nos essais, il n'a trouvé aucun colis sous ce numéro de suivi.",
            "Vérifiez le numéro et le transporteur, et corrigez-les dans le dossier : la recherche reprend d'elle-même.",
        ),
        ErrorKind.ACCESS_DENIED: (
            "Le transporteur refuse de nous communiquer cette livraison.",
            "Le transporteur connaît le colis, mais il n'est pas rattaché au contrat avec lequel nous l'interrogeons.",
            "Indiquez-nous le contrat d'expédition, ou demandez vous-même la preuve de livraison au transporteur.",
        ),
        ErrorKind.RETURNED_TO_SENDER: (
            "Le transporteur a retourné le colis à l'expéditeur.",
            "Le destinataire n'a pas reçu ce colis : aucune preuve de livraison à son nom n'existera.",
            "Vérifiez si le colis vous est revenu, et adaptez la réclamation en conséquence.",
        ),
        ErrorKind.POD_NEVER_AVAILABLE: (
            "Le transporteur n'a pas de preuve de livraison pour ce colis.",
            "Il répond qu'il n'en existe pas, ou elle aurait dû arriver depuis longtemps : nous n'en attendons plus.",
            "Joignez au dossier un autre justificatif : suivi du transporteur, échange avec le destinataire, "
            "attestation d'expédition.",
        ),
        "other": (
            "La preuve de livraison n'est pas arrivée.",
            "Le dernier de nos essais ne l'a pas obtenue non plus : nous n'en faisons plus.",
            "Vous pouvez la demander directement au transporteur, ou joindre un autre justificatif au dossier.",
        ),
    },
    "en": {
        "no_number": (
            "The claim has no tracking number.",
            "Without this number we cannot ask the carrier for the proof of delivery.",
            "Enter the number that is on the label or the shipping confirmation in the claim: the search then goes on by "
            "itself.",
        ),
        ErrorKind.INVALID_TRACKING: (
            "The tracking number is not valid for this carrier.",
            "With this number the carrier cannot find the parcel.",
            "Check the number on the label or the shipping confirmation, and correct it in the claim: "
            "the search then goes on by itself.",
        ),
        ErrorKind.NOT_FOUND: (
            "The carrier does not know this number.",
            "Even at the last of our tries it found no parcel under this tracking number.",
            "Check the number and the carrier, and correct them in the claim: the search then goes on by itself.",
        ),
        ErrorKind.ACCESS_DENIED: (
            "The carrier refuses to tell us about this parcel.",
            "The carrier knows the parcel, but it does not belong to the contract with which we ask.",
            "Tell us the contract that it was sent with, or ask the carrier for the proof of delivery yourself.",
        ),
        ErrorKind.RETURNED_TO_SENDER: (
            "The carrier took the parcel back to its sender.",
            "The recipient did not receive this parcel, so no proof of delivery to them will exist.",
            "Check whether the parcel came back to you, and adapt the claim accordingly.",
        ),
        ErrorKind.POD_NEVER_AVAILABLE: (
            "The carrier has no proof of delivery for this parcel.",
            "It answers that there is none, or it should have come long ago: we expect none any more.",
            "Add another piece of evidence to the claim: the carrier's tracking, what the recipient wrote, a proof of "
            "posting.",
        ),
        "other": (
            "The proof of delivery has not come.",
            "The last of our tries did not bring it either: we make no more.",
            "You can ask the carrier for it directly, or add another piece of evidence to the claim.",
        ),
    },
}
