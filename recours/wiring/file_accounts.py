"""Accounts of clients that stand in the secrets file: each gets a row, so that claims go by it as by any other."""

from collections.abc import Collection, Iterator

from recours.carriers.registry import CATALOG
from recours.core.accounts import ClientAccount
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database, DatabaseError
from recours.runs.ports import Clock
from recours.settings.credentials import section_of
from recours.settings.model import Settings

# How the remarks begin that someone should read.
NOT_USED = "Not used from the secrets file: "
_ADDED_BY = "secrets file"


def enter_file_accounts(settings: Settings, database: Database, clock: Clock) -> list[str]:
    """Add those that the database does not have yet. Returns what there is to say of them."""
    try:
        return list(_entered(settings, ClientAccounts(database), clock))
    except DatabaseError as error:  # such as no right to read the clients: all other accounts can be used
        return [f"{NOT_USED}accounts of clients: {error}"]


def section_fault(account: ClientAccount, email: str, shared: Collection[str]) -> str | None:
    """Why an account must not have the credentials of its client's section; None: they were entered for this client.

    An address is whatever the service writes today: that of another shop's section must not open this shop's account.
    `shared`: addresses in lower case that several clients have.
    """
    address = email.lower()
    if account.section is None:
        return "it was added from no section of a secrets file: remove the account, and the next run adds it again"
    if account.section != address:
        return (
            f"it was added from the section of {account.section}, and its client's address is now "
            f"{address or 'not known'}: correct the address, or rename the section and remove the account, "
            "and the next run adds it again"
        )
    return f"several clients have the address {address}: correct the others'" if address in shared else None


def _entered(settings: Settings, stored: ClientAccounts, clock: Clock) -> Iterator[str]:
    found = {address: stored.client_of(address) for address, _ in settings.client_credentials}
    rows = {(row.client_id, row.carrier): row for row in stored.all()} if found else {}
    owners = {(row.section, row.carrier): row.client_id for row in rows.values() if row.section}
    for (address, carrier), credentials in settings.client_credentials.items():
        named = f"{section_of(address, carrier)} ({CATALOG.name_of(carrier)})"
        if len(found[address]) != 1:
            how_many = "several clients have" if found[address] else "no client has"
            yield f"{NOT_USED}{named}: in the table clients, {how_many} this address."
            continue
        client_id = found[address][0].id
        if not isinstance(client_id, int):
            yield f"{NOT_USED}{named}: clients' accounts need whole numbers in clients.id."
            continue
        row, owner = rows.get((client_id, carrier)), owners.get((address, carrier), client_id)
        if owner != client_id:
            yield (
                f"{NOT_USED}{named}: it was added for client {owner}, and client {client_id} has this address now. "
                f"If it is right, 'recours accounts remove {owner} {carrier}'."
            )
        elif row and row.has_credentials:
            yield f"{NOT_USED}{named}: the database has credentials too, and those win. Delete the section."
        elif row:
            if fault := section_fault(row, address, ()):
                yield f"{NOT_USED}{named}: {fault}."
        elif credentials.missing:
            continue  # the settings have said so; until it is complete, the house serves
        elif stored.put(client_id, carrier, None, _ADDED_BY, clock.now(), section=address):
            yield f"An account was added from the secrets file: {named}"
