"""What a person could do about a claim, by what stands in its way, with the command that does it."""

from collections.abc import Collection

from recours.core.accounts import HOUSE
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.errors import ACCOUNT_KINDS, TRAITS, ErrorKind
from recours.core.policy import Policy
from recours.core.position import Closing, Position, Why, closing_of, passes_by_itself
from recours.core.translations import N_, translate
from recours.host.installation import pasteable, quoted_word
from recours.runs.attempt import known_failure
from recours.runs.eligibility import why_not_enroll, why_not_exclude, why_not_reopen

_K = ErrorKind
_OF_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)

# {carrier}: its name for people. Kinds that use no attempt are told so.


# Whatever its kind. {reference} is the claim's, {key} its carrier's.
TEXTS: dict[str, str] = {
    "no_account": N_(
        "Add the account of {client}: recours accounts add {typed}. Or set the credentials of {carrier} for all clients."
    ),
    "no_attempt": N_("No attempt is used up meanwhile."),
    "the_carrier": N_("the carrier"),
    "again": N_("To try it at once: recours retry --claim {reference}"),
    "enroll": N_("To have its POD fetched: recours enroll {reference}"),
    "expired": N_("If its proof is still wanted, have it start over: recours reopen {reference}"),
    "shelved": N_(
        "Nothing, if that is right. Else correct its status: the next run takes it up. The setting "
        "RECOURS_SKIP_CLAIM_STATUSES says which ones are set aside."
    ),
    "set_aside": N_(
        "Nothing, if its status is right: such claims are not fetched (RECOURS_SKIP_CLAIM_STATUSES)."
    ),
    "unnumbered": N_("Enter its tracking number: the next run takes it up."),
    "resume": N_("Resume {carrier}: recours resume {key}"),
    "passed": N_("It used all its retries, and is not tried again automatically."),
    "start_over": N_("To have it start over: recours reopen {reference}"),
}


def possible_actions(claim: Claim, where: Position, catalog: Catalog, policy: Policy) -> frozenset[str]:
    """The actions on a claim that would not be refused now; whether its carrier takes calls is not looked at."""
    if where.why is Why.IN_HAND:
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
    """What could be done, the most useful first; empty: nothing.

    `carrier`, `client`: their names for people; no client: none has an account of its own. `possible`: the actions on the
    claim that would not be refused.
    """
    of_kind = _of_kind(language, where.kind, is_clients=claim.account != HOUSE, client=client)
    messages = {key: translate(language, text) for key, text in TEXTS.items()} | {_OF_KIND: of_kind}
    keys = _whatever_its_kind(where, possible)
    if not keys and where.kind and claim.fetch_status != FetchStatus.SUCCESS:
        keys = _against(where.kind, where)
    keys = tuple(key for key in keys if _ACTIONS.get(key) in (None, *possible))
    facts = {
        "reference": quoted_word(claim.reference),
        "carrier": carrier or messages["the_carrier"],
        "key": claim.carrier,
        "client": client,
        "typed": f"{quoted_word(claim.client_text or '')} {claim.carrier}",
    }
    return tuple(pasteable(messages[key].format(**facts)) for key in keys)


_OF_KIND = "of_kind"  # stands for the advice against the error's kind
# What a text has a person do with the claim.
_ACTIONS = {"again": "fetch", "start_over": "reopen"}


def _whatever_its_kind(where: Position, possible: Collection[str]) -> tuple[str, ...]:
    if where.why is Why.LEFT_ALONE:
        return ("enroll", "again") if "enroll" in possible else ("set_aside",)
    if where.state.expired_at and "reopen" in possible:
        return ("expired",)
    if where.why is Why.SHELVED:
        return ("shelved",)
    if where.why is Why.UNNUMBERED:
        return ("unnumbered",)
    return ("resume",) if where.refusal and closing_of(where.refusal) is Closing.STOPPED else ()


def _against(kind: ErrorKind, where: Position) -> tuple[str, ...]:
    if where.state.stage is Stage.GIVEN_UP:
        return ("passed" if passes_by_itself(kind) else _OF_KIND), "start_over"
    may_try = where.state.stage in _OF_FAILED and not where.refusal
    return (_OF_KIND, "again") if may_try else (_OF_KIND,)


def _of_kind(language: str, kind: ErrorKind | None, *, is_clients: bool, client: str) -> str:
    if kind is None:
        return ""
    text = TRAITS[kind].advice
    if client and is_clients:
        text = TRAITS[kind].advice_of_client or text
    elif client and kind is _K.NOT_CONFIGURED:
        text = TEXTS["no_account"]
    text = translate(language, text)
    return f"{text} {translate(language, TEXTS['no_attempt'])}" if kind in ACCOUNT_KINDS else text
