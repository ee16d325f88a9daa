"""The subjects of mails: what happened, then to what or to how many. Foreign text in them is cleaned and cut."""

from collections.abc import Iterator, Mapping, Sequence

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind
from recours.core.localized import Texts
from recours.core.mail import FAULTS, EventName, MailKind, OutboxEvent, is_listed_with_others, kind_of, things
from recours.core.text import by_language, clean
from recours.reporting.labels import KINDS

_LONGEST = 150
_LONGEST_NAME, _LONGEST_REFERENCE = 30, 40


def subject_of(
    kind: MailKind,
    events: Sequence[OutboxEvent],
    language: str,
    catalog: Catalog,
    blocked: Mapping[str, int],
) -> str:
    """The subject of a mail about these events. `blocked`: how many claims wait, by the key of their account."""
    say, events = Texts(language, table=SUBJECTS[language]), things(events)
    if kind is MailKind.OPERATOR_SUMMARY:
        first, *more = _for_operator(events, say, catalog, blocked)
        subject = first + (say.counted("more", len(more)) if more else "")
    elif kind is MailKind.ACCOUNT_REFUSED:
        refused = say.counted("account_refused", len(events), carrier=_carrier(events[0], catalog))
        subject = refused + _blocked(events, say, blocked)
    elif kind is MailKind.POD_RETRIEVED:
        subject = say.counted("retrieved", len(events), reference=_reference(events[0]))
    else:
        subject = _ended(events, "claims", say, catalog)
    return clean(subject, _LONGEST)


def _for_operator(
    events: Sequence[OutboxEvent], say: Texts, catalog: Catalog, blocked: Mapping[str, int]
) -> Iterator[str]:
    """A phrase for each thing, the most urgent first."""
    of_clients: dict[str, list[OutboxEvent]] = {}
    for event in sorted(
        (event for event in events if event.name in FAULTS),
        key=lambda event: (FAULTS.index(event.name), event.id),
    ):
        if is_listed_with_others(event):
            of_clients.setdefault(carrier_of(event.carrier), []).append(event)
            continue
        if "problem" in event.facts:
            count = event.facts["count"]
            what = say(event.name, count=say.number(count), carrier=_carrier(event, catalog))
            is_blocking = count and event.name is EventName.OUTAGE
            yield what + (say.counted("blocked", count) if is_blocking else "")
            continue
        if kind_of(event) is ErrorKind.ACCESS_DENIED:
            what = say("parcels_denied", carrier=_carrier(event, catalog))
        else:
            what = _reason(event, "account_fault", say, catalog)
        yield what + _blocked([event], say, blocked)
    for carrier, faults in of_clients.items():
        named = clean(catalog.name_of(carrier, carrier), _LONGEST_NAME)
        yield say.counted("accounts_of_clients", len(faults), carrier=named) + _blocked(faults, say, blocked)
    for name, concerned in ((EventName.POD_FAILED, "claims"), (EventName.GAVE_UP, "given_up")):
        if ended := [event for event in events if event.name is name]:
            yield _ended(ended, concerned, say, catalog)
    if expired := [event for event in events if event.name is EventName.EXPIRED]:
        yield say("expired") + say.counted("given_up", len(expired), reference=_reference(expired[0]))


def _ended(events: Sequence[OutboxEvent], concerned: str, say: Texts, catalog: Catalog) -> str:
    """Claims without a proof, with the reason if they have one in common."""
    reasons = {(kind_of(event), event.carrier, not event.number) for event in events}
    kind, _, is_unnumbered = next(iter(reasons))
    if len(reasons) > 1:
        named = say("other")
    elif kind is ErrorKind.INVALID_TRACKING and is_unnumbered:
        named = say("no_number")
    else:
        named = _reason(events[0], "other", say, catalog)
    return named + say.counted(concerned, len(events), reference=_reference(events[0]))


def _reason(event: OutboxEvent, otherwise: str, say: Texts, catalog: Catalog) -> str:
    """The kind of its error, as the page names it; of none, the text of the key `otherwise`."""
    carrier, kind = _carrier(event, catalog), kind_of(event)
    if kind is None:
        return say(otherwise, carrier=carrier)
    return say("reason", carrier=carrier, kind=KINDS[say.language][kind])


def _blocked(events: Sequence[OutboxEvent], say: Texts, blocked: Mapping[str, int]) -> str:
    count = sum(blocked.get(key, 0) for key in {event.carrier for event in events})
    return say.counted("blocked", count) if count else ""


def _carrier(event: OutboxEvent, catalog: Catalog) -> str:
    return clean(catalog.name_of(event.carrier, event.carrier), _LONGEST_NAME)


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)


SUBJECTS = by_language(
    {
        "reason": ("{carrier}: {kind}", "{carrier} : {kind}"),
        "no_number": ("Tracking number missing", "Numéro de suivi manquant"),
        "other": ("No proof of delivery", "Preuve de livraison introuvable"),
        "expired": ("Deadline passed", "Échéance dépassée"),
        "parcels_denied": ("{carrier} denies us many parcels", "{carrier} nous refuse de nombreux colis"),
        "outage": ("{carrier} is unavailable", "{carrier} est indisponible"),
        "to_correct": ("{count} claims to correct", "{count} réclamations à corriger"),
        "refused_documents": (
            "{carrier}: documents of {count} parcels refused",
            "{carrier} : documents de {count} colis refusés",
        ),
        "account_fault": ("The {carrier} account cannot be used", "Compte {carrier} inutilisable"),
        "accounts_of_clients": (
            "{carrier} refuses {count} account{s} of clients",
            "{count} compte{s} de client{s} refusé{s} par {carrier}",
        ),
        "account_refused": (
            ("Your {carrier} account is refused", "Your accounts are refused by {count} carriers"),
            ("Votre compte {carrier} est refusé", "Vos comptes sont refusés par {count} transporteurs"),
        ),
        "retrieved": (
            ("Proof of delivery obtained: claim {reference}", "Proof of delivery obtained: {count} claims"),
            (
                "Preuve de livraison obtenue : dossier {reference}",
                "Preuve de livraison obtenue : {count} dossiers",
            ),
        ),
        "claims": (
            (" – claim {reference}", " – {count} claims"),
            (" – dossier {reference}", " – {count} dossiers"),
        ),
        "given_up": (
            (" – claim {reference} given up", " – {count} claims given up"),
            (" – dossier {reference} abandonné", " – {count} dossiers abandonnés"),
        ),
        "blocked": (" – {count} claim{s} blocked", " – {count} réclamation{s} bloquée{s}"),
        "more": (" (and {count} more)", " (et {count} autre{s} point{s})"),
    }
)
