"""Tokens that are shared by all processes and machines with the same database and key."""

import hashlib
from collections.abc import Callable, Sequence

from recours.accounts.sealing import is_installed, seals_of
from recours.carriers.client import TokenClient
from recours.core.accounts import AccountKey
from recours.database.engine import Database
from recours.database.tokens import DatabaseTokens
from recours.runs.ports import Clock
from recours.settings.model import Settings

# Has a client share the token of its account. The texts are what the token is given for: another one, another token.
Share = Callable[[TokenClient, AccountKey, Sequence[str]], None]


def token_sharing(settings: Settings, database: Database, clock: Clock) -> Share | None:
    """None: there is no key, or nothing to seal with, and each process has tokens of its own."""
    seals = seals_of(settings)
    if seals is None or not is_installed():
        return None

    def share(client: TokenClient, account: AccountKey, given_for: Sequence[str]) -> None:
        credentials_print = hashlib.sha256("\x00".join(given_for).encode()).hexdigest()
        client.share_tokens(DatabaseTokens(database, account, seals, credentials_print), clock.sleep)

    return share
