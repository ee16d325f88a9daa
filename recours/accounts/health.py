"""The health of clients' accounts: whether runs can use each account, and if not, why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import random

from recours.accounts.opened import make_queue, open_accounts
from recours.accounts.rules import AccountRefusedError, usable_credentials
from recours.accounts.sealing import INSTALL, PACKAGE, SETTING, SealError, Seals, is_installed
from recours.carriers.registry import CATALOG
from recours.core.accounts import ClientAccount, ServiceClient
from recours.core.pauses import CarrierState, lasts
from recours.core.quota import Usage
from recours.core.text import clean
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.runs.ports import Clock
from recours.runs.summary import worth_showing
from recours.settings.model import Settings


class AccountHealth(StrEnum):
    """Whether runs use an account, and if not, why."""

    OPEN = "open"
    PAUSED = "paused"  # by a person, by the carrier or because of the carrier's outage
    REFUSED = "refused"  # by the carrier
    UNUSABLE = "unusable"  # the credentials are missing or cannot be decrypted, or the limits are invalid


@dataclass(frozen=True)
class ListedAccount:
    """An account with its health. `why`: the reason; `until`: its end (aware UTC); `is_stopped`: paused by a person."""

    account: ClientAccount
    health: AccountHealth
    why: str | None = None
    until: datetime | None = None
    is_stopped: bool = False

    @property
    def client(self) -> ServiceClient:
        return self.account.client


def listed(account: ClientAccount, state: CarrierState, trouble: str | None, now: datetime) -> ListedAccount:
    """The account with its health. `trouble`: why its credentials or limits cannot be used, if so."""
    state = state.at(now)
    health, why, until = _health(state, trouble, now)
    is_stopped = state.own_stop is not None
    return ListedAccount(account, health, clean(why, 300) if why else None, until, is_stopped)


def _health(
    state: CarrierState, trouble: str | None, now: datetime
) -> tuple[AccountHealth, str | None, datetime | None]:
    """The health of an account, the reason, and the reason's end."""
    if stop := state.own_stop or (None if trouble else state.stopped):
        return AccountHealth.PAUSED, stop.why, stop.until
    if trouble:
        return AccountHealth.UNUSABLE, trouble, None
    if pause := state.pause_at(now):
        return AccountHealth.PAUSED, pause.reason, pause.until
    if state.account.refusals:
        until = state.account.refused_until
        return AccountHealth.REFUSED, state.account.refusal, until if lasts(until, now) else None
    if state.documents.refused_at:
        return AccountHealth.REFUSED, state.documents.words, state.documents.next_call_at
    return AccountHealth.OPEN, None, None


def list_accounts(
    settings: Settings, database: Database, clock: Clock, accounts: Sequence[ClientAccount]
) -> list[ListedAccount]:
    """List accounts with their health, without a call to a carrier. Raises DatabaseError."""
    if not accounts:  # before the first run, the tables may not exist
        return []
    now = clock.now()
    sealed = ClientAccounts(database).sealed()
    states = QuotaTables(database).carrier_states([account.key for account in accounts])
    seals = _missing(settings) or Seals(settings.accounts_keys)
    return [
        listed(account, states[account.key], _trouble(account, sealed.get(account.id, ""), seals), now)
        for account in accounts
    ]


def _missing(settings: Settings) -> str | None:
    """Why credentials can be neither encrypted nor decrypted; None if they can."""
    if not is_installed():
        return f"the package {PACKAGE} is not installed ({INSTALL})"
    return None if settings.accounts_keys else f"{SETTING} is not set or contains no valid key"


def _trouble(account: ClientAccount, sealed: str, seals: Seals | str) -> str | None:
    """Why the credentials or limits cannot be used; None if they can. `seals`: the keys, or why there are none."""
    spec = CATALOG.spec_of(account.carrier)
    if spec is None:
        return "its carrier is not supported"
    try:
        spec.limits_of_client(account.key, account.limits)
    except ValueError as error:
        return f"its limits are invalid: {error}"
    if account.is_moved:
        return account.moved_text
    if isinstance(seals, str):
        return seals
    try:
        usable_credentials(spec, seals.open(sealed, account.owner))
    except (AccountRefusedError, SealError) as error:
        return str(error)
    return None


def account_uses(
    settings: Settings, database: Database, clock: Clock, keys: Iterable[str]
) -> dict[str, list[Usage]]:
    """The usage of each limit that has counted calls, by account key. Raises DatabaseError."""
    opened = open_accounts(settings, clock, random, database=database)
    opened_keys = [key for key in keys if key in opened]
    opened.open_all(opened_keys)
    queue = make_queue(settings, database, clock, random, opened)
    return {
        key: [use for use in worth_showing(uses) if use.calls]
        for key, uses in queue.usages(opened_keys).items()
    }
