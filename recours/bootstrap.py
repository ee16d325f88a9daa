"""Creates workers and their monitoring."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import random
from typing import TYPE_CHECKING

from recours.accounts.opened import OpenedAccounts, make_catalog, make_queue, open_accounts
from recours.app import App, make_assessor, make_enrollment, read_policy
from recours.core.errors import RunError
from recours.core.pauses import CLOCKS_DIFFER
from recours.core.policy import DEFAULT_MAX_RETRIES
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.intake import ClaimIntake
from recours.database.journal import RunJournal
from recours.database.maintenance import ClaimMaintenance
from recours.evidence.manifests import write_manifests
from recours.evidence.store import DocumentStore, erase
from recours.host.logs import local, run_log
from recours.mail.service import MailService
from recours.runs.ports import Dependencies
from recours.runs.worker import WORKERS, Options, Worker
from recours.settings.model import Settings, redactor

if TYPE_CHECKING:
    from recours.monitoring.healthchecks import Pings


def make_worker(
    kind: type[Worker],
    app: App,
    options: Options,
    *,
    max_retries: int = DEFAULT_MAX_RETRIES,
    jitter: Callable[[], float] = random,
    run_id: str | None = None,
    token: str | None = None,
    prefix: str = "",
    mails: bool = True,
    opened_accounts: OpenedAccounts | None = None,
) -> Worker:
    """Create a worker for one run. `prefix`: see `Worker`. `mails`: False leaves the emails to the next run.

    `run_id`: 32 hex digits. `token`: the token of the leases, unique among workers that share the record of a run.
    """
    run_id = run_id or uuid.uuid4().hex
    clock = app.clock
    settings = app.settings
    database = app.database
    policy = replace(read_policy(settings, database), max_retries=max_retries)
    redact = redactor(settings)
    if opened_accounts is None:
        opened_accounts = open_accounts(settings, clock, jitter, database=database)
        opened_accounts.settle_moved(clock.now())
    catalog = make_catalog(settings, opened_accounts.client_accounts)
    language = settings.mail.language
    assessor = make_assessor(settings, database, catalog, policy)
    mailing = MailService(settings, database, app.schema, clock, token or run_id, catalog)
    deps = Dependencies(
        clock=clock,
        claims=ClaimRepository(database, catalog, run_id, kind.name, redact, language),
        intake=ClaimIntake(assessor, policy.skip_claim_statuses, max_retries, run_id, clock),
        maintenance=ClaimMaintenance(database, catalog, run_id, redact, language),
        journal=make_journal(settings, database),
        queue=make_queue(settings, database, clock, jitter, opened_accounts, options.concurrency),
        documents=DocumentStore(settings.pod_dir, settings.access),
        policy=policy,
        send_mails=mailing.notify if mails else None,
        report_problems=mailing.report_problems,
        enrollment=make_enrollment(settings, assessor),
        closing_tasks=(partial(write_manifests, settings, database, run_id, clock),),
    )
    options = replace(options, carrier_concurrency=settings.carrier_concurrency)
    return kind(deps, catalog, options, run_id, local, token, prefix)


def make_journal(settings: Settings, database: Database) -> RunJournal:
    return RunJournal(database, partial(_erase_refused, settings.pod_dir))


def _erase_refused(folder: Path, path: str, sha256: str) -> str | None:
    why = erase(folder, path, sha256)
    if why:
        run_log().warning(
            f"{path} proves nothing and is past its retention period, but cannot be deleted: {why}"
        )
    return why


def make_pings(url: str, worker: str, run_id: str, redact: Callable[[str], str] = str) -> "Pings":
    from recours.monitoring.healthchecks import Pings  # noqa: PLC0415 (brings the HTTP library)

    return Pings(url, worker, run_id, redact)


def leave_metrics(app: App, run_id: str) -> None:
    """Rewrite the metrics file, if the settings name one. Failures are logged as WARNING."""
    path = app.settings.watch.metrics_file
    if path is None:
        return
    from recours.monitoring.prometheus import replace_file  # noqa: PLC0415 (see above)

    try:
        replace_file(path, metrics_text(app), run_id)
    except (RunError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        run_log().warning(f"The metrics could not be written to {path}: {reason}")
    except Exception:  # noqa: BLE001 (an error in an observer must not end the run)
        run_log().exception("The metrics could not be written (internal error); the run continues")


def metrics_text(app: App) -> str:
    """Return the current metrics in Prometheus's text format. Raises RunError."""
    from recours.monitoring.prometheus import exposition, metrics  # noqa: PLC0415 (see above)
    from recours.reporting.snapshot import Reports  # noqa: PLC0415 (see above)

    reports = Reports(replace(app))
    now = reports.overview(days=1)
    well = {
        name: run for name in WORKERS if (run := reports.system.last_success(name, now.at + CLOCKS_DIFFER))
    }
    return exposition(metrics(now, well))
