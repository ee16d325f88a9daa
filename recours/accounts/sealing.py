"""Credentials of clients as they stand in the database, sealed.

A key is Fernet's (AES-128 in CBC mode with an HMAC), so what is sealed cannot be changed unnoticed either. The package
`cryptography` is an extra: it is loaded when something is sealed or opened, and not for default accounts.
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
    """Something cannot be sealed or opened. The text is a sentence, and holds nothing of what is sealed."""


class Seals:
    """Seals with the first key, opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: at least one."""
        self._keys = keys

    def seal(self, values: Mapping[str, str], owner: str = "") -> str:
        """These values as a text for the database, which is opened for the same owner only. Raises SealError."""
        content = json.dumps({"owner": owner, "values": dict(values)})
        return str(self._fernet.encrypt(content.encode()).decode())

    def open(self, text: str, owner: str = "") -> dict[str, str]:
        """What `seal` was given. Raises SealError."""
        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(text.encode()))
        except _package().InvalidToken:
            count = len(self._keys)
            keys = f"None of the {count} keys of {SETTING} opens"
            if count == 1:
                keys = f"The key of {SETTING} does not open"
            raise SealError(
                f"{keys} it: add the key that it was sealed with, or enter the credentials again"
            ) from None
        if content["owner"] != owner:
            raise SealError(
                "What is sealed belongs to another account: its row was copied or edited; enter it again"
            )
        values: dict[str, str] = content["values"]
        return values

    @cached_property
    def _fernet(self) -> Any:
        fernet = _package()
        return fernet.MultiFernet([fernet.Fernet(key) for key in self._keys])


def is_installed() -> bool:
    """Tell whether this Python has the extra `accounts`."""
    return find_spec(PACKAGE) is not None


def make_seals(settings: Settings) -> Seals | None:
    """Sealing with the keys of the settings; None if no key is set."""
    return Seals(settings.accounts_keys) if settings.accounts_keys else None


def _package() -> Any:
    """Raises SealError without the extra."""
    if not is_installed():
        raise SealError(f"Clients' credentials need the package {PACKAGE}, which is not installed: {INSTALL}")
    return import_module("cryptography.fernet")
