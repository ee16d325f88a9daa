"""Encryption ("sealing") of clients' credentials in the database.

Fernet (AES-128 in CBC mode with an HMAC) also detects changes to the encrypted text. The package `cryptography` is an
extra. Default accounts do not need it, because the package is loaded only to encrypt or decrypt.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from recours.core.errors import RunError
from recours.settings.model import Settings

SETTING = "RECOURS_ACCOUNTS_KEY"
PACKAGE = "cryptography"
INSTALL = "pip install 'cryptography>=44'"


class SealError(RunError):
    """Credentials cannot be encrypted or decrypted. The message contains nothing of them."""


class Seals:
    """Encrypts with the first key, and decrypts with any of the keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: at least one."""
        self._keys = keys

    def seal(self, values: Mapping[str, str], owner: str = "") -> str:
        """Encrypt values for the database. Only the same owner can decrypt the text. Raises SealError."""
        content = json.dumps({"owner": owner, "values": dict(values)})
        return str(self._fernet.encrypt(content.encode()).decode())

    def open(self, text: str, owner: str = "") -> dict[str, str]:
        """Decrypt the values in a text of this owner. Raises SealError."""
        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(text.encode()))
        except _package().InvalidToken:
            count = len(self._keys)
            keys = f"None of the {count} keys in {SETTING} decrypts"
            if count == 1:
                keys = f"The key in {SETTING} does not decrypt"
            raise SealError(
                f"{keys} the credentials: add the key that encrypted them, or enter the credentials again"
            ) from None
        if content["owner"] != owner:
            raise SealError(
                "The encrypted credentials belong to another account, because a row was copied or edited. Enter the credentials again"
            )
        values: dict[str, str] = content["values"]
        return values

    @cached_property
    def _fernet(self) -> Any:
        fernet = _package()
        return fernet.MultiFernet([fernet.Fernet(key) for key in self._keys])


def is_installed() -> bool:
    """Return whether the extra `accounts` is installed."""
    return find_spec(PACKAGE) is not None


def make_seals(settings: Settings) -> Seals | None:
    """`Seals` with the keys in the settings, or None if no key is set."""
    return Seals(settings.accounts_keys) if settings.accounts_keys else None


def _package() -> Any:
    """Import the package `cryptography`. Raises SealError if the extra is not installed."""
    if not is_installed():
        raise SealError(
            f"Clients' credentials require the package {PACKAGE}, which is not installed: {INSTALL}"
        )
    return import_module("cryptography.fernet")
