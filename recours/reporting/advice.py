"""What a person can do about a claim, depending on its error, with the command for it."""

from collections.abc import Collection

from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.errors import ACCOUNT_KINDS, TRAITS, ErrorKind
from recours.core.policy import Policy
from recours.core.position import Closing, Position, Why, closing_of, resolves_itself
from recours.core.translations import N_, translate
from recours.host.installation import pasteable, quoted_word
from recours.runs.attempt import known_failure
from recours.runs.eligibility import why_not_enroll, why_not_exclude, why_not_reopen

_FAILED_STAGES = (Stage.WAITING, Stage.READY, Stage.SETTLED)

# Texts that do not depend on the kind of error. {key} and {carrier} are the key and name of the claim's carrier.
TEXTS: dict[str, str] = {
    "no_account": N_(
        "Add {client}'s account: recours accounts add {typed}. Or set {carrier} credentials for all clients."
    ),
    "no_attempt": N_("No attempt is used in the meantime."),
    "the_carrier": N_("the carrier"),
    "again": N_("To fetch the proof now: recours retry --claim {reference}"),
    "enroll": N_("To have the proof fetched: recours enroll {reference}"),
    "expired": N_("If you still need the proof, reopen the claim: recours reopen {reference}"),
    "shelved": N_(
        "Nothing to do if the claim's status is right. Otherwise correct the status, and the next run "
        "resumes the claim. RECOURS_SKIP_CLAIM_STATUSES lists the statuses of claims that are not fetched."
    ),
    "set_aside": N_(
        "Nothing to do if the claim's status is right: claims with this status are not fetched "
        "(RECOURS_SKIP_CLAIM_STATUSES)."
    ),
    "unnumbered": N_("Enter the claim's tracking number, and the next run asks the carrier."),
    "resume": N_("Resume {carrier}: recours resume {key}"),
    "passed": N_("All retries of the claim are used, so recours no longer retries it automatically."),
    "start_over": N_("To start over: recours reopen {reference}"),
}


def possible_actions(claim: Claim, where: Position, catalog: Catalog, policy: Policy) -> frozenset[str]:
    """The actions that are possible on a claim now, even if its carrier cannot be called."""
    if where.why in (Why.IN_HAND, Why.ERASED):
        return frozenset()
    is_open = claim.fetch_status != FetchStatus.SUCCESS and not policy.sets_aside(claim)
    rules = {
        "attach": claim.number is not None,
        "correct": claim.fetch_status != FetchStatus.SUCCESS and where.why is not Why.SHELVED,
        "fetch": is_open and known_failure(claim, catalog) is None,
        "reopen": why_not_reopen(claim, policy, is_leased=False) is None,
        "enroll": why_not_enroll(claim, policy) is None,
        "exclude": why_not_exclude(claim) is None,
    }
    return frozenset(action for action, is_possible in rules.items() if is_possible)


def advice(
    language: str, claim: Claim, where: Position, carrier: str, client: str, possible: Collection[str]
) -> tuple[str, ...]:
    """What a person can do, the most useful action first; empty if nothing can be done.

    `carrier`, `client`: display names; `client` is "" if no client has an account of its own. `possible`: the actions
    that the claim allows.
    """
    facts = {
        "reference": quoted_word(claim.reference),
        "carrier": carrier or translate(language, TEXTS["the_carrier"]),
        "key": claim.carrier,
        "client": client,
        "typed": f"{quoted_word(claim.client_text or '')} {claim.carrier}",
    }
    texts = [translate(language, TEXTS[key]) for key in _whatever_its_kind(where, possible)]
    if not texts and where.kind and claim.fetch_status != FetchStatus.SUCCESS:
        is_given_up = where.state.stage is Stage.GIVEN_UP
        if is_given_up and resolves_itself(where.kind):
            texts.append(translate(language, TEXTS["passed"]))
        else:
            texts.append(_against(language, where.kind, claim, client))
        if is_given_up and "reopen" in possible:
            texts.append(translate(language, TEXTS["start_over"]))
        elif where.state.stage in _FAILED_STAGES and not where.refusal and "fetch" in possible:
            texts.append(translate(language, TEXTS["again"]))
    return tuple(pasteable(text.format(**facts)) for text in texts)


def _whatever_its_kind(where: Position, possible: Collection[str]) -> tuple[str, ...]:
    """The keys of the advice for this claim that does not depend on the kind of error."""
    if where.why is Why.LEFT_ALONE and "enroll" not in possible:
        return ("set_aside",)
    if where.why is Why.LEFT_ALONE:
        return ("enroll", "again") if "fetch" in possible else ("enroll",)
    if where.state.expired_at and "reopen" in possible:
        return ("expired",)
    if where.why is Why.SHELVED:
        return ("shelved",)
    if where.why is Why.UNNUMBERED:
        return ("unnumbered",)
    return ("resume",) if where.refusal and closing_of(where.refusal) is Closing.STOPPED else ()


def _against(language: str, kind: ErrorKind, claim: Claim, client: str) -> str:
    """What a person can do about an error of this kind, and a note if the error does not count as an attempt."""
    text = TRAITS[kind].advice
    if client and claim.account != DEFAULT_ACCOUNT:
        text = TRAITS[kind].advice_of_client or text
    elif client and kind is ErrorKind.NOT_CONFIGURED:
        text = TEXTS["no_account"]
    text = translate(language, text)
    return f"{text} {translate(language, TEXTS['no_attempt'])}" if kind in ACCOUNT_KINDS else text
