"""Operations on clients' carrier accounts, for people and for the claims service."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from recours.accounts.rules import (
    AccountCheck,
    AccountFile,
    AccountRefusedError,
    CheckVerdict,
    NewAccount,
    account_check,
    carrier_named,
    client_named,
    usable_credentials,
    usable_limits,
)
from recours.accounts.sealing import Seals, is_installed, make_seals
from recours.app import App
from recours.carriers.registry import CATALOG
from recours.core.accounts import ClientAccount, ServiceClient, owner_of
from recours.core.actions import ActionKind, OperatorAction
from recours.core.errors import OUTAGE_KINDS, RunError
from recours.core.text import clean
from recours.database.client_accounts import ClientAccounts
from recours.database.journal import ActionLog


@dataclass(frozen=True)
class AccountActions:
    """Manages the accounts in one database. All methods raise AccountRefusedError and RunError."""

    app: App

    @cached_property
    def store(self) -> ClientAccounts:
        return ClientAccounts(self.app.database)

    def seals(self) -> Seals:
        """Return the keys that seal and open credentials."""
        if not is_installed():
            raise AccountRefusedError("no_package")
        seals = make_seals(self.app.settings)
        if seals is None:
            raise AccountRefusedError("no_key")
        return seals

    def client(self, named: Any) -> ServiceClient:
        """Find a client by address or id."""
        return client_named(self.store.client_of(named), named)

    def accounts_of(self, named: Any) -> list[ClientAccount]:
        """Return all accounts of a client. The client may have been deleted."""
        clients = self.store.client_of(named)
        text = str(named).strip().removeprefix("client ")
        of_gone = (
            [] if clients else [account for account in self.store.all() if str(account.client_id) == text]
        )
        return of_gone or self.store.all([client_named(clients, named).id])

    def account(self, client: Any, carrier: str) -> ClientAccount:
        """Find an account by its carrier and its client's address or id. The client may have been deleted."""
        spec = carrier_named(CATALOG, carrier)
        accounts = self.accounts_of(client)
        for account in accounts:
            if account.carrier == spec.key:
                return account
        named = accounts[0].client if accounts else self.client(client)
        raise AccountRefusedError("no_account", client=named.display_name, carrier=spec.name)

    def confirm(self, client: Any, by: str) -> list[ClientAccount]:
        """Confirm that the accounts under this client's id belong to this client, and return the changed ones."""
        moved = [account for account in self.store.all([self.client(client).id]) if account.is_moved]
        return [account for account in moved if self.store.confirm(account, by, self.app.clock.now())]

    def check_all(self, keys: Iterable[str], by: str) -> Iterator[AccountCheck]:
        """Check each of these accounts with one real call, and record the check if the carrier was asked."""
        app = self.app
        queue = self.app.queue()
        try:
            for key in keys:
                try:
                    checked = account_check(queue.check_credentials(key))
                except RunError as error:  # such as an unreachable database: no call was made
                    checked = AccountCheck(CheckVerdict.NOT_TRIED, error=clean(error, 500).rstrip("."))
                failed = {"kind": checked.kind} if checked.kind in OUTAGE_KINDS else {}
                if failed or checked.verdict is not CheckVerdict.NOT_TRIED:
                    action = OperatorAction(
                        ActionKind.CHECKED, key, by, {"verdict": checked.verdict, **failed}
                    )
                    ActionLog(app.database).note(action, self.app.clock.now())
                yield checked
        finally:
            queue.leave()

    def new(
        self,
        client: Any,
        carrier: str,
        credentials: Mapping[str, Any],
        limits: Mapping[str, str] | None,
    ) -> NewAccount:
        """Validate an account's data and return the account."""
        spec = carrier_named(CATALOG, carrier)
        return NewAccount(
            self.client(client),
            spec,
            usable_credentials(spec, credentials),
            usable_limits(spec, limits) if limits else None,
        )

    def put_all(self, accounts: Sequence[NewAccount], by: str, *, replace: bool = False) -> None:
        """Seal and store all accounts or none. `replace`: overwrite existing accounts except their ids and limits."""
        seals = self.seals()
        rows = []
        for new in accounts:
            owner = owner_of(new.client.id, new.spec.key)
            rows.append((new.client.id, new.spec.key, seals.seal(new.credentials, owner), new.limits))
        present = self.store.put_all(rows, by, self.app.clock.now(), replace=replace)
        if present is not None:
            new = accounts[present]
            raise AccountRefusedError("has_account", client=new.client.display_name, carrier=new.spec.name)

    def read_file(self, content: bytes, *, replace: bool) -> list[NewAccount]:
        """Read accounts from a file. `replace`: accept existing accounts. Raises FileRefusedError."""
        current = () if replace else self.store.all()
        present = {(account.client_id, account.carrier) for account in current}
        file = AccountFile(CATALOG, cache(self.client), lambda client, spec: (client.id, spec.key) in present)
        return file.read(content)
