"""Carriers and accounts: their state, usage of their limits, and actions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.status import HTTP_404_NOT_FOUND

from recours.accounts.health import AccountHealth, ListedAccount, account_uses, list_accounts
from recours.accounts.rules import limits_text
from recours.admin.actions import ActionResult, Actions
from recours.app import App
from recours.core.position import Closing, closing_of
from recours.core.sentences import names_text
from recours.core.text import clean, plain
from recours.dashboard.visit import Visit, do_in_background, do_now, number_in
from recours.reporting.labels import account_reason, author_text, reason_of
from recours.reporting.system import Backlog, CarrierNow
from recours.runs.summary import worth_showing

_ACCOUNTS_SHOWN = 50
_OPEN = "open"
_UNAVAILABLE = "unavailable"
# The tone and icon of each state: bad for faults, warn for temporary or intentional states, good for OK.
_BADGES = {
    _OPEN: ("good", "check"),
    _UNAVAILABLE: ("bad", "alert"),
    Closing.LIMIT: ("warn", "clock"),
    Closing.STOPPED: ("warn", "pause"),
    Closing.REJECTED: ("bad", "alert"),
    Closing.DENIED: ("bad", "alert"),
    Closing.UNCONFIGURED: ("", "dot"),
}
_ACCOUNT_TONES = {
    AccountHealth.OPEN: "good",
    AccountHealth.PAUSED: "warn",
    AccountHealth.REFUSED: "bad",
    AccountHealth.UNUSABLE: "bad",
}


def show(visit: Visit) -> Response:
    overview = visit.reports.overview()
    backlogs = {backlog.carrier: backlog for backlog in overview.backlogs_by_carrier}
    carriers = sorted(
        overview.carriers, key=lambda carrier: (not carrier.configured, carrier.name.casefold())
    )
    text = clean(visit.query.get("accounts", "").strip(), 100)
    accounts = _matching(overview.accounts, text, visit.app)
    return visit.page(
        "carriers.html",
        rows=[
            _row(carrier, backlogs.get(carrier.key, Backlog(carrier.key, {})), visit) for carrier in carriers
        ],
        has_accounts=bool(overview.accounts),
        accounts=accounts[:_ACCOUNTS_SHOWN],
        accounts_found=len(accounts),
        searched=text,
        name_of=visit.app.catalog.name_of,
        account_tones=_ACCOUNT_TONES,
        account_reason=account_reason,
        author_text=author_text,
    )


def _row(carrier: CarrierNow, backlog: Backlog, visit: Visit) -> dict[str, Any]:
    """A carrier's row. `until`: when recours resumes calls automatically."""
    state, reason, until = _state(carrier, visit)
    tone, icon = _BADGES[state]
    return {
        "carrier": carrier,
        "state": "paused" if state == Closing.STOPPED else state,
        "tone": tone,
        "icon": icon,
        "reason": reason,
        "until": until,
        "stop": carrier.stopped,
        "uses": [use for use in worth_showing(carrier.uses) if use.calls],
        "backlog": backlog,
    }


def _state(carrier: CarrierNow, visit: Visit) -> tuple[str, str, datetime | None]:
    """The state of a carrier, the reason, and until when."""
    texts = visit.texts
    if not carrier.configured:
        names = names_text(texts.language, carrier.missing)
        return Closing.UNCONFIGURED, texts("set {names}", names=names) if names else "", None
    if refusal := carrier.refusal or carrier.rejected:
        reason = "" if carrier.stopped else reason_of(texts.language, refusal, carrier.name)
        return closing_of(refusal), reason, refusal.until
    if carrier.unavailable_since:
        at = texts.short_minute(carrier.unavailable_since, visit.now)
        return _UNAVAILABLE, texts("no answer since {at}", at=at), None
    return _OPEN, "", None


def _matching(accounts: Sequence[ListedAccount], text: str, app: App) -> list[ListedAccount]:
    """The accounts whose client or carrier matches the text. Accounts that need attention are first."""

    def matches(listed: ListedAccount) -> bool:
        carrier = app.catalog.name_of(listed.account.carrier, listed.account.carrier)
        return plain(text) in plain(f"{listed.client.display_name} {carrier}")

    return sorted(
        filter(matches, accounts),
        key=lambda listed: (listed.health is AccountHealth.OPEN, listed.client.display_name),
    )


def show_account(visit: Visit) -> Response:
    app = visit.app
    listed = _account(visit)
    account = listed.account
    uses = account_uses(app.settings, app.database, app.clock, [account.key])
    return visit.page(
        "account.html",
        listed=listed,
        carrier=app.catalog.name_of(account.carrier, account.carrier),
        named=str(account.client_id),
        tones=_ACCOUNT_TONES,
        reason=account_reason(visit.texts.language, listed),
        limits=limits_text(account.limits or {}),
        uses=uses.get(account.key, ()),
    )


def _account(visit: Visit) -> ListedAccount:
    app = visit.app
    number = number_in(visit.query.get("number", ""))
    accounts = [account for account in app.client_accounts if account.id == number]
    for listed in list_accounts(app.settings, app.database, app.clock, accounts):
        return listed
    raise HTTPException(HTTP_404_NOT_FOUND)


def pause(visit: Visit) -> Response:
    carrier = _carrier(visit)
    client = visit.field("client")
    why = visit.field("why")
    until = visit.field("until")
    return do_now(visit, lambda actions: actions.pause(carrier, why, client, until))


def resume(visit: Visit) -> Response:
    carrier = _carrier(visit)
    client = visit.field("client")
    return do_now(visit, lambda actions: actions.resume(carrier, client))


def check(visit: Visit) -> Response:
    """Check the credentials of the default account, or of a client's account, with one call."""
    carrier = _carrier(visit)
    client = visit.field("client")

    def ask(actions: Actions) -> ActionResult:
        return actions.check_account(client, carrier) if client else actions.check(carrier)

    return visit.back(do_in_background(visit, ask))


def _carrier(visit: Visit) -> str:
    key = visit.field("carrier")
    if key not in visit.app.catalog.specs:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return key


def set_limits(visit: Visit) -> Response:
    client, carrier, text = map(visit.field, ("client", "carrier", "limits"))
    return do_now(visit, lambda actions: actions.set_limits(client, carrier, text))


def remove_account(visit: Visit) -> Response:
    client = visit.field("client")
    carrier = visit.field("carrier")
    return do_now(visit, lambda actions: actions.remove_account(client, carrier), "/carriers")
