"""The kinds of error, as in the specification's table."""

import pytest

from recours.core.errors import ACCOUNT_KINDS, OUTAGE_KINDS, TRAITS, ErrorKind, is_persistent
from recours.core.outcome import CallError, Failure

# kind, persistent, uses an attempt, who can act
SPECIFIED = {
    "invalid_tracking": (True, True, "client"),
    "pod_never_available": (True, True, "client"),
    "access_denied": (True, True, "client"),
    "returned_to_sender": (True, True, "client"),
    "unsupported_carrier": (True, True, "operator"),
    "not_found": (False, True, "client"),
    "not_delivered_yet": (False, True, "nobody"),
    "pod_not_available_yet": (False, True, "nobody"),
    "server_error": (False, True, "carrier"),
    "timeout": (False, True, "carrier"),
    "network": (False, True, "carrier"),
    "bad_response": (False, True, "carrier"),
    "rate_limited": (False, False, "nobody"),
    "auth_failed": (False, False, "operator"),
    "account_denied": (False, False, "operator"),
    "not_configured": (False, False, "operator"),
    "internal_error": (False, True, "operator"),
}


def test_every_kind_is_treated_as_specified() -> None:
    treated = {
        kind.value: (traits.persistent, traits.uses_attempt, traits.actor.value)
        for kind, traits in TRAITS.items()
    }
    assert treated == SPECIFIED


def test_every_kind_has_traits() -> None:
    assert set(TRAITS) == set(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
def test_only_an_unknown_number_becomes_persistent_at_the_last_retry(kind: ErrorKind) -> None:
    assert is_persistent(kind) == SPECIFIED[kind][0]
    assert is_persistent(kind, last_retry=True) == (SPECIFIED[kind][0] or kind == "not_found")


def test_outage_kinds_and_account_kinds() -> None:
    assert {"server_error", "timeout", "network"} == OUTAGE_KINDS
    assert {"auth_failed", "account_denied", "not_configured"} == ACCOUNT_KINDS


def test_a_call_that_failed_carries_its_failure() -> None:
    failure = Failure(ErrorKind.TIMEOUT, "Chronopost did not answer in time")
    failed = CallError(failure)
    assert failed.failure is failure
    assert str(failed) == "Chronopost did not answer in time"
