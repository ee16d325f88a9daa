"""The subjects of mails: what happened, then to what or to how many. Foreign text in them is cleaned and cut."""

from collections.abc import Iterator, Mapping, Sequence

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.errors import TRAITS, ErrorKind
from recours.core.localized import Localized
from recours.core.mail import FAULTS, EventName, MailKind, OutboxEvent, is_listed_with_others, kind_of, things
from recours.core.text import clean
from recours.core.translations import N_, Counted

_LONGEST = 150
_LONGEST_NAME = 30
_LONGEST_REFERENCE = 40
_OTHER = N_("No proof of delivery")
_CLAIMS = Counted(" – claim {reference}", " – {count} claims")
_GIVEN_UP = Counted(" – claim {reference} given up", " – {count} claims given up")
_BLOCKED = Counted(" – {count} claim blocked", " – {count} claims blocked")
_PROBLEMS = {
    EventName.OUTAGE: N_("{carrier} is unavailable"),
    EventName.TO_CORRECT: N_("{count} claims to correct"),
    EventName.REFUSED_DOCUMENTS: N_("{carrier}: documents of {count} parcels refused"),
}


def subject_of(
    kind: MailKind,
    events: Sequence[OutboxEvent],
    language: str,
    catalog: Catalog,
    blocked: Mapping[str, int],
) -> str:
    """The subject of a mail about these events. `blocked`: how many claims wait, by the key of their account."""
    texts = Localized(language)
    events = things(events)
    if kind is MailKind.OPERATOR_SUMMARY:
        first, *more = _operator_phrases(events, texts, catalog, blocked)
        subject = first + (
            texts.counted(" (and {count} more)", " (and {count} more)", len(more)) if more else ""
        )
    elif kind is MailKind.ACCOUNT_REFUSED:
        refused = texts.counted(
            "Your {carrier} account is refused",
            "Your accounts are refused by {count} carriers",
            len(events),
            carrier=_carrier(events[0], catalog),
        )
        subject = refused + _blocked(events, texts, blocked)
    elif kind is MailKind.POD_RETRIEVED:
        subject = texts.counted(
            "Proof of delivery obtained: claim {reference}",
            "Proof of delivery obtained: {count} claims",
            len(events),
            reference=_reference(events[0]),
        )
    else:
        subject = _ended(events, _CLAIMS, texts, catalog)
    return clean(subject, _LONGEST)


def _operator_phrases(
    events: Sequence[OutboxEvent], texts: Localized, catalog: Catalog, blocked: Mapping[str, int]
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
            phrase = texts(_PROBLEMS[event.name], count=texts.number(count), carrier=_carrier(event, catalog))
            is_blocking = count and event.name is EventName.OUTAGE
            yield phrase + (texts.counted(*_BLOCKED, count) if is_blocking else "")
            continue
        if kind_of(event) is ErrorKind.ACCESS_DENIED:
            phrase = texts("{carrier} denies us many parcels", carrier=_carrier(event, catalog))
        else:
            phrase = _reason(event, N_("The {carrier} account cannot be used"), texts, catalog)
        yield phrase + _blocked([event], texts, blocked)
    for carrier, faults in of_clients.items():
        named = clean(catalog.name_of(carrier, carrier), _LONGEST_NAME)
        yield texts.counted(
            "{carrier} refuses {count} account of clients",
            "{carrier} refuses {count} accounts of clients",
            len(faults),
            carrier=named,
        ) + _blocked(faults, texts, blocked)
    for name, concerned in ((EventName.POD_FAILED, _CLAIMS), (EventName.GAVE_UP, _GIVEN_UP)):
        if ended := [event for event in events if event.name is name]:
            yield _ended(ended, concerned, texts, catalog)
    if expired := [event for event in events if event.name is EventName.EXPIRED]:
        yield texts("Deadline passed") + texts.counted(
            *_GIVEN_UP, len(expired), reference=_reference(expired[0])
        )


def _ended(events: Sequence[OutboxEvent], concerned: Counted, texts: Localized, catalog: Catalog) -> str:
    """Claims without a proof, with the reason if they have one in common."""
    reasons = {(kind_of(event), event.carrier, not event.number) for event in events}
    kind, _, is_unnumbered = next(iter(reasons))
    if len(reasons) > 1:
        named = texts(_OTHER)
    elif kind is ErrorKind.INVALID_TRACKING and is_unnumbered:
        named = texts("Tracking number missing")
    else:
        named = _reason(events[0], _OTHER, texts, catalog)
    return named + texts.counted(*concerned, len(events), reference=_reference(events[0]))


def _reason(event: OutboxEvent, otherwise: str, texts: Localized, catalog: Catalog) -> str:
    """The kind of its error, as the page names it; of none, the message `otherwise`."""
    carrier = _carrier(event, catalog)
    kind = kind_of(event)
    if kind is None:
        return texts(otherwise, carrier=carrier)
    return texts("{carrier}: {kind}", carrier=carrier, kind=texts(TRAITS[kind].label))


def _blocked(events: Sequence[OutboxEvent], texts: Localized, blocked: Mapping[str, int]) -> str:
    count = sum(blocked.get(key, 0) for key in {event.carrier for event in events})
    return texts.counted(*_BLOCKED, count) if count else ""


def _carrier(event: OutboxEvent, catalog: Catalog) -> str:
    return clean(catalog.name_of(event.carrier, event.carrier), _LONGEST_NAME)


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)
