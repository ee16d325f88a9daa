"""A mail about claims: its subject, plain text and HTML, in French and English, out of the events that it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from recours.core.accounts import carrier_of
from recours.core.appraisal import Shown
from recours.core.carrier import Catalog
from recours.core.disputes import told as told_of
from recours.core.errors import ErrorKind, is_persistent
from recours.core.localized import Texts
from recours.core.mail import FAULTS, EventName, MailKind, OutboxEvent, is_listed_with_others, kind_of, things
from recours.core.sentences import said_by, sentence
from recours.core.text import clean
from recours.host.installation import pasteable
from recours.notifications.subjects import subject_of
from recours.reporting.labels import KINDS, quoted, said_or_quoted

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
MOST_CLAIMS = 200  # that a mail lists
_MOST_NAMED = 20  # claims that expired, clients whose accounts are refused
_LONGEST_REFERENCE, _LONGEST_ERROR, _LONGEST_NAME = 100, 300, 80
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
    lines: tuple[tuple[str, str], ...]
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
    texts = Texts(language, head.zone, TEXTS[language])
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
        items.append(Item(texts.counted("not_listed", len(more)), ((texts("claims"), _named(more, texts)),)))
    items += [_expired(expired, texts)] if expired else []
    items += _accounts_of_clients(of_clients, texts, catalog)
    shown = clean(name, _LONGEST_NAME) if name else ""
    subject = subject_of(kind, events, language, catalog, blocked or {})
    return mail_of(subject, texts(f"intro_{kind}"), items, texts, head, name=shown)


def mail_of(
    subject: str, intro: str, items: Sequence[Item], texts: Texts, head: Branding, *, name: str = ""
) -> Rendered:
    """The mail of these items. `name`: of its reader."""
    values = {
        "subject": subject,
        "hello": texts("hello", name=name) if name else texts("hello_nobody"),
        "intro": intro,
        "items": items,
        "texts": texts,
        "service": head.service or texts("unknown_service"),
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


def _item(event: OutboxEvent, kind: MailKind, texts: Texts, head: Branding, catalog: Catalog) -> Item:
    carrier = catalog.name_of(event.carrier, clean(event.carrier, 60))
    if event.name in FAULTS:
        return Item(f"{texts(event.name)} {carrier}".rstrip(), _fault(event, carrier, texts))
    if event.name is EventName.ACCOUNT_REFUSED:
        return Item(carrier, _account_refused(event, carrier, texts))
    lines = [(texts("carrier"), carrier), (texts("number"), clean(event.number, 60) or texts("none"))]
    reference = _reference(event)
    if event.name is EventName.POD_RETRIEVED:
        lines += _retrieved(event, texts)
    elif kind is MailKind.OPERATOR_SUMMARY:  # what a client could do is none of their business
        lines.append((texts("happened"), _error(event, carrier, texts)))
        if event.name is EventName.GAVE_UP:
            lines.append((texts("means"), _end(event, texts)))
    else:
        lines += _failed(event, carrier, texts)
    link = head.claim_url.replace("{reference}", quote(reference, safe="")) if head.claim_url else ""
    return Item(reference, tuple(lines), link)


def _expired(events: Sequence[OutboxEvent], texts: Texts) -> Item:
    """Claims whose deadline has long passed: one thing, however many they are."""
    references = [_reference(event) for event in events]
    days = max(event.facts["days"] for event in events)
    return Item(
        texts.counted("expired", len(events)),
        (
            (texts("happened"), texts.counted("expired_happened", days)),
            (texts("claims"), _named(references, texts)),
            (texts("do"), pasteable(texts("expired_do", reference=references[0]))),
        ),
    )


def _accounts_of_clients(events: Sequence[OutboxEvent], texts: Texts, catalog: Catalog) -> list[Item]:
    """One thing for each carrier, however many accounts it refuses."""
    items = []
    for carrier in dict.fromkeys(carrier_of(event.carrier) for event in events):
        clients: dict[str, list[str]] = {}  # by what is wrong
        for event in events:
            if carrier_of(event.carrier) == carrier:
                kind = kind_of(event)
                what = KINDS[texts.language][kind] if kind else texts("happened")
                clients.setdefault(what, []).append(clean(event.facts.get("client") or event.carrier, 100))
        count = sum(map(len, clients.values()))
        title = texts.counted("accounts_of_clients", count, carrier=catalog.name_of(carrier, carrier))
        lines = [(what, _named(names, texts)) for what, names in clients.items()]
        items.append(Item(title, (*lines, (texts("do"), pasteable(texts("accounts_do"))))))
    return items


def _named(names: Sequence[str], texts: Texts) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (texts("more", count=more) if more > 0 else "")


def _account_refused(event: OutboxEvent, carrier: str, texts: Texts) -> tuple[tuple[str, str], ...]:
    """For the client whose account it is, with the carrier's own message as a detail."""
    denied = "_denied" if kind_of(event) is ErrorKind.ACCOUNT_DENIED else ""
    words = clean(event.facts.get("words") or "", _LONGEST_ERROR)
    return (
        (texts("happened"), texts(f"account_refused{denied}", carrier=carrier)),
        (texts("means"), texts("account_refused_means", carrier=carrier)),
        (texts("do"), texts(f"account_refused{denied}_do", carrier=carrier)),
        *([(texts("detail"), quoted(texts.language, words))] if words else []),
    )


def _retrieved(event: OutboxEvent, texts: Texts) -> list[tuple[str, str]]:
    is_by_hand = event.facts.get("by_hand")
    how = texts("by_hand") if is_by_hand else texts.counted("attempts", event.facts["attempts"])
    lines = [(texts("happened"), how)]
    if stored := event.facts.get("shown"):
        shows = told_of(Shown(**stored), None, texts)
        lines.append((texts("shows"), clean(shows)))
    if delivered := _delivered(event.facts, texts):
        lines.append((texts("delivered"), delivered))
    if signatory := event.facts.get("signatory"):
        lines.append((texts("signed_by"), clean(signatory, 100)))
    return lines


def _delivered(facts: Mapping[str, Any], texts: Texts) -> str | None:
    """Without the time of day, where the carrier gave none."""
    at, day = facts.get("delivered_at"), facts.get("delivered_day")
    if at:
        local = texts.local(datetime.fromisoformat(at))
        hour = f"{local:à %H h %M %Z}" if texts.language == "fr" else f"{local:%H:%M %Z}"
        return f"{texts.day(local)} {hour}"
    return texts.day(date.fromisoformat(day)) if day else None


def _end(event: OutboxEvent, texts: Texts) -> str:
    """After how many attempts a claim gave up, and whether a last attempt was among them."""
    kind = kind_of(event)
    last = "_last" if event.facts.get("last_attempt") else ""
    if kind and is_persistent(kind):
        return texts(f"gave_up_final{last}")
    return texts.counted(f"gave_up{last}", event.facts["attempts"])


def _failed(event: OutboxEvent, carrier: str, texts: Texts) -> list[tuple[str, str]]:
    """For the client, with the sentence about this very failure as a detail."""
    advice, kind = ADVICE[texts.language], kind_of(event)
    if kind is ErrorKind.INVALID_TRACKING and not event.number:
        happened, means, do = advice["no_number"]
    else:
        happened, means, do = advice.get(kind or "", advice["other"])
    after_last = event.facts.get("final") and event.facts.get("last_attempt")
    return [
        (texts("happened"), happened),
        (texts("means"), means),
        *([(texts("end"), _end(event, texts))] if after_last else []),
        (texts("do"), do),
        (texts("detail"), _error(event, carrier, texts, to_client=True)),
    ]


def _error(event: OutboxEvent, carrier: str, texts: Texts, *, to_client: bool = False) -> str:
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    said = said_by(event.facts, carrier)
    return said_or_quoted(texts.language, said, kind_of(event), text, to_client=to_client)


def _fault(event: OutboxEvent, carrier: str, texts: Texts) -> tuple[tuple[str, str], ...]:
    """Of a carrier's account, of a run, or a problem. The English text has details for the operator, such as a command."""
    if problem := event.facts.get("problem"):
        remedy = pasteable(event.facts["remedy"])
        return (texts("happened"), clean(problem, _LONGEST_PROBLEM)), (texts("do"), remedy)
    text = clean(event.facts.get("error") or "?", _LONGEST_ERROR)
    if texts.language == "en":
        return ((texts("happened"), text),)
    if said := said_by(event.facts, carrier):
        return ((texts("happened"), sentence(texts.language, said)),)
    kind = kind_of(event)
    named = ((texts("happened"), KINDS[texts.language][kind]),) if kind else ()
    return (*named, (texts("detail"), quoted(texts.language, text)))


# ---------------------------------------------------------------- what is said to people

TEXTS: dict[str, dict[str, Any]] = {
    "fr": {
        "hello": "Bonjour {name},",
        "hello_nobody": "Bonjour,",
        "intro_pod_failed": "Nous n'avons pas pu obtenir la preuve de livraison :",
        "intro_pod_retrieved": "Nous avons obtenu la preuve de livraison :",
        "intro_account_refused": "Nous ne pouvons pas demander vos preuves de livraison :",
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
        "by_hand": "jointe à la main",
        "shows": "Ce qu'elle montre",
        "attempts": "obtenue après {count} tentative{s}",
        "account_fault": "Compte du transporteur",
        "outage": "Transporteur indisponible :",
        "refused_documents": "Documents refusés :",
        "to_correct": "Réclamations à corriger",
        "accounts_of_clients": "{carrier} : {count} compte{s} de clients",
        "accounts_do": "Pour savoir lesquels et pourquoi : recours accounts list",
        "account_refused": "{carrier} refuse les identifiants de votre compte.",
        "account_refused_denied": "{carrier} reconnaît votre compte, mais ne lui ouvre pas ce service.",
        "account_refused_means": "Vos réclamations {carrier} attendent. Aucune tentative n'est perdue : la recherche reprend dès que le compte est accepté.",
        "account_refused_do": "Vérifiez auprès de {carrier} si le mot de passe ou la clé a changé ou expiré. Donnez-nous ensuite les nouveaux identifiants comme vous nous aviez donné les premiers, mais jamais par courriel.",
        "account_refused_denied_do": "Demandez à {carrier} d'ouvrir à ce compte l'accès par API au suivi et aux preuves de livraison.",
        "run_fault": "Erreur interne de recours :",
        "gave_up": "Abandonné après {count} tentative{s}",
        "gave_up_last": "Abandonné après {count} tentative{s} et une dernière tentative avant la date limite",
        "gave_up_final": "Abandonné : l'erreur est définitive, aucun autre appel n'a été fait",
        "gave_up_final_last": "Abandonné après une dernière tentative avant la date limite : l'erreur est définitive, aucun autre appel n'a été fait",
        "end": "Fin de la recherche",
        "expired": "{count} dossier{s} abandonné{s} : échéance dépassée",
        "expired_happened": "La date limite de réponse est dépassée depuis plus de {count} jour{s} : le transporteur n'est plus interrogé.",
        "expired_do": "Si la preuve est encore utile, relancez la recherche : recours reopen {reference}",
        "not_listed": "{count} autre{s} dossier{s}",
        "claims": "Dossiers",
        "more": " et {count} autres",
        "closing": "Cordialement,",
        "automatic": "Ce message est envoyé automatiquement.",
        "unknown_service": "Le service des réclamations",
    },
    "en": {
        "hello": "Hello {name},",
        "hello_nobody": "Hello,",
        "intro_pod_failed": "We could not obtain the proof of delivery:",
        "intro_pod_retrieved": "We have obtained the proof of delivery:",
        "intro_account_refused": "We can no longer ask for your proofs of delivery:",
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
        "by_hand": "attached by hand",
        "shows": "What it shows",
        "attempts": "obtained after {count} attempt{s}",
        "account_fault": "The carrier's account",
        "outage": "Carrier unavailable:",
        "refused_documents": "Refused documents:",
        "to_correct": "Claims to correct",
        "accounts_of_clients": "{carrier}: {count} account{s} of clients",
        "accounts_do": "To see which ones and why: recours accounts list",
        "account_refused": "{carrier} rejects the credentials of your account.",
        "account_refused_denied": "{carrier} knows your account, but does not let it use this service.",
        "account_refused_means": "Your {carrier} claims wait. No attempt is lost: the search goes on once the account is accepted.",
        "account_refused_do": "Check with {carrier} whether the password or key was changed or has expired. Then give us the new credentials the way you gave us the first ones, but never by e-mail.",
        "account_refused_denied_do": "Ask {carrier} to give this account access by API to tracking and proofs of delivery.",
        "run_fault": "recours itself failed:",
        "gave_up": "Given up after {count} attempt{s}",
        "gave_up_last": "Given up after {count} attempt{s} and a last attempt before the deadline",
        "gave_up_final": "Given up: the error is final, so no further call was made",
        "gave_up_final_last": "Given up after a last attempt before the deadline: the error is final, so no further call was made",
        "end": "How it ended",
        "expired": "{count} claim{s} given up: deadline passed",
        "expired_happened": "The response deadline passed more than {count} day{s} ago: the carrier is not asked any more.",
        "expired_do": "If a proof is still of use, have the claim start over: recours reopen {reference}",
        "not_listed": "{count} more claim{s}",
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
