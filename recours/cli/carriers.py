"""`recours carriers`: shows and tests each carrier's account, quotas, state; `recours pause` and `recours resume`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from recours import __version__
from recours.accounts.health import AccountHealth, ListedAccount
from recours.accounts.opened import make_catalog
from recours.app import App, connect, needs_creation, open_database, read_clock
from recours.carriers.registry import CATALOG
from recours.cli.common import (
    Carrier,
    acting,
    database_option,
    home,
    json_option,
    refusal_text,
    report_faults,
    settings_for,
    tell_json,
    with_actions,
    write_new_file,
)
from recours.cli.console import FAILED, USAGE, echo, harmless, say_error
from recours.core.actions import ActionKind, PastAction
from recours.core.carrier import CarrierSpec
from recours.core.claim import tidy_number
from recours.core.errors import REFUSED_KINDS, TRAITS
from recours.core.localized import Localized
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Refusal
from recours.core.text import plural
from recours.core.times import EXAMPLES
from recours.database.schema.inspection import inspect_schema
from recours.host.installation import pasteable
from recours.reporting.snapshot import Reports
from recours.reporting.system import CarrierNow, account_json
from recours.runs.attempt import malformed
from recours.runs.summary import named_usage, purpose, worth_showing
from recours.settings.model import Settings

_ACCOUNTS_SHOWN = 10  # clients' accounts per carrier


@click.group("carriers", invoke_without_command=True)
@database_option
@json_option
@click.pass_context
def command(context: click.Context, database_url: str | None, as_json: bool) -> None:
    """Show each carrier's credentials, use of quotas, pauses and clients' accounts. No carrier is called."""
    context.obj = settings_for(database_url)
    if context.invoked_subcommand is None:
        with report_faults():
            listing = _listing(context.obj)
            if as_json:
                tell_json({"carriers": listing.as_json()})
            else:
                _show(context.obj, listing)
    elif as_json:
        raise click.UsageError("--json only works with 'recours carriers' without a subcommand.")


@dataclass(frozen=True)
class _Listing:
    """The carriers, clients' accounts, and the last manual actions on each carrier."""

    carriers: Sequence[CarrierNow]
    accounts: Sequence[ListedAccount] = ()
    actions: Mapping[str, Sequence[PastAction]] = field(default_factory=dict)

    def accounts_at(self, key: str) -> list[ListedAccount]:
        return [listed for listed in self.accounts if listed.account.carrier == key]

    def as_json(self) -> list[dict[str, Any]]:
        return [
            carrier.as_json()
            | {
                "source": carrier.source,
                "missing": carrier.missing or None,
                "accounts": list(map(account_json, self.accounts_at(carrier.key))),
                "actions": [action.as_json() for action in self.actions.get(carrier.key, ())],
            }
            for carrier in self.carriers
        ]


def _listing(settings: Settings) -> _Listing:
    """The listing. If no run has created the tables yet, it contains only the settings. Raises DatabaseError."""
    if not needs_creation(settings):
        with closing(connect(settings)) as database:
            schema = inspect_schema(database)
            if schema.is_current:
                reports = Reports(App(settings, database, schema, read_clock(database)))
                return _Listing(reports.carriers_now(), reports.accounts_now(), reports.actions_now())
    credentials = settings.credentials
    carriers = [
        CarrierNow(
            key,
            spec.name,
            not credentials[key].missing,
            source=credentials[key].source,
            missing=credentials[key].missing,
        )
        for key, spec in CATALOG.specs.items()
    ]
    return _Listing(carriers)


def _show(settings: Settings, listing: _Listing) -> None:
    rows = list(_rows(settings, listing))
    head = ("Carrier", "Credentials", "Calls")
    widths = [max(len(row[column]) for row in (head, *(row for row, _ in rows))) for column in (0, 1)]
    for row, notes in [(head, []), *rows]:
        echo(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip())
        for note in notes:
            echo(f"{'':<{widths[0]}}  {harmless(note)}")
    catalog = make_catalog(settings)
    for substitute in catalog.substitutes:  # carriers that use another carrier's account
        names = substitute.names or (catalog.name_of(substitute.claimed),)
        if substitute.served_by in catalog.keys_of(names[0]):
            served_by = catalog.name_of(substitute.served_by)
            number = f" with a {served_by} number" if substitute.numbers else ""
            echo(f"{' and '.join(names)} claims{number} use the {served_by} account.")


def _rows(settings: Settings, listing: _Listing) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """For each carrier, a row of three columns and the notes below it."""
    texts = Localized("en", settings.policy.zone)
    for carrier in sorted(listing.carriers, key=lambda carrier: carrier.name.casefold()):
        key = carrier.key
        refusal = carrier.refusal or carrier.documents
        limits = [named_usage(use, texts.minute) for use in worth_showing(carrier.uses)] or [
            f"{purpose(limit)}{limit}" for limit in settings.limits[key]
        ]
        notes = [f"set {carrier.missing}"] if carrier.missing else []
        if refusal and (carrier.stopped or not carrier.missing):
            notes.append(refusal_text(refusal, texts))
        elif carrier.unavailable_since:
            since = texts.minute(carrier.unavailable_since)
            notes.append(f"unavailable: no answer since {since}")
        latest = next(iter(listing.actions.get(key, ())), None)
        if latest and latest.kind == ActionKind.RESUMED:
            notes.append(f"resumed on {texts.minute(latest.at)} by {latest.by}")
        notes += _client_notes(listing.accounts_at(key), texts)
        yield (carrier.name, "missing" if carrier.missing else carrier.source, "; ".join(limits)), notes


def _client_notes(accounts: Sequence[ListedAccount], texts: Localized) -> list[str]:
    """A line for each client account that needs attention, up to a limit, and the number of other accounts."""
    if not accounts:
        return []
    troubled = [listed for listed in accounts if listed.health is not AccountHealth.OPEN]
    lines = []
    for listed in troubled[:_ACCOUNTS_SHOWN]:
        why = f": {listed.why}" if listed.why else ""
        until = f"; no call before {texts.minute(listed.until)}" if listed.until else ""
        lines.append(f"{listed.client.display_name}: {listed.health}{why}{until}")
    remaining = Counter(listed.health for listed in troubled[_ACCOUNTS_SHOWN:])
    lines += [
        f"and {plural(count, 'more account')} of clients: {health}" for health, count in remaining.items()
    ]
    if count := len(accounts) - len(troubled):
        are = "is" if count == 1 else "are"
        noun = plural(count, "more account" if troubled else "account")
        lines.append(f"{'and ' if troubled else ''}{noun} of clients {are} open")
    return lines


@command.command("check")
@click.argument("spec", metavar="NAME", type=Carrier())
@click.pass_obj
def check(settings: Settings, spec: CarrierSpec) -> None:
    """Test a carrier's credentials with one real call.

    If the carrier accepts credentials that it had rejected, runs call it again.
    """
    _need_credentials(settings, spec)
    with report_faults():
        app = open_database(settings)
        with closing(app.database), acting(app) as actions:
            result = actions.check(spec.key)
    if result.is_done:
        echo(harmless(result.sentence))
        return
    say_error(result.sentence)
    if result.kind in REFUSED_KINDS:
        credentials = settings.credentials[spec.key]
        echo(f"The credentials are {' and '.join(credentials.values)} from {credentials.source}.", err=True)
        echo(pasteable(TRAITS[result.kind].advice.format(carrier=spec.name)), err=True)
    raise SystemExit(FAILED)


def _need_credentials(settings: Settings, spec: CarrierSpec) -> None:
    """Without credentials, print what to set and end the process with status 2."""
    if missing := settings.credentials[spec.key].missing:
        say_error(
            f"{spec.name} has no credentials: set {missing} in the environment, in .env or in the secrets file."
        )
        raise SystemExit(USAGE)


@command.command("rehearse", short_help="Fetch one proof as a test, and record the exchange.")
@click.argument("spec", metavar="NAME", type=Carrier())
@click.option(
    "--tracking",
    metavar="NUMBER",
    required=True,
    help="Use this tracking number, preferably of one of your own delivered parcels.",
)
@click.option(
    "--share",
    is_flag=True,
    help="Also write a report for a public issue, with the names of fields and the codes received, but no values.",
)
@click.pass_obj
def rehearse(settings: Settings, spec: CarrierSpec, tracking: str, share: bool) -> None:
    """Fetch one proof as a test, and record the requests and answers in data/recordings.

    The calls count against the quota. No claim is changed, no attempt is used and no document is stored. The recording
    contains no credentials, but it does contain the names and addresses that the carrier sent; only you may read it.
    """
    from recours.admin.rehearsal import rehearse as rehearse_number  # noqa: PLC0415 (loads the HTTP library)

    number = tidy_number(tracking) or ""
    if fault := malformed(number, spec):
        raise click.UsageError(f"{fault.message}.")
    _need_credentials(settings, spec)
    texts = Localized("en", settings.policy.zone)
    with report_faults():
        app = open_database(settings)
        with closing(app.database):
            result = rehearse_number(app, spec.key, number)
            at = app.clock.now()
    if isinstance(result, Refusal):
        say_error(f"No call was made: {refusal_text(result, texts)}.")
        raise SystemExit(FAILED)
    outcome, recording, redact = result
    for call in recording.calls:
        request = call["request"]
        answer = call.get("error") or f"HTTP {call['status']}"
        echo(harmless(f"- {request['method']} {request['path']}: {answer}"))
    echo(harmless(redact(f"Read as {recording.kind}: {number}: {_parcel_text(outcome, texts)}")))
    path = home() / "data" / "recordings" / f"{spec.key}-{at:%Y%m%dT%H%M%SZ}.json"
    try:
        settings.access.make_folder(path.parent)
        recording.save(path)
    except OSError as error:
        say_error(f"Cannot write the recording to {path}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error
    echo(f"Recording: {harmless(str(path))}")
    if share:
        from recours.admin.shared_report import shared_report  # noqa: PLC0415 (loads the simulated carriers)

        report = path.with_name(f"{path.stem}-share.txt")
        write_new_file([shared_report(recording, __version__).encode()], report)
        echo(f"Report to share, once you have read it: {harmless(str(report))}")


@command.command("reclassify", short_help="Replay a recording offline.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def reclassify(settings: Settings, file: Path) -> None:
    """Replay a recording offline, and show how this version of recours classifies the answers.

    The exit status is 1 if the result differs from the recorded one, and 2 if the file is not a recording.
    """
    from recours.admin.rehearsal import kind_of, load, read_again  # noqa: PLC0415 (loads the HTTP library)

    try:
        recording = load(file)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = f" ({error.strerror or error})" if isinstance(error, OSError) else ""
        say_error(f"{file} is not a readable recording{why}. 'recours carriers rehearse' creates recordings.")
        raise SystemExit(USAGE) from error
    outcome = read_again(recording)
    kind = kind_of(outcome)
    name = CATALOG.name_of(recording.carrier)
    text = _parcel_text(outcome, Localized("en", settings.policy.zone))
    echo(harmless(f"{name}: read as {kind}: {recording.number}: {text}"))
    if kind != recording.kind:
        say_error(f"This result differs from the recorded result, {recording.kind}.")
        raise SystemExit(FAILED)


def _parcel_text(outcome: Outcome, texts: Localized) -> str:
    """What an answer says about the parcel."""
    if isinstance(outcome, Failure):
        text = harmless(outcome.message).rstrip(".")
    else:
        text = f"document available, {len(outcome.best.content)} bytes (not stored)"
    if delivery := outcome.delivery:
        text += f"; delivered {texts.minute(delivery.at) if delivery.at else delivery.day or ''}".rstrip()
        text += f", signed by {delivery.signatory}" if delivery.signatory else ""
    return text


_account_option = click.option(
    "--account", "client", metavar="CLIENT", help="Select only this client's account, not the whole carrier."
)


@click.command("pause")
@click.argument("spec", metavar="CARRIER", type=Carrier())
@_account_option
@click.option("--why", metavar="TEXT", default="", help="Give the reason, which is shown in the log.")
@click.option(
    "--until",
    metavar="TIME",
    default="",
    help=f"End the pause at this time, in RECOURS_TIMEZONE: {EXAMPLES}.",
)
@database_option
def pause_command(
    spec: CarrierSpec, client: str | None, why: str, until: str, database_url: str | None
) -> None:
    """Pause CARRIER for all runs on all machines, until 'recours resume' or the time given with --until.

    A run in progress finishes the calls that it has started or reserved quota for; no other calls are made. The carrier's
    claims stay due, no attempt is used, and no email is sent.
    """
    with with_actions(database_url) as actions:
        echo(harmless(actions.pause(spec.key, why, client or "", until).sentence))


@click.command("resume")
@click.argument("spec", metavar="CARRIER", type=Carrier())
@_account_option
@database_option
def resume_command(spec: CarrierSpec, client: str | None, database_url: str | None) -> None:
    """Resume CARRIER. The next run calls it again, within its quotas."""
    with with_actions(database_url) as actions:
        echo(harmless(actions.resume(spec.key, client or "").sentence))
