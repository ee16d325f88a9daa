"""A client's account at a carrier: how it does, its limits, and what a person can do about it."""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.dashboard.acting import done
from recours.dashboard.views.carriers import ACCOUNT_TONES
from recours.dashboard.visit import Visit
from recours.operations.accounts import ListedAccount, limits_text
from recours.operations.labels import account_reason
from recours.wiring.account_operations import AccountOperations

_LONGEST_NUMBER = 9  # digits


def show(visit: Visit) -> Response:
    accounts, operations = AccountOperations(visit.operations), visit.operations
    found = _account(visit, accounts)
    account = found.account
    return visit.page(
        "account.html",
        found=found,
        carrier=operations.catalog.name_of(account.carrier, account.carrier),
        named=str(account.client_id),
        tones=ACCOUNT_TONES,
        reason=account_reason(visit.texts.language, found),
        limits=limits_text(account.limits or {}),
        uses=accounts.uses([account.key]).get(account.key, ()),
    )


def _account(visit: Visit, accounts: AccountOperations) -> ListedAccount:
    number = visit.query.get("number", "")
    if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER:
        owner = accounts.store.owner(int(number))
        of_client = accounts.store.all([owner.id]) if owner else []
        for one in accounts.listed(account for account in of_client if account.id == int(number)):
            return one
    raise HTTPException(HTTP_404_NOT_FOUND)


# ---------------------------------------------------------------- what is done


def set_limits(visit: Visit) -> Response:
    client, carrier, text = _named(visit, "client", "carrier", "limits")
    return visit.back(done(visit, lambda actions: actions.set_limits(client, carrier, text)))


def remove(visit: Visit) -> Response:
    client, carrier = _named(visit, "client", "carrier")
    return visit.back(done(visit, lambda actions: actions.remove_account(client, carrier)), "/carriers")


def _named(visit: Visit, *names: str) -> list[str]:
    return [str(visit.form.get(name, "")) for name in names]
