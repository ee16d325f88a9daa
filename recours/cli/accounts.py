"""`recours accounts`: clients' own accounts with carriers. Credentials are entered without echo or read from stdin."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from recours.accounts.health import ListedAccount, account_uses
from recours.accounts.rules import LARGEST, AccountRefusedError, carrier_named, limits_in, limits_text
from recours.admin.accounts import AccountActions
from recours.carriers.registry import CATALOG
from recours.cli.common import (
    STDIN,
    confirmed,
    content_of,
    database_option,
    dry_run_option,
    json_option,
    say,
    tell_json,
    with_actions,
    with_app,
    yes_option,
)
from recours.cli.console import (
    FAILED,
    CarrierName,
    Table,
    echo,
    harmless,
    person,
    say_error,
    say_warning,
    show,
)
from recours.core.accounts import ClientAccount
from recours.core.carrier import CarrierSpec
from recours.core.localized import Localized
from recours.core.text import clean, enumeration, plural
from recours.host.files import open_to_all
from recours.host.installation import pasteable
from recours.reporting.snapshot import Reports
from recours.reporting.system import account_json
from recours.runs.summary import named_usage

_MOST_UNCONFIRMED = 20  # calls that are made without confirmation
_LONGEST_STDIN = 64 * 1024


@click.group("accounts")
def command() -> None:
    """Manage clients' own accounts with carriers.

    A client's claims are fetched with the client's own account; all other claims use the default account.
    """


_client_argument = click.argument("client", metavar="CLIENT")
_carrier_argument = click.argument("carrier", metavar="CARRIER", shell_complete=CarrierName().shell_complete)


def _from_stdin_alone(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Accept only a dash. Any other value may be a password, so it is not repeated in the error."""
    if value not in (None, "-"):
        raise click.BadParameter(
            "every user of this machine can see credentials on the command line (with ps), and they stay in the shell's "
            "history. Write --credentials - and pass them on stdin."
        )
    return value


@command.command("add")
@_client_argument
@_carrier_argument
@click.option(
    "--credentials",
    metavar="-",
    callback=_from_stdin_alone,
    help="Read the credentials from stdin, as a JSON object keyed by setting; by default you are prompted for them.",
)
@click.option(
    "--limits",
    "limit_texts",
    metavar="TEXT",
    multiple=True,
    help="Set a limit, such as 100/day or TRACKING=20/hour; repeatable. Default: the carrier's limits.",
)
@click.option("--replace", is_flag=True, help="Replace the account's credentials; its number stays the same.")
@database_option
def add(
    client: str,
    carrier: str,
    credentials: str | None,
    limit_texts: tuple[str, ...],
    replace: bool,
    database_url: str | None,
) -> None:
    """Add CLIENT's own account with CARRIER.

    CLIENT is an email address or an id from the table clients.
    """
    with with_actions(database_url) as actions:
        accounts = AccountActions(actions.app)
        accounts.seals()  # raises before the prompts if credentials cannot be sealed
        owner = accounts.client(client)
        spec = carrier_named(CATALOG, carrier)
        limits = limits_in(spec, limit_texts) if limit_texts else None
        if not replace and accounts.store.all([owner.id], [spec.key]):
            raise AccountRefusedError("has_account", client=owner.display_name, carrier=spec.name)
        values = _read_credentials() if credentials else _ask_credentials(spec)
        say(actions.set_account(owner.id, carrier, values, limits, is_new=not replace))
    echo(f"To test the account: {pasteable(f'recours accounts check {owner.display_name} {spec.key}')}")


def _read_credentials() -> Mapping[str, Any]:
    text = sys.stdin.read(_LONGEST_STDIN + 1) if sys.stdin else ""
    try:
        content = json.loads(text) if len(text) <= _LONGEST_STDIN else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise click.UsageError("stdin must contain one JSON object of at most 64 kB. Nothing was changed.")
    return content


def _ask_credentials(spec: CarrierSpec) -> dict[str, str]:
    """Prompt for each credential without echo. Credentials left empty are omitted."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "No terminal is available to ask for credentials. Pass them on stdin: --credentials -"
        )
    if len(spec.credentials) > 1:
        sets = ", or ".join(map(enumeration, spec.credentials))
        echo(f"{spec.name} requires {sets}. Leave the others empty.", err=True)
    values = {
        name: click.prompt(name, default="", show_default=False, hide_input=True, err=True)
        for name in spec.credential_names
    }
    for option in spec.options:
        values[option.name] = click.prompt(option.name, default=option.default, err=True)
    return values


@command.command("list")
@database_option
@json_option
def list_(database_url: str | None, as_json: bool) -> None:
    """List every account with its limits and health.

    No carrier is called, and no credentials are shown.
    """
    with with_app(database_url) as app:
        texts = Localized("en", app.settings.policy.zone)
        listed = Reports(app).accounts_now()
        if as_json:
            at = app.clock.now().isoformat()
            tell_json({"at": at, "accounts": [_as_json(entry) for entry in listed]})
            return
        uses = account_uses(app.settings, app.database, app.clock, [entry.account.key for entry in listed])
    if not listed:
        echo("No client has its own account.")
        return
    columns = ("Client", "Carrier", "Number", "Since", "Limits", "Used", "Health")
    rows = [
        (
            entry.client.display_name,
            CATALOG.name_of(entry.account.carrier, entry.account.carrier),
            str(entry.account.id),
            texts.minute(entry.account.added_at),
            "the carrier's" if entry.account.limits is None else limits_text(entry.account.limits),
            "; ".join(named_usage(use, texts.minute) for use in uses.get(entry.account.key, ())),
            _health_text(entry, texts),
        )
        for entry in listed
    ]
    show(Table("Clients' accounts", columns, rows, frozenset({"Number"})))


def _as_json(listed: ListedAccount) -> dict[str, Any]:
    account = listed.account
    return account_json(listed) | {
        "added_at": account.added_at.isoformat(),
        "added_by": account.added_by,
        "changed_at": account.changed_at.isoformat(),
        "limits": dict(account.limits) if account.limits is not None else None,
    }


def _health_text(listed: ListedAccount, texts: Localized) -> str:
    until = f" until {texts.minute(listed.until)}" if listed.until else ""
    why = f": {listed.why}" if listed.why else ""
    return f"{listed.health}{until}{why}"


@command.command("check")
@click.argument("client", metavar="[CLIENT]", required=False)
@click.argument("carrier", metavar="[CARRIER]", required=False, shell_complete=CarrierName().shell_complete)
@yes_option
@database_option
def check(client: str | None, carrier: str | None, yes: bool, database_url: str | None) -> None:
    """Test accounts with one real call each.

    Without arguments, all accounts are tested; with CLIENT, all accounts of this client; with CLIENT and CARRIER, that
    account. Limits and pauses still apply. If the carrier accepts a rejected account again, the next run uses it. The exit
    status is 1 if any account is not accepted.
    """
    with with_actions(database_url) as actions:
        chosen = _selected_accounts(AccountActions(actions.app), client, carrier)
        question = f"Make {plural(len(chosen), 'real call')}?"
        if len(chosen) > _MOST_UNCONFIRMED and not confirmed(question, yes=yes, refused="No call was made."):
            return
        accepted = 0
        for result in actions.check_accounts(chosen):
            accepted += result.is_done
            if result.is_done:
                echo(harmless(result.sentence))
            else:
                say_error(result.sentence)
    if len(chosen) > 1:
        echo(f"{accepted} of {plural(len(chosen), 'account')} accepted.")
    if accepted < len(chosen):
        raise SystemExit(FAILED)


def _selected_accounts(
    accounts: AccountActions, client: str | None, carrier: str | None
) -> list[ClientAccount]:
    """The client's account with this carrier, or all accounts of this client, or all accounts of all clients."""
    if client and carrier:
        return [accounts.account(client, carrier)]
    chosen = accounts.accounts_of(client) if client else accounts.store.all()
    if not chosen:
        echo("There are no accounts to test.")
    return chosen


@command.command("limits")
@_client_argument
@_carrier_argument
@click.argument("texts", metavar="[LIMIT]...", nargs=-1)
@click.option("--default", "is_default", is_flag=True, help="Use the carrier's limits again.")
@database_option
def limits(
    client: str, carrier: str, texts: tuple[str, ...], is_default: bool, database_url: str | None
) -> None:
    """Set the limits of an account.

    A LIMIT is written like 100/day or TRACKING=20/hour. Kinds of calls that you do not name keep the carrier's limits.
    """
    if bool(texts) == is_default:
        raise click.UsageError("Give either limits or --default.")
    with with_actions(database_url) as actions:
        say(actions.set_limits(client, carrier, " ".join(texts)))


@command.command("confirm")
@_client_argument
@database_option
def confirm(client: str, database_url: str | None) -> None:
    """Resume using the accounts of a client whose address has changed.

    This confirms that CLIENT is still the client whose accounts were entered.
    """
    with with_app(database_url) as app:
        confirmed_accounts = AccountActions(app).confirm(client, person())
    for account in confirmed_accounts:
        carrier = CATALOG.name_of(account.carrier, account.carrier)
        echo(f"{account.client.display_name} keeps the account with {carrier}. The next run uses it.")
    if not confirmed_accounts:
        echo(f"No account of {clean(client, 100)} needs to be confirmed. Nothing was changed.")


@command.command("remove")
@_client_argument
@_carrier_argument
@yes_option
@database_option
def remove(client: str, carrier: str, yes: bool, database_url: str | None) -> None:
    """Delete the credentials of an account.

    The account's number is kept, because recorded attempts refer to it.
    """
    if not confirmed(f"Delete the {clean(carrier, 60)} credentials of {clean(client, 100)}?", yes=yes):
        return
    with with_actions(database_url) as actions:
        say(actions.remove_account(client, carrier))


@command.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@dry_run_option("Validate every row; write nothing.")
@click.option(
    "--replace",
    is_flag=True,
    help="Also replace the credentials of existing accounts. Their numbers stay; their limits stay if a row has none.",
)
@database_option
def import_(file: Path, dry_run: bool, replace: bool, database_url: str | None) -> None:
    """Import accounts from a CSV file.

    FILE can be - for stdin. If any row is wrong, no account is added. The columns are client, carrier, limits, and the
    credentials under the names of their settings, such as account and password.
    """
    content = content_of(file, LARGEST, "FILE")
    with with_app(database_url) as app:
        accounts = AccountActions(app)
        accounts.seals()  # raises before the file is parsed if credentials cannot be sealed
        new = accounts.read_file(content, replace=replace)
        if not dry_run:
            accounts.put_all(new, person(), replace=replace)
    verb = "added or replaced" if replace else "added"
    if dry_run:
        echo(f"Dry run: {plural(len(new), 'account')} would be {verb}; nothing was written.")
        return
    echo(f"{plural(len(new), 'account')} {verb}. The next run uses them.")
    if file == STDIN:
        return
    if open_to_all(file):
        say_warning(f"Every user of this machine can read {file}, which contains credentials.")
    echo(f"Delete {clean(file.name, 100)} now: it contains credentials in plain text.")
