"""What can go wrong with a fetch, in which class it falls, and who can do something about it."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True)
class Traits:
    persistent: bool
    uses_attempt: bool
    actor: Actor


TRAITS: dict[ErrorKind, Traits] = {
    ErrorKind.INVALID_TRACKING: Traits(persistent=True, uses_attempt=True, actor=Actor.CLIENT),
    ErrorKind.POD_NEVER_AVAILABLE: Traits(persistent=True, uses_attempt=True, actor=Actor.CLIENT),
    ErrorKind.ACCESS_DENIED: Traits(persistent=True, uses_attempt=True, actor=Actor.CLIENT),
    ErrorKind.RETURNED_TO_SENDER: Traits(persistent=True, uses_attempt=True, actor=Actor.CLIENT),
    ErrorKind.UNSUPPORTED_CARRIER: Traits(persistent=True, uses_attempt=True, actor=Actor.OPERATOR),
    ErrorKind.NOT_FOUND: Traits(persistent=False, uses_attempt=True, actor=Actor.CLIENT),
    ErrorKind.NOT_DELIVERED_YET: Traits(persistent=False, uses_attempt=True, actor=Actor.NOBODY),
    ErrorKind.POD_NOT_AVAILABLE_YET: Traits(persistent=False, uses_attempt=True, actor=Actor.NOBODY),
    ErrorKind.SERVER_ERROR: Traits(persistent=False, uses_attempt=True, actor=Actor.CARRIER),
    ErrorKind.TIMEOUT: Traits(persistent=False, uses_attempt=True, actor=Actor.CARRIER),
    ErrorKind.NETWORK: Traits(persistent=False, uses_attempt=True, actor=Actor.CARRIER),
    ErrorKind.BAD_RESPONSE: Traits(persistent=False, uses_attempt=True, actor=Actor.CARRIER),
    ErrorKind.RATE_LIMITED: Traits(persistent=False, uses_attempt=False, actor=Actor.NOBODY),
    ErrorKind.AUTH_FAILED: Traits(persistent=False, uses_attempt=False, actor=Actor.OPERATOR),
    ErrorKind.ACCOUNT_DENIED: Traits(persistent=False, uses_attempt=False, actor=Actor.OPERATOR),
    ErrorKind.NOT_CONFIGURED: Traits(persistent=False, uses_attempt=False, actor=Actor.OPERATOR),
    ErrorKind.INTERNAL_ERROR: Traits(persistent=False, uses_attempt=True, actor=Actor.OPERATOR),
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
