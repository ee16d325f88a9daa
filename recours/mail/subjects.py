"""Email subjects: what happened, and the affected claims. External text is cleaned and truncated."""

from collections.abc import Iterator, Mapping, Sequence

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.errors import TRAITS, ErrorKind
from recours.core.localized import Localized
from recours.core.mail import (
    FAULTS,
    EventName,
    MailKind,
    OutboxEvent,
    is_listed_with_others,
    kind_of,
    listed_events,
)
from recours.core.text import clean
from recours.core.translations import N_, Counted

_LONGEST = 150
_LONGEST_NAME = 30
_LONGEST_REFERENCE = 40
_OTHER = N_("No proof of delivery")
_TO_CLIENT = Counted("Claim {reference}: {reason}", "{count} claims: {reason}")
_CLAIMS = Counted(" – claim {reference}", " – {count} claims")
_GIVEN_UP = Counted(" – claim {reference} given up", " – {count} claims given up")
_BLOCKED = Counted(" – {count} claim blocked", " – {count} claims blocked")
_PROBLEMS = {
    EventName.OUTAGE: N_("{carrier} is unavailable"),
    EventName.TO_CORRECT: N_("{count} claims to correct"),
    EventName.REFUSED_DOCUMENTS: N_("{carrier}: documents of {count} parcels refused"),
}
# How a subject for clients ends, after the claims.
_NO_PROOF = N_("proof of delivery not obtained")
_REASONS = {
    ErrorKind.INVALID_TRACKING: N_("tracking number needs correction"),
    ErrorKind.NOT_FOUND: N_("number unknown to {carrier}"),
    ErrorKind.ACCESS_DENIED: N_("{carrier} denies access to the parcel"),
    ErrorKind.RETURNED_TO_SENDER: N_("parcel returned to the sender"),
    ErrorKind.POD_NEVER_AVAILABLE: N_("no proof of delivery exists"),
}


def subject_of(
    kind: MailKind,
    events: Sequence[OutboxEvent],
    language: str,
    catalog: Catalog,
    blocked: Mapping[str, int],
) -> str:
    """The subject of an email about these events. `blocked`: the number of blocked claims by account key."""
    texts = Localized(language)
    events = listed_events(events)
    if kind is MailKind.OPERATOR_SUMMARY:
        first, *more = _operator_phrases(events, texts, catalog, blocked)
        subject = first + (
            texts.counted(" (and {count} more)", " (and {count} more)", len(more)) if more else ""
        )
    elif kind is MailKind.ACCOUNT_REFUSED:
        refused = texts.counted(
            "{carrier} rejects your account",
            "{count} carriers reject your accounts",
            len(events),
            carrier=_carrier(events[0], catalog),
        )
        subject = refused + _blocked(events, texts, blocked)
    elif kind is MailKind.POD_RETRIEVED:
        subject = texts.counted(
            "Claim {reference}: proof of delivery obtained",
            "{count} claims: proofs of delivery obtained",
            len(events),
            reference=_reference(events[0]),
        )
    else:
        reason = _reason_to_client(events, texts, catalog)
        subject = texts.counted(*_TO_CLIENT, len(events), reference=_reference(events[0]), reason=reason)
    return clean(subject, _LONGEST)


def _operator_phrases(
    events: Sequence[OutboxEvent], texts: Localized, catalog: Catalog, blocked: Mapping[str, int]
) -> Iterator[str]:
    """One phrase per issue, most urgent first."""
    client_faults: dict[str, list[OutboxEvent]] = {}
    for event in sorted(
        (event for event in events if event.name in FAULTS),
        key=lambda event: (FAULTS.index(event.name), event.id),
    ):
        if is_listed_with_others(event):
            client_faults.setdefault(carrier_of(event.carrier), []).append(event)
            continue
        if "problem" in event.facts:
            count = event.facts["count"]
            phrase = texts(_PROBLEMS[event.name], count=texts.number(count), carrier=_carrier(event, catalog))
            is_blocking = count and event.name is EventName.OUTAGE
            yield phrase + (texts.counted(*_BLOCKED, count) if is_blocking else "")
            continue
        if kind_of(event) is ErrorKind.ACCESS_DENIED:
            phrase = texts("{carrier} denies access to many parcels", carrier=_carrier(event, catalog))
        else:
            phrase = _reason(event, N_("The {carrier} account cannot be used"), texts, catalog)
        yield phrase + _blocked([event], texts, blocked)
    for carrier, faults in client_faults.items():
        named = clean(catalog.name_of(carrier, carrier), _LONGEST_NAME)
        yield texts.counted(
            "{carrier} rejects {count} client account",
            "{carrier} rejects {count} client accounts",
            len(faults),
            carrier=named,
        ) + _blocked(faults, texts, blocked)
    for name, affected in ((EventName.POD_FAILED, _CLAIMS), (EventName.GAVE_UP, _GIVEN_UP)):
        if ended := [event for event in events if event.name is name]:
            yield _ended(ended, affected, texts, catalog)
    if expired := [event for event in events if event.name is EventName.EXPIRED]:
        yield texts("Deadline passed") + texts.counted(
            *_GIVEN_UP, len(expired), reference=_reference(expired[0])
        )


def _ended(events: Sequence[OutboxEvent], affected: Counted, texts: Localized, catalog: Catalog) -> str:
    """The phrase about claims without a proof, with the reason if all claims share it."""
    if not _share_reason(events):
        named = texts(_OTHER)
    elif _is_unnumbered(events[0]):
        named = texts("Tracking number missing")
    else:
        named = _reason(events[0], _OTHER, texts, catalog)
    return named + texts.counted(*affected, len(events), reference=_reference(events[0]))


def _reason_to_client(events: Sequence[OutboxEvent], texts: Localized, catalog: Catalog) -> str:
    """Why a client's claims have no proof, if all claims share the reason."""
    if not _share_reason(events):
        return texts(_NO_PROOF)
    if _is_unnumbered(events[0]):
        return texts("tracking number missing")
    kind = kind_of(events[0])
    reason = _REASONS.get(kind, _NO_PROOF) if kind else _NO_PROOF
    return texts(reason, carrier=_carrier(events[0], catalog))


def _share_reason(events: Sequence[OutboxEvent]) -> bool:
    return len({(kind_of(event), event.carrier, not event.number) for event in events}) == 1


def _is_unnumbered(event: OutboxEvent) -> bool:
    return kind_of(event) is ErrorKind.INVALID_TRACKING and not event.number


def _reason(event: OutboxEvent, default: str, texts: Localized, catalog: Catalog) -> str:
    """The label of the error's kind, as on the dashboard; `default` if there is no kind."""
    carrier = _carrier(event, catalog)
    kind = kind_of(event)
    if kind is None:
        return texts(default, carrier=carrier)
    return texts("{carrier}: {kind}", carrier=carrier, kind=texts(TRAITS[kind].label))


def _blocked(events: Sequence[OutboxEvent], texts: Localized, blocked: Mapping[str, int]) -> str:
    count = sum(blocked.get(key, 0) for key in {event.carrier for event in events})
    return texts.counted(*_BLOCKED, count) if count else ""


def _carrier(event: OutboxEvent, catalog: Catalog) -> str:
    return clean(catalog.name_of(event.carrier, event.carrier), _LONGEST_NAME)


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)
