"""Actors are named in the reader's language, unless they are persons."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recours.accounts.health import AccountHealth, ListedAccount
from recours.core.accounts import ClientAccount
from recours.core.actions import OPERATOR, SERVICE, SOMEONE, join_author
from recours.reporting.labels import account_reason, author_text, person_named

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("by", "english", "french"),
    [
        (OPERATOR, "the operator", "l'opérateur"),
        (SERVICE, "the service", "le service"),
        (SOMEONE, "someone", "quelqu'un"),
        ("anna", "anna", "anna"),
        ("a\x1b[1mb", r"a\x1b[1mb", r"a\x1b[1mb"),
    ],
)
def test_roles_are_translated_and_names_are_unchanged(by: str, english: str, french: str) -> None:
    assert (person_named("en", by), person_named("fr", by)) == (english, french)


@pytest.mark.parametrize(
    ("stored", "english", "french"),
    [
        (join_author("operator", "grève: jusqu'à lundi"), 'the operator: "grève: jusqu\'à lundi"', "l'opérateur : « grève: jusqu'à lundi »"),
        (join_author("anna", ""), "anna", "anna"),
        ("strike", 'someone: "strike"', "quelqu'un : « strike »"),  # by other software
    ],
)  # fmt: skip
def test_authors_and_reasons_in_both_languages(stored: str, english: str, french: str) -> None:
    assert (author_text("en", stored), author_text("fr", stored)) == (english, french)


def test_the_reason_of_a_paused_account_in_both_languages() -> None:
    account = ClientAccount(1, 5, "chronopost", None, NOW, "anna", NOW)
    paused = ListedAccount(account, AccountHealth.PAUSED, "by operator: unpaid", None)
    assert account_reason("fr", paused) == "par l'opérateur : « unpaid »"
    assert account_reason("en", paused) == 'by the operator: "unpaid"'
    assert account_reason("fr", replace(paused, until=NOW)) == "par l'opérateur : « unpaid »"
