"""The kinds of failed fetches, how they are classified, and who can fix them."""

import errno
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from recours.core.translations import N_


class ErrorKind(StrEnum):
    """The kind of a failed fetch. Values are stored and must not change."""

    INVALID_TRACKING = "invalid_tracking"
    POD_NEVER_AVAILABLE = "pod_never_available"
    ACCESS_DENIED = "access_denied"
    RETURNED_TO_SENDER = "returned_to_sender"
    UNSUPPORTED_CARRIER = "unsupported_carrier"
    NOT_FOUND = "not_found"
    NOT_DELIVERED_YET = "not_delivered_yet"
    POD_NOT_AVAILABLE_YET = "pod_not_available_yet"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    NETWORK = "network"
    BAD_RESPONSE = "bad_response"
    RATE_LIMITED = "rate_limited"
    AUTH_FAILED = "auth_failed"
    ACCOUNT_DENIED = "account_denied"
    NOT_CONFIGURED = "not_configured"
    INTERNAL_ERROR = "internal_error"


class Actor(StrEnum):
    """Who can fix an error."""

    CLIENT = "client"
    OPERATOR = "operator"
    CARRIER = "carrier"
    NOBODY = "nobody"


class Traits(NamedTuple):
    """The classification and the texts of an error kind."""

    actor: Actor
    label: str
    advice: str  # for the operator; {carrier} is the carrier's name
    persistent: bool = False
    uses_attempt: bool = True
    # The advice if a client's own account is used; "": the same advice. {client}, {typed}: the account's name in
    # sentences and on the command line.
    advice_of_client: str = ""


TRAITS: dict[ErrorKind, Traits] = {
    ErrorKind.INVALID_TRACKING: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("invalid tracking number"),
        advice=N_(
            "Ask the client for the right tracking number, then correct the claim. The next run starts over."
        ),
    ),
    ErrorKind.POD_NEVER_AVAILABLE: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("POD will never be available"),
        advice=N_(
            "Ask the client or {carrier} for another proof of delivery, then attach it with 'recours attach'."
        ),
    ),
    ErrorKind.ACCESS_DENIED: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("parcel not on our contract"),
        advice=N_(
            "The parcel is not on our contract with {carrier}. Check that the tracking number is the "
            "client's. If it is, the sender can request the proof with their own account."
        ),
        advice_of_client=N_(
            "The parcel is not on {client}'s contract with {carrier}. Check the tracking number with them. "
            "If the parcel was shipped with another account, recours needs that account."
        ),
    ),
    ErrorKind.RETURNED_TO_SENDER: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("returned to the sender"),
        advice=N_("{carrier} returned the parcel to the sender. Ask the client whether they received it."),
    ),
    ErrorKind.UNSUPPORTED_CARRIER: Traits(
        persistent=True,
        actor=Actor.OPERATOR,
        label=N_("carrier not supported"),
        advice=N_(
            "Correct the carrier's name in the claim. 'recours carriers' lists the supported carriers."
        ),
    ),
    ErrorKind.NOT_FOUND: Traits(
        actor=Actor.CLIENT,
        label=N_("number unknown to the carrier"),
        advice=N_(
            "Compare the tracking number and the carrier with the client's documents. If they differ, "
            "correct the claim: the next run starts over."
        ),
    ),
    ErrorKind.NOT_DELIVERED_YET: Traits(
        actor=Actor.NOBODY,
        label=N_("not delivered yet"),
        advice=N_("Nothing to do while the parcel may still arrive: the claim is retried automatically."),
    ),
    ErrorKind.POD_NOT_AVAILABLE_YET: Traits(
        actor=Actor.NOBODY,
        label=N_("POD not available yet"),
        advice=N_("Nothing to do: carriers often publish proofs later. The claim is retried automatically."),
    ),
    ErrorKind.SERVER_ERROR: Traits(
        actor=Actor.CARRIER,
        label=N_("carrier unavailable"),
        advice=N_("Nothing to do unless {carrier} stays unavailable. See also: recours status"),
    ),
    ErrorKind.TIMEOUT: Traits(
        actor=Actor.CARRIER,
        label=N_("no answer in time"),
        advice=N_("Nothing to do unless {carrier} keeps answering too slowly."),
    ),
    ErrorKind.NETWORK: Traits(
        actor=Actor.CARRIER,
        label=N_("network error"),
        advice=N_(
            "Nothing to do unless it lasts. If it does, check that this machine can reach {carrier}: recours "
            "carriers check"
        ),
    ),
    ErrorKind.BAD_RESPONSE: Traits(
        actor=Actor.CARRIER,
        label=N_("unusable answer"),
        advice=N_("Nothing to do unless {carrier} keeps sending unusable answers. See the log for details."),
    ),
    ErrorKind.RATE_LIMITED: Traits(
        uses_attempt=False,
        actor=Actor.NOBODY,
        label=N_("quota or rate limit"),
        advice=N_(
            "Nothing to do: fetching continues when the limit resets. 'recours carriers' shows the quotas."
        ),
        advice_of_client=N_(
            "Nothing to do: fetching continues when the limit of this account resets. To raise the limit: "
            "recours accounts limits {typed}"
        ),
    ),
    ErrorKind.AUTH_FAILED: Traits(
        uses_attempt=False,
        actor=Actor.OPERATOR,
        label=N_("credentials rejected"),
        advice=N_("Correct the {carrier} credentials, then test them with 'recours carriers check'."),
        advice_of_client=N_(
            "Ask {client} for the right credentials and enter them: recours accounts add {typed} --replace. "
            "Then test them: recours accounts check {typed}."
        ),
    ),
    ErrorKind.ACCOUNT_DENIED: Traits(
        uses_attempt=False,
        actor=Actor.OPERATOR,
        label=N_("service not enabled"),
        advice=N_(
            "{carrier} knows our account but does not let it use this service. Ask {carrier} to enable the "
            "service (or to allow this machine's IP address), then run 'recours carriers check'."
        ),
        advice_of_client=N_(
            "Ask {client} to have {carrier} enable this service for their account. Then run: recours "
            "accounts check {typed}."
        ),
    ),
    ErrorKind.NOT_CONFIGURED: Traits(
        uses_attempt=False,
        actor=Actor.OPERATOR,
        label=N_("no credentials"),
        advice=N_("Set the {carrier} credentials, then test them with 'recours carriers check'."),
        advice_of_client=N_(
            "The credentials of {client} cannot be used here: 'recours accounts list' says why."
        ),
    ),
    ErrorKind.INTERNAL_ERROR: Traits(
        actor=Actor.OPERATOR,
        label=N_("internal error"),
        advice=N_("This is an error in recours. Please report it with the traceback from the run's log."),
    ),
}

# Errors that mean an outage of the carrier, as opposed to an answer about a parcel.
OUTAGE_KINDS = frozenset({ErrorKind.SERVER_ERROR, ErrorKind.TIMEOUT, ErrorKind.NETWORK})

# Operating system errors that mean that this machine, not a carrier, is at its limits.
MACHINE_FAULTS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
RAISE_FILE_LIMIT = "Raise the limit (ulimit -n), or use a lower --concurrency"

# The carrier rejected the account. The run makes no more calls with this account and informs all processes.
REFUSED_KINDS = frozenset({ErrorKind.AUTH_FAILED, ErrorKind.ACCOUNT_DENIED})

# Answers about the account, not a parcel. After one of them, a run makes no more calls with the account.
CLOSING_KINDS = REFUSED_KINDS | {ErrorKind.RATE_LIMITED}

# Answers to a document call that carriers give only to accounts with the right to documents.
NO_DOCUMENT_KINDS = frozenset({ErrorKind.POD_NOT_AVAILABLE_YET, ErrorKind.POD_NEVER_AVAILABLE})

# Failures that report where a parcel is, or why there is no document.
KNOWS_PARCEL = NO_DOCUMENT_KINDS | {ErrorKind.NOT_DELIVERED_YET, ErrorKind.RETURNED_TO_SENDER}

# Answers about the parcel. An API that checks the account gives these answers only to accounts that it accepts.
ABOUT_PARCEL = KNOWS_PARCEL | {ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND}

# Errors of our account at the carrier, as opposed to errors of a parcel.
ACCOUNT_KINDS = REFUSED_KINDS | {ErrorKind.NOT_CONFIGURED}


def is_persistent(kind: ErrorKind, *, last_retry: bool = False) -> bool:
    """Return whether retrying later cannot help. An unknown number counts as persistent only at the last retry."""
    return TRAITS[kind].persistent or (last_retry and kind is ErrorKind.NOT_FOUND)


class RunError(Exception):
    """Raised if the run cannot continue, for example without its database or log. The text is for the operator."""

    needs_person = False  # True: only a different request can succeed; exit status 2

    def __init__(self, sentence: str, details: Sequence[str] = ()) -> None:
        """`details`: lines that help to fix the error, such as SQL to run."""
        super().__init__(sentence)
        self.details = tuple(details)
