"""Names of stages, kinds of error, carrier states, recorded errors and changes."""

from recours.accounts.health import AccountHealth, ListedAccount
from recours.accounts.rules import AccountCheck, CheckVerdict
from recours.core.actions import OPERATOR, SERVICE, SOMEONE, ChangeKind, author_and_reason
from recours.core.claim import Claim
from recours.core.errors import TRAITS, Actor, ErrorKind
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.core.position import Closing, Evidence, Standing, closing_of
from recours.core.sentences import SentenceParts, carrier_message, classify, sentence
from recours.core.text import clean
from recours.core.translations import N_, translate

STANDING: dict[Standing, str] = {
    Standing.FETCHED: N_("fetched"),
    Standing.IN_HAND: N_("being fetched"),
    Standing.NOT_SEEN: N_("not assessed yet"),
    Standing.LEFT_ALONE: N_("not enrolled"),
    Standing.ERASED: N_("erased"),
    Standing.UNNUMBERED: N_("no tracking number"),
    Standing.NEW: N_("new"),
    Standing.WAITING: N_("waiting"),
    Standing.READY: N_("due"),
    Standing.SETTLED: N_("needs correction"),
    Standing.SHELVED: N_("no longer needed"),
    Standing.GIVEN_UP: N_("given up"),
}


UNKNOWN_CARRIER = N_("unknown carrier")

# How often the carrier was asked, according to the recorded attempts: never, once, several times.
ASKED = (
    N_("no calls to the carrier are recorded"),
    N_("the carrier was asked once"),
    N_("the carrier was asked {count} times"),
)


def kind_name(texts: Localized, kind: str) -> str:
    """The name of a kind of error. An unknown kind is returned unchanged."""
    return texts(TRAITS[ErrorKind(kind)].label) if kind in set(ErrorKind) else kind


# When the carrier deletes a parcel's data: in the future, in the past.
EVIDENCE = (
    N_("{carrier} deletes this parcel's data on {day} at the latest. No proof can be fetched after that."),
    N_("{carrier} has probably deleted this parcel's data: the last possible day was {day}."),
)


def evidence_text(texts: Localized, evidence: Evidence, carrier: str) -> str:
    """When the carrier deletes the parcel's data. `carrier`: its display name."""
    return texts(EVIDENCE[evidence.is_over], carrier=carrier, day=texts.day(evidence.ends_at))


# Why a carrier cannot be called. {carrier} is filled in.
CLOSINGS: dict[Closing, str] = {
    Closing.STOPPED: N_("{carrier} was paused manually"),
    Closing.REJECTED: N_("{carrier} rejects our credentials"),
    Closing.DENIED: N_("our {carrier} account has no access to this service"),
    Closing.UNCONFIGURED: N_("no credentials are set for {carrier}"),
    Closing.LIMIT: N_("the {carrier} quota is used up, or {carrier} asked us to wait"),
}

# Who can act on a claim.
ACTORS: dict[Actor, str] = {
    Actor.CLIENT: N_("the client"),
    Actor.OPERATOR: N_("the operator"),
    Actor.CARRIER: N_("the carrier"),
    Actor.NOBODY: N_("no one, because the claim is retried automatically"),
}


def colon(language: str) -> str:
    return translate(language, N_(": "))


def quoted(language: str, text: str) -> str:
    """A text from a carrier or from other software, in quotation marks."""
    return translate(language, '"{text}"').format(text=clean(text))


def error_of(language: str, claim: Claim) -> str | None:
    """The last failure in the claim's row, or None."""
    if not claim.error_text:
        return None
    kind = claim.state.kind or classify(claim.error_text)
    return explain_or_quote(language, claim.explanation, kind, claim.error_text)


def explain_or_quote(
    language: str,
    explanation: SentenceParts | None,
    kind: ErrorKind | None,
    text: str,
    *,
    to_client: bool = False,
) -> str:
    """The sentence of `explanation`. Without one, the kind of error and the recorded text in quotation marks."""
    if explanation:
        return sentence(language, explanation, to_client=to_client)
    if kind:
        return f"{translate(language, TRAITS[kind].label)}{colon(language)}{quoted(language, text)}"
    return quoted(language, text)


def reason_of(language: str, refusal: Refusal, carrier: str) -> str:
    """Why no call was made. `carrier`: its display name."""
    if language == "en":
        return refusal.reason
    if refusal.explanation:
        return sentence(language, refusal.explanation)
    closing = closing_of(refusal)
    if closing is Closing.STOPPED and not refusal.stopped:  # by a run, after repeated failures
        return f"{carrier}{colon(language)}{translate(language, TRAITS[refusal.kind].label)}"
    return translate(language, CLOSINGS[closing]).format(carrier=carrier)


# Names of recorded authors that are not people.
_NAMES = {
    OPERATOR: N_("the operator"),
    SERVICE: N_("the service"),
    SOMEONE: N_("someone"),
}


def person_named(language: str, by: str) -> str:
    """The name of an author; a person's name is unchanged."""
    return translate(language, _NAMES[by]) if by in _NAMES else clean(by, 100)


def author_text(language: str, text: str) -> str:
    """Format a text made by `join_author`, for example as `the operator: "strike"`."""
    who, reason = author_and_reason(text)
    named = person_named(language, who)
    return f"{named}{colon(language)}{quoted(language, reason)}" if reason else named


def account_reason(language: str, listed: ListedAccount) -> str:
    """Why a client's account is not used; "" if its health needs no explanation."""
    why = listed.why or ""
    is_by_person = not listed.until or author_and_reason(why)[0] != SOMEONE
    if why and listed.health is AccountHealth.PAUSED and is_by_person:
        return translate(language, "by {who}").format(who=author_text(language, why))
    if language == "en" or not why:
        return why
    if listed.health is AccountHealth.REFUSED:
        why = carrier_message(why)
    elif listed.health is AccountHealth.UNUSABLE or listed.until:
        why = ""  # the reason is in English only; `recours accounts list` shows it
    return quoted(language, why) if why else ""


def check_error(language: str, check: AccountCheck) -> str:
    """Why an account could not be checked, or the carrier's message about it."""
    error = check.error or ""
    if language == "en":
        return error
    explanation = check.explanation
    if explanation and (not explanation.words or check.verdict is CheckVerdict.NOT_TRIED):
        return sentence(language, explanation)
    return quoted(language, error)


# ---------------------------------------------------------------- changes to a claim

CHANGES: dict[str, str] = {
    ChangeKind.EDITED: N_("edited"),
    ChangeKind.SET_ASIDE: N_("no longer needed"),
    ChangeKind.RESUMED: N_("needed again"),
    ChangeKind.REOPENED: N_("reopened"),
    ChangeKind.EXCLUDED: N_("excluded"),
    ChangeKind.ENROLLED: N_("enrolled"),
    ChangeKind.ATTACHED: N_("attached"),
    ChangeKind.DETACHED: N_("proof detached"),
    ChangeKind.ASKED: N_("fetch requested"),
    ChangeKind.CORRECTED: N_("corrected"),
}
