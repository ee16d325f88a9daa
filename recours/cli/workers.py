"""The command line of the two workers: options, exit statuses, signals."""

import os
import signal
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from recours import __version__
from recours.accounts.opened import make_catalog
from recours.app import App, log_file, open_database
from recours.bootstrap import leave_metrics, make_pings, make_worker
from recours.carriers.registry import CATALOG
from recours.cli.console import (
    DONE,
    FAILED,
    URL_WARNING,
    USAGE,
    as_setting,
    carriers_option,
    flushed,
    harmless,
    make_tolerant,
    number_option,
    person,
    print_json,
    report_losses,
    say_error,
    say_usage_error,
    status_of,
    verbose_option,
)
from recours.core.carrier import Catalog
from recours.core.errors import RunError
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.core.text import plural
from recours.database.engine import Database
from recours.host import logs
from recours.host.files import SETTING as SHARED_GROUP
from recours.runs.ports import CLAIMS_MOST
from recours.runs.refusals import UnfitClaimsError
from recours.runs.worker import STOPPED, WORKERS, Options, PODFetchWorker, PODRetryScheduler, Worker
from recours.settings.loading import has_password, home_of, load_at_home, load_one
from recours.settings.model import Settings, SettingsError, between, redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from recours.monitoring.healthchecks import Pings

_HELP = {
    PODFetchWorker.name: "Fetch the PODs of new claims, within the carriers' quotas.",
    PODRetryScheduler.name: "Retry failed POD fetches that are due, within the carriers' quotas.",
}


def _command(name: str) -> click.Command:
    batch = WORKERS[name].usual_batch
    options: list[Callable[[Any], Any]] = [
        number_option("--batch-size", 1, 10000, batch, "Process at most this many claims, 1 to 10000."),
        carriers_option,
        click.option(
            "--dry-run",
            is_flag=True,
            help="Show which claims would be fetched and why the others wait; change nothing.",
        ),
        click.option(
            "--json", "as_json", is_flag=True, help="Print the summary as one JSON object on stdout."
        ),
        number_option("--concurrency", 1, 64, 8, "Fetch this many claims at the same time, 1 to 64."),
        click.option(
            "--max-runtime",
            type=as_setting(between(0.01, 1440)),
            default=55,
            show_default=True,
            metavar="MINUTES",
            help="Start no new claims after this many minutes.",
        ),
        click.option("--database-url", metavar="URL", help="Use this database, not the configured one."),
        verbose_option,
        click.version_option(__version__, message="recours %(version)s"),
    ]
    if name == PODRetryScheduler.name:
        options += [
            number_option(
                "--max-retries",
                1,
                20,
                DEFAULT_MAX_RETRIES,
                "Give up on a claim after this many retries, 1 to 20.",
            ),
            click.option(
                "--claim",
                "claims",
                metavar="REF",
                multiple=True,
                help="Fetch this claim now, even if it is not due; repeatable.",
            ),
        ]

    def run(**options: Any) -> int:
        return _run(name, options)

    for option in reversed(options):
        run = option(run)
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return click.command(name, help=_HELP[name], context_settings=settings)(run)


def run_options(options: dict[str, Any], catalog: Catalog) -> Options:
    """The options of the command line. A carrier's name selects every account that serves its claims."""
    keys = [key for name in options["carriers"] for key in catalog.keys_of(name)]
    claims = options.get("claims", ())
    return Options(
        batch_size=options["batch_size"],
        concurrency=options["concurrency"],
        max_runtime=timedelta(minutes=options["max_runtime"]),
        carriers=tuple(dict.fromkeys(keys)),
        claims=claims,
        by=person() if claims else "",
    )


def main(name: str, arguments: list[str] | None = None, typed_as: str | None = None) -> int:
    """Run the worker and return its exit status. `typed_as`: the program name in usage errors; None: the script."""
    make_tolerant()
    with report_losses():
        return flushed(_main(name, arguments, typed_as or f"{name}.py"))


def as_subcommand(name: str, worker: str) -> click.Command:
    """The worker as a subcommand of `recours`, with the worker's own options."""

    def completions(context: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import ShellComplete  # noqa: PLC0415 (needed by the Tab key alone)

        return ShellComplete(_command(worker), {}, name, "").get_completions(
            [*context.params["arguments"]], incomplete
        )

    class Subcommand(click.Command):
        def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
            return completions(ctx, incomplete)

    @click.command(
        name,
        Subcommand,
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        add_help_option=False,
    )
    @click.argument(
        "arguments",
        nargs=-1,
        type=click.UNPROCESSED,
        shell_complete=lambda context, _parameter, incomplete: completions(context, incomplete),
    )
    def command(arguments: tuple[str, ...]) -> None:
        raise SystemExit(main(worker, list(arguments), f"recours {name}"))

    return command


def _main(name: str, arguments: list[str] | None, typed_as: str) -> int:
    try:
        return int(_command(name).main(arguments, prog_name=typed_as, standalone_mode=False) or DONE)
    except click.UsageError as error:
        _note_in_log(name, say_usage_error(error))
        return USAGE
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return STOPPED + signal.SIGINT


def parse_options(name: str, arguments: list[str]) -> dict[str, Any]:
    """Parse a worker's arguments without running or printing anything. Raises click.UsageError."""
    if shortcuts := {"--help", "-h", "--version"} & set(arguments):
        raise click.UsageError(f"{min(shortcuts)} cannot be used here, because it only prints text.")
    return dict(_command(name).make_context(f"{name}.py", list(arguments)).params)


def _run(name: str, options: dict[str, Any]) -> int:
    if options.get("claims") and options["carriers"]:
        raise click.UsageError(
            "--carrier and --claim cannot be combined; leave one of them out.",
            click.get_current_context(),
        )
    run_id = uuid.uuid4().hex
    try:
        settings = load_at_home(os.environ, CATALOG, database_url=options["database_url"])
    except SettingsError as faults:
        for fault in faults.faults:
            _note_in_log(name, harmless(fault))
            say_error(fault)
        return _report_unstarted(name, run_id, options, USAGE, list(map(harmless, faults.faults)))
    try:
        log = logs.set_up(log_file(settings, name), verbose=options["verbose"])
    except RunError as fault:
        say_error(str(fault))
        return _report_unstarted(name, run_id, options, FAILED, [str(fault)])
    try:
        return _pinged_run(name, run_id, settings, options, log)
    finally:
        log.close()


def _pinged_run(name: str, run_id: str, settings: Settings, options: dict[str, Any], log: logs.Log) -> int:
    """Run with pings at the start and the end. A dry run sends no pings."""
    url = "" if options["dry_run"] else settings.watch.ping_url
    pings = make_pings(url, name, run_id, redactor(settings)) if url else None
    ending = Ending(STOPPED + signal.SIGINT)  # the status if the run is interrupted
    try:
        ending = _logged_run(name, run_id, settings, options, pings)
        if log.fault:
            say_error(log.fault)
            ending = Ending(ending.status or FAILED, (*ending.lines, log.fault))
    finally:
        if pings:
            pings.ended(ending.status, ending.lines)
    return ending.status


class Ending(NamedTuple):
    """The end of a run: its exit status, and its summary or the reason why the run has no summary."""

    status: int
    lines: tuple[str, ...] = ()


def _logged_run(
    name: str, run_id: str, settings: Settings, options: dict[str, Any], pings: "Pings | None"
) -> Ending:
    log = logs.run_log()
    if not options["dry_run"]:
        WORKERS[name].log_header(options["batch_size"], options.get("max_retries", 0))
    for warning in settings.warnings:
        log.warning(warning)
    if has_password(options["database_url"] or ""):
        log.warning(URL_WARNING)
    if pings:
        pings.started()
    try:
        if options["dry_run"]:
            from recours.cli.dry_run import show  # noqa: PLC0415 (not needed by a run)

            return Ending(show(WORKERS[name], settings, options))
        app = open_database(settings)
        try:
            return _work(WORKERS[name], run_id, app, options)
        finally:
            leave_metrics(app, run_id)
            app.database.close()
    except RunError as fault:
        log.error(str(fault))  # the SQL is left out, because it cannot be copied from log lines
        return Ending(status_of(fault), (str(fault),))
    except UnfitClaimsError as refused:
        sentences = tuple(str(refused).splitlines())
        for sentence in sentences:
            log.error(sentence)
        return Ending(USAGE, sentences)
    except Exception as error:
        log.exception("The run failed with an internal error")
        sentence = f"The run failed with an internal error ({type(error).__name__}); see the log for details"
        return Ending(FAILED, (sentence,))


def _work(kind: type[Worker], run_id: str, app: App, options: dict[str, Any]) -> Ending:
    log = logs.run_log()
    # Clients' accounts are only needed with --carrier, to find all accounts that serve the carrier's claims.
    batch = run_options(options, app.catalog if options["carriers"] else make_catalog(app.settings))
    limit = options.get("max_retries", DEFAULT_MAX_RETRIES)
    worker = make_worker(kind, app, batch, max_retries=limit, run_id=run_id)
    _stop_on_signals(worker, app.database)
    app.log_remarks()
    if app.settings.database_is_embedded:
        log.warning(
            f"Neither DATABASE_URL nor DATABASE_PATH is set; using the embedded database {app.database.path}"
        )
    count = worker.deps.claims.count()
    claims = f"{count} or more claims" if count == CLAIMS_MOST else plural(count, "claim")
    log.info(f"Database: {app.database.safe_url}, {claims}")
    try:
        report = worker.run()
    except RunError as unbegun:
        if not worker.stopped_by:
            raise
        log.error(str(unbegun))
        return Ending(STOPPED + worker.stopped_by, (str(unbegun),))
    fault = print_json(report.as_json()) if options["as_json"] else None
    faults = [sentence for sentence in (fault, report.fault) if sentence]
    for sentence in faults:
        log.error(sentence)
    lines = [*faults, *report.summary(worker.local)]
    if report.exit_status > STOPPED:
        stopped = f"Stopped by {signal.Signals(report.exit_status - STOPPED).name}"
        log.warning(stopped)
        lines.insert(len(faults), stopped)
    return Ending(report.exit_status or (FAILED if fault else DONE), tuple(lines))


def _stop_on_signals(worker: Worker, database: Database) -> None:
    """Let SIGINT and SIGTERM end the run after the calls in progress, or at once if the database does not answer."""

    def stop(number: int, _frame: object) -> None:
        worker.stop(number)
        database.hurry()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _report_unstarted(name: str, run_id: str, options: dict[str, Any], status: int, faults: list[str]) -> int:
    """Ping RECOURS_PING_URL about a run that did not start, even if other settings are wrong. `faults`: no secrets."""
    environment = os.environ
    try:
        url = "" if options["dry_run"] else load_one("RECOURS_PING_URL", home_of(environment), environment)
    except SettingsError:
        return status
    if url:
        make_pings(url, name, run_id).ended(status, faults)
    return status


def _note_in_log(name: str, sentence: str) -> None:
    """Also write the sentence that explains exit status 2 to the log file, if possible."""
    try:
        environment = os.environ
        home = home_of(environment)
        path = load_one("RECOURS_LOG_DIR", home, environment) / f"{name}.log"
        log = logs.set_up(logs.LogFile(path, access=load_one(SHARED_GROUP, home, environment)), quiet=True)
    except (RunError, SettingsError):
        return
    logs.run_log().error(sentence)
    log.close()


fetch_command = as_subcommand("fetch", PODFetchWorker.name)
retry_command = as_subcommand("retry", PODRetryScheduler.name)
