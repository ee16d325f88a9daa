"""Encrypted credentials are decrypted with a configured key, for their own account, and never shown."""

from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet

from recours.accounts import sealing as accounts
from recours.accounts.sealing import SealError, Seals
from recours.core.accounts import ClientAccount
from tests.keys import new_key

OLD, NEW = new_key(), new_key()
VALUES = {"CHRONOPOST_ACCOUNT": "19869502", "CHRONOPOST_PASSWORD": "pläin-secret"}
OWNER = "17/chronopost"


def test_sealed_credentials_can_be_opened_and_contain_no_plain_text() -> None:
    sealed = Seals([NEW]).seal(VALUES, OWNER)
    assert Seals([NEW]).open(sealed, OWNER) == VALUES
    assert "secret" not in sealed
    assert sealed != Seals([NEW]).seal(VALUES, OWNER)  # equal credentials are not recognizable as equal


def test_an_old_key_still_opens() -> None:
    sealed = Seals([OLD]).seal(VALUES, OWNER)
    assert Seals([NEW, OLD]).open(sealed, OWNER) == VALUES


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([OLD], "The key in RECOURS_ACCOUNTS_KEY does not decrypt the credentials"),
        (
            [OLD, Fernet.generate_key().decode()],
            "None of the 2 keys in RECOURS_ACCOUNTS_KEY decrypts the credentials",
        ),
    ],
)
def test_a_lost_key_is_reported_as_missing(keys: list[str], said: str) -> None:
    sealed = Seals([NEW]).seal(VALUES, OWNER)
    with pytest.raises(SealError, match=f"^{said}: add the key that encrypted"):
        Seals(keys).open(sealed, OWNER)


@pytest.mark.parametrize("owner", ["18/chronopost", "17/ups", ""])
def test_a_row_that_was_copied_is_not_opened_for_another_account(owner: str) -> None:
    with pytest.raises(SealError, match="belong to another account"):
        Seals([NEW]).open(Seals([NEW]).seal(VALUES, OWNER), owner)


@pytest.mark.parametrize("spoilt", ["", "x", "gAAAAA", "é" * 40, '{"A": "1"}'])
def test_a_damaged_row_is_reported_in_a_sentence(spoilt: str) -> None:
    with pytest.raises(SealError):
        Seals([NEW]).open(spoilt, OWNER)


def test_a_missing_extra_is_reported_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "PACKAGE", "cryptography_that_is_not_there")
    for needs_it in (lambda: Seals([NEW]).seal(VALUES), lambda: Seals([NEW]).open("x")):
        with pytest.raises(SealError, match="pip install 'cryptography>=44'"):
            needs_it()


def test_an_account_seals_for_its_client_and_carrier() -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    account = ClientAccount(3, 17, "chronopost", limits=None, added_at=now, added_by="lea", changed_at=now)
    assert (account.key, account.owner) == ("chronopost#3", OWNER)
