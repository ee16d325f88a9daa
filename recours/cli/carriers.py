"""`recours carriers`: what each carrier's account, quota and state are; `check` and `rehearse` one; `pause` and `resume`."""

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
from recours.database.schema.inspection import look
from recours.host.installation import pasteable
from recours.reporting.snapshot import Reports
from recours.reporting.system import CarrierNow, account_json
from recours.runs.attempt import malformed
from recours.runs.summary import named_usage, purpose, worth_showing
from recours.settings.model import Settings

_ACCOUNTS_SHOWN = 10  # of clients, of one carrier


@click.group("carriers", invoke_without_command=True)
@database_option
@json_option
@click.pass_context
def command(context: click.Context, database_url: str | None, as_json: bool) -> None:
    """Show the carriers: credentials, quotas with their use, pauses, accounts of clients. Calls nobody."""
    context.obj = settings_for(database_url)
    if context.invoked_subcommand is None:
        with report_faults():
            listing = _listing(context.obj)
            if as_json:
                tell_json({"carriers": listing.as_json()})
            else:
                _show(context.obj, listing)
    elif as_json:
        raise click.UsageError("--json belongs to 'recours carriers' alone.")


@dataclass(frozen=True)
class _Listing:
    """The carriers, the accounts of clients there, and what people did to each carrier last."""

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
    """Without the database where no run has made the tables yet. Raises DatabaseError."""
    if not needs_creation(settings):
        with closing(connect(settings)) as database:
            schema = look(database)
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
    for substitute in catalog.substitutes:  # whose account serves whose claims, where that is not its own
        names = substitute.names or (catalog.name_of(substitute.claimed),)
        if substitute.served_by in catalog.keys_of(names[0]):
            served_by = catalog.name_of(substitute.served_by)
            number = f" with a {served_by} number" if substitute.numbers else ""
            echo(f"{' and '.join(names)} claims{number} use the {served_by} account.")


def _rows(settings: Settings, listing: _Listing) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """A row of three columns for each carrier, and lines below it."""
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
            notes.append(f"unavailable: no call has been answered since {since}")
        latest = next(iter(listing.actions.get(key, ())), None)
        if latest and latest.kind == ActionKind.RESUMED:
            notes.append(f"resumed on {texts.minute(latest.at)} by {latest.by}")
        notes += _client_notes(listing.accounts_at(key), texts)
        yield (carrier.name, "missing" if carrier.missing else carrier.source, "; ".join(limits)), notes


def _client_notes(accounts: Sequence[ListedAccount], texts: Localized) -> list[str]:
    """A line for each account of a client that needs attention, up to so many, and how many more there are."""
    if not accounts:
        return []
    troubled = [listed for listed in accounts if listed.health is not AccountHealth.OPEN]
    lines = []
    for listed in troubled[:_ACCOUNTS_SHOWN]:
        why = f": {listed.why}" if listed.why else ""
        until = f"; not asked before {texts.minute(listed.until)}" if listed.until else ""
        lines.append(f"{listed.client.named}: {listed.health}{why}{until}")
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
    """Try a carrier's credentials with one real call.

    If they are accepted, the pause that a refusal had left is lifted.
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
        echo(f"They are {' and '.join(credentials.values)}, from {credentials.source}.", err=True)
        echo(pasteable(TRAITS[result.kind].advice.format(carrier=spec.name)), err=True)
    raise SystemExit(FAILED)


def _need_credentials(settings: Settings, spec: CarrierSpec) -> None:
    """Without credentials, what to set is printed and the process ends with status 2."""
    if missing := settings.credentials[spec.key].missing:
        say_error(
            f"{spec.name} has no credentials: set {missing} in the environment, in .env or in the secrets file."
        )
        raise SystemExit(USAGE)


@command.command("rehearse", short_help="Fetch one proof on trial, and record what came.")
@click.argument("spec", metavar="NAME", type=Carrier())
@click.option(
    "--tracking", metavar="NUMBER", required=True, help="Preferably one of your own delivered parcels."
)
@click.option(
    "--share",
    is_flag=True,
    help="Also write a report for a public issue: which fields and codes came, without values.",
)
@click.pass_obj
def rehearse(settings: Settings, spec: CarrierSpec, tracking: str, share: bool) -> None:
    """Fetch one proof on trial, and record in data/recordings what was sent and what came.

    The calls count against the quota. No claim is touched, no attempt used and no document stored. The recording holds no
    credentials, but the names and addresses that the carrier sent: you alone may read it.
    """
    from recours.admin.rehearsal import rehearse as rehearse_number  # noqa: PLC0415 (loads the HTTP library)

    number = tidy_number(tracking) or ""
    if fault := malformed(number, spec):
        raise click.UsageError(fault.message)
    _need_credentials(settings, spec)
    texts = Localized("en", settings.policy.zone)
    with report_faults():
        app = open_database(settings)
        with closing(app.database):
            result = rehearse_number(app, spec.key, number)
            at = app.clock.now()
    if isinstance(result, Refusal):
        say_error(f"Not tried: {refusal_text(result, texts)}.")
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
        say_error(f"The recording could not be written to {path}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error
    echo(f"Recorded: {harmless(str(path))}")
    if share:
        from recours.admin.shared_report import shared_report  # noqa: PLC0415 (loads the simulated carriers)

        report = path.with_name(f"{path.stem}-share.txt")
        write_new_file([shared_report(recording, __version__).encode()], report)
        echo(f"To share, after you have read it: {harmless(str(report))}")


@command.command("reclassify", short_help="Read a recording again, without network.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def reclassify(settings: Settings, file: Path) -> None:
    """Read a recording again, without network, and say how this version of recours understands it.

    Exit status 1: otherwise than when it was recorded; 2: the file is no recording.
    """
    from recours.admin.rehearsal import kind_of, load, read_again  # noqa: PLC0415 (loads the HTTP library)

    try:
        recording = load(file)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = f" ({error.strerror or error})" if isinstance(error, OSError) else ""
        say_error(f"{file} is no recording that can be read{why}: 'recours carriers rehearse' makes one.")
        raise SystemExit(USAGE) from error
    outcome = read_again(recording)
    kind = kind_of(outcome)
    name = CATALOG.name_of(recording.carrier)
    text = _parcel_text(outcome, Localized("en", settings.policy.zone))
    echo(harmless(f"{name}: read as {kind}: {recording.number}: {text}"))
    if kind != recording.kind:
        say_error(f"It was read as {recording.kind} when it was recorded.")
        raise SystemExit(FAILED)


def _parcel_text(outcome: Outcome, texts: Localized) -> str:
    """What an answer says of the parcel."""
    if isinstance(outcome, Failure):
        text = harmless(outcome.message).rstrip(".")
    else:
        text = f"its document is there, {len(outcome.best.content)} bytes (not stored)"
    if delivery := outcome.delivery:
        text += f"; delivered {texts.minute(delivery.at) if delivery.at else delivery.day or ''}".rstrip()
        text += f", signed by {delivery.signatory}" if delivery.signatory else ""
    return text


_account_option = click.option(
    "--account", "client", metavar="CLIENT", help="The account of this client there alone, not the carrier."
)


@click.command("pause")
@click.argument("spec", metavar="CARRIER", type=Carrier())
@_account_option
@click.option("--why", metavar="TEXT", default="", help="The reason, shown in the log.")
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
    """Stop CARRIER for all runs on all machines, until 'recours resume' or the time that --until gives.

    It is not called any more: a run that is under way finishes the calls that it has begun or holds units for. Its
    claims stay due, no attempt is used, and no mail is sent.
    """
    with with_actions(database_url) as actions:
        echo(harmless(actions.pause(spec.key, why, client or "", until).sentence))


@click.command("resume")
@click.argument("spec", metavar="CARRIER", type=Carrier())
@_account_option
@database_option
def resume_command(spec: CarrierSpec, client: str | None, database_url: str | None) -> None:
    """Take CARRIER up again: the next run calls it, within its quotas."""
    with with_actions(database_url) as actions:
        echo(harmless(actions.resume(spec.key, client or "").sentence))
