"""`recours accounts`: clients' own accounts at carriers. Credentials are typed without echo or read from stdin, never shown."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from recours.core.text import clean, plural
from recours.host.files import open_to_all
from recours.host.installation import pasteable
from recours.reporting.snapshot import Reports
from recours.reporting.system import account_json
from recours.runs.summary import named_usage

_MOST_UNASKED = 20  # calls that are made without asking
_LONGEST_STDIN = 64 * 1024


@click.group("accounts")
def command() -> None:
    """Clients' own accounts at carriers: their claims are asked with these, and all others with the default account."""


@contextmanager
def _opened(database_url: str | None) -> Iterator[AccountActions]:
    with with_app(database_url) as app:
        yield AccountActions(app)


_client_argument = click.argument("client", metavar="CLIENT")
_carrier_argument = click.argument("carrier", metavar="CARRIER", shell_complete=CarrierName().shell_complete)


def _from_stdin_alone(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """What is typed instead of a dash may be a password: it is not repeated."""
    if value not in (None, "-"):
        raise click.BadParameter(
            "credentials in a command line are seen by everybody on this machine (ps) and stay in the shell's history: "
            "write --credentials - and give them on stdin."
        )
    return value


@command.command("add")
@_client_argument
@_carrier_argument
@click.option(
    "--credentials",
    metavar="-",
    callback=_from_stdin_alone,
    help="Read them from stdin, as a JSON object by the names of the settings; else they are asked for.",
)
@click.option(
    "--limits",
    "limit_texts",
    metavar="TEXT",
    multiple=True,
    help="Limits of its own, such as 100/day or TRACKING=20/hour; repeatable.",
)
@click.option("--replace", is_flag=True, help="Replace the credentials that it has; its number stays.")
@database_option
def add(
    client: str,
    carrier: str,
    credentials: str | None,
    limit_texts: tuple[str, ...],
    replace: bool,
    database_url: str | None,
) -> None:
    """Give CLIENT an account of its own at CARRIER.

    CLIENT is an address or an id of the table clients.
    """
    with with_actions(database_url) as actions:
        accounts = AccountActions(actions.app)
        accounts.seals()  # else nothing need be asked for
        owner = accounts.client(client)
        spec = carrier_named(CATALOG, carrier)
        limits = limits_in(spec, limit_texts) if limit_texts else None
        if not replace and accounts.store.all([owner.id], [spec.key]):
            raise AccountRefusedError("has_account", client=owner.named, carrier=spec.name)
        values = _read_credentials() if credentials else _ask_credentials(spec)
        say(actions.set_account(owner.id, carrier, values, limits, is_new=not replace))
    echo(f"To try it: {pasteable(f'recours accounts check {owner.named} {spec.key}')}")


def _read_credentials() -> Mapping[str, Any]:
    text = sys.stdin.read(_LONGEST_STDIN + 1) if sys.stdin else ""
    try:
        content = json.loads(text) if len(text) <= _LONGEST_STDIN else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise click.UsageError(
            "What came on stdin is not a JSON object of at most 64 kB; nothing was changed."
        )
    return content


def _ask_credentials(spec: CarrierSpec) -> dict[str, str]:
    """Each on the terminal, without echo; an empty one is left out."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "There is no terminal to ask on; give the credentials on stdin: --credentials -"
        )
    if len(spec.credentials) > 1:
        sets = ", or ".join(" and ".join(names) for names in spec.credentials)
        echo(f"{spec.name} takes {sets}; leave the others empty.", err=True)
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
    """Show every account with its limits and its health.

    No carrier is called, and no credential is shown.
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
        echo("No client has an account of its own.")
        return
    columns = ("Client", "Carrier", "Number", "Since", "Limits", "Used", "Health")
    rows = [
        (
            entry.client.named,
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
    """Try accounts with one real call each.

    All of them, those of CLIENT, or the one at CARRIER. Limits and pauses hold. A refused account that is accepted again
    is used by the next run. The exit status is 1 if any is not accepted.
    """
    with with_actions(database_url) as actions:
        chosen = _chosen(AccountActions(actions.app), client, carrier)
        question = f"Make {plural(len(chosen), 'real call')}?"
        if len(chosen) > _MOST_UNASKED and not confirmed(question, yes=yes, refused="Nothing was asked."):
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


def _chosen(accounts: AccountActions, client: str | None, carrier: str | None) -> list[ClientAccount]:
    """The one that was named, or all of the client, or all."""
    if client and carrier:
        return [accounts.account(client, carrier)]
    chosen = accounts.accounts_of(client) if client else accounts.store.all()
    if not chosen:
        echo("There is no account to try.")
    return chosen


@command.command("limits")
@_client_argument
@_carrier_argument
@click.argument("texts", metavar="[TEXT…]", nargs=-1)
@click.option("--default", "is_default", is_flag=True, help="The carrier's limits, instead of its own.")
@database_option
def limits(
    client: str, carrier: str, texts: tuple[str, ...], is_default: bool, database_url: str | None
) -> None:
    """Set the limits of an account.

    Such as 100/day or TRACKING=20/hour; what is not named has the carrier's.
    """
    if bool(texts) == is_default:
        raise click.UsageError("Name limits, or give --default; not both.")
    with with_actions(database_url) as actions:
        say(actions.set_limits(client, carrier, " ".join(texts)))


@command.command("confirm")
@_client_argument
@database_option
def confirm(client: str, database_url: str | None) -> None:
    """Use the accounts of a client again whose address has changed.

    Confirms that CLIENT is the same client as when its accounts were entered.
    """
    with _opened(database_url) as accounts:
        accounts_again = accounts.confirm(client, person())
    for account in accounts_again:
        carrier = CATALOG.name_of(account.carrier, account.carrier)
        echo(f"{account.client.named} keeps the account at {carrier}; the next run asks with it.")
    if not accounts_again:
        echo(f"No account of {clean(client, 100)} waits for that; nothing was changed.")


@command.command("remove")
@_client_argument
@_carrier_argument
@yes_option
@database_option
def remove(client: str, carrier: str, yes: bool, database_url: str | None) -> None:
    """Delete the credentials of an account.

    Its number is kept, for the attempts made with it.
    """
    if not confirmed(f"Delete the credentials of {clean(client, 100)} at {clean(carrier, 60)}?", yes=yes):
        return
    with with_actions(database_url) as actions:
        say(actions.remove_account(client, carrier))


@command.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@dry_run_option("Read and check every row; write nothing.")
@click.option(
    "--replace",
    is_flag=True,
    help="Replace the credentials of accounts that are there already; their numbers stay, and limits where a row has none.",
)
@database_option
def import_(file: Path, dry_run: bool, replace: bool, database_url: str | None) -> None:
    """Add the accounts of a CSV file: all of them, or none.

    FILE is - for stdin; if any row is wrong, none is added. Columns: client, carrier, limits, and credentials by the
    names of their settings, such as account and password.
    """
    content = content_of(file, LARGEST, "FILE")
    with _opened(database_url) as accounts:
        accounts.seals()  # else nothing need be read
        new = accounts.read_file(content, replace=replace)
        if not dry_run:
            accounts.put_all(new, person(), replace=replace)
    verb = "added or replaced" if replace else "added"
    if dry_run:
        echo(f"Dry run: {plural(len(new), 'account')} would be {verb}; nothing was written.")
        return
    echo(f"{plural(len(new), 'account')} {verb}. The next run asks with them.")
    if file == STDIN:
        return
    if open_to_all(file):
        say_warning(f"Everybody on this machine may read {file}, which holds credentials.")
    echo(f"Delete {clean(file.name, 100)} now: it holds credentials in plain text.")
