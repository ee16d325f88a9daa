"""What can go wrong with a fetch, in which class it falls, and who can do something about it."""

import errno
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from recours.core.translations import N_


class ErrorKind(StrEnum):
    """The one word every carrier's answer is reduced to. Values are stored and must not change."""

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
    """Who can mend it."""

    CLIENT = "client"
    OPERATOR = "operator"
    CARRIER = "carrier"
    NOBODY = "nobody"


class Traits(NamedTuple):
    """What a kind means, and how it is called."""

    actor: Actor
    label: str
    advice: str  # to the operator; {carrier} is its name
    persistent: bool = False
    uses_attempt: bool = True
    # The same of a client's own account, by who can act; "": no other. {client}, {typed}: what names it to people and on
    # the command line.
    advice_of_client: str = ""


TRAITS: dict[ErrorKind, Traits] = {
    ErrorKind.INVALID_TRACKING: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("invalid tracking number"),
        advice=N_("Ask the client for the right tracking number, then correct the claim: it starts over."),
    ),
    ErrorKind.POD_NEVER_AVAILABLE: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("no POD will exist"),
        advice=N_("Ask the client or {carrier} for another proof, then add it with 'recours attach'."),
    ),
    ErrorKind.ACCESS_DENIED: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("parcel not on our contract"),
        advice=N_(
            "The parcel is not on our contract with {carrier}: check that the number is the client's; the sender can ask for "
            "the proof with an account of their own."
        ),
        advice_of_client=N_(
            "The parcel is not on the contract of {client} with {carrier}: check the number with them; if another account "
            "sent it, that one is needed."
        ),
    ),
    ErrorKind.RETURNED_TO_SENDER: Traits(
        persistent=True,
        actor=Actor.CLIENT,
        label=N_("returned to the sender"),
        advice=N_("{carrier} took the parcel back to its sender. Ask the client whether it came back."),
    ),
    ErrorKind.UNSUPPORTED_CARRIER: Traits(
        persistent=True,
        actor=Actor.OPERATOR,
        label=N_("carrier not supported"),
        advice=N_("Correct the carrier's name in the claim; 'recours carriers' lists the supported ones."),
    ),
    ErrorKind.NOT_FOUND: Traits(
        actor=Actor.CLIENT,
        label=N_("number unknown to the carrier"),
        advice=N_(
            "Compare the number and the carrier with the client's papers, then correct the claim if they differ: it starts over."
        ),
    ),
    ErrorKind.NOT_DELIVERED_YET: Traits(
        actor=Actor.NOBODY,
        label=N_("not delivered yet"),
        advice=N_("Nothing to do as long as the parcel may still arrive: it is retried automatically."),
    ),
    ErrorKind.POD_NOT_AVAILABLE_YET: Traits(
        actor=Actor.NOBODY,
        label=N_("POD not there yet"),
        advice=N_("Nothing to do: carriers file proofs later. It is retried automatically."),
    ),
    ErrorKind.SERVER_ERROR: Traits(
        actor=Actor.CARRIER,
        label=N_("carrier unavailable"),
        advice=N_("Nothing to do unless it lasts: {carrier} is unavailable. See also: recours status"),
    ),
    ErrorKind.TIMEOUT: Traits(
        actor=Actor.CARRIER,
        label=N_("no answer in time"),
        advice=N_("Nothing to do unless it lasts: {carrier} answers too slowly."),
    ),
    ErrorKind.NETWORK: Traits(
        actor=Actor.CARRIER,
        label=N_("network"),
        advice=N_(
            "Nothing to do unless it lasts; then see whether this machine reaches {carrier}: recours carriers check"
        ),
    ),
    ErrorKind.BAD_RESPONSE: Traits(
        actor=Actor.CARRIER,
        label=N_("unusable answer"),
        advice=N_(
            "Nothing to do unless it lasts: {carrier} sent nothing that can be used. The log says what."
        ),
    ),
    ErrorKind.RATE_LIMITED: Traits(
        uses_attempt=False,
        actor=Actor.NOBODY,
        label=N_("quota or pause"),
        advice=N_(
            "Nothing to do: fetching continues when the limit resets. 'recours status' shows the quotas."
        ),
        advice_of_client=N_(
            "Nothing to do: fetching continues when the limit of this account resets. To raise it: recours accounts limits {typed}"
        ),
    ),
    ErrorKind.AUTH_FAILED: Traits(
        uses_attempt=False,
        actor=Actor.OPERATOR,
        label=N_("credentials rejected"),
        advice=N_("Correct the credentials of {carrier}, then try them with 'recours carriers check'."),
        advice_of_client=N_(
            "Ask {client} for the right credentials and enter them: recours accounts add {typed} --replace. Then try them: "
            "recours accounts check {typed}."
        ),
    ),
    ErrorKind.ACCOUNT_DENIED: Traits(
        uses_attempt=False,
        actor=Actor.OPERATOR,
        label=N_("account may not use the service"),
        advice=N_(
            "The account at {carrier} is known but may not use this service. Ask {carrier} to enable it (or to list this "
            "machine's address), then run 'recours carriers check'."
        ),
        advice_of_client=N_(
            "{client} has to ask {carrier} to let the account use this service. Then: recours accounts check {typed}."
        ),
    ),
    ErrorKind.NOT_CONFIGURED: Traits(
        uses_attempt=False,
        actor=Actor.OPERATOR,
        label=N_("no credentials"),
        advice=N_("Set the credentials of {carrier}, then try them with 'recours carriers check'."),
        advice_of_client=N_(
            "The credentials of {client} cannot be used here: 'recours accounts list' says why."
        ),
    ),
    ErrorKind.INTERNAL_ERROR: Traits(
        actor=Actor.OPERATOR,
        label=N_("internal error"),
        advice=N_("This is an error in recours. Please report it with the traceback in that run's log."),
    ),
}

# An outage of the carrier, as opposed to an answer about a parcel.
OUTAGE_KINDS = frozenset({ErrorKind.SERVER_ERROR, ErrorKind.TIMEOUT, ErrorKind.NETWORK})

# What the operating system reports when this machine, not a carrier, is at its limits.
MACHINE_FAULTS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
RAISE_FILE_LIMIT = "Raise the limit (ulimit -n), or take a lower --concurrency"

# The carrier turned the account away: it closes for the run and is remembered for all processes.
REFUSED_KINDS = frozenset({ErrorKind.AUTH_FAILED, ErrorKind.ACCOUNT_DENIED})

# Answers to a call for a document, which every carrier gives only to an account that may ask for documents.
NO_DOCUMENT_KINDS = frozenset({ErrorKind.POD_NOT_AVAILABLE_YET, ErrorKind.POD_NEVER_AVAILABLE})

# Failures that say where a parcel is, or why it has no document.
KNOWS_PARCEL = NO_DOCUMENT_KINDS | {ErrorKind.NOT_DELIVERED_YET, ErrorKind.RETURNED_TO_SENDER}

# Answers about the parcel: a service that was shown our account gives them only to an account that it knows.
ABOUT_PARCEL = KNOWS_PARCEL | {ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND}

# The account at the carrier, as opposed to a parcel.
ACCOUNT_KINDS = REFUSED_KINDS | {ErrorKind.NOT_CONFIGURED}


def is_persistent(kind: ErrorKind, *, last_retry: bool = False) -> bool:
    """Tell whether waiting cannot help. An unknown number counts as hopeless only at the last retry."""
    return TRAITS[kind].persistent or (last_retry and kind is ErrorKind.NOT_FOUND)


class RunError(Exception):
    """The run itself cannot go on: database, log or document folder. The text is a sentence for the operator."""

    needs_person = False  # whether it stays until a person has changed what they asked for: exit status 2

    def __init__(self, sentence: str, details: Sequence[str] = ()) -> None:
        """`details`: lines that help to mend it, such as SQL to run."""
        super().__init__(sentence)
        self.details = tuple(details)
