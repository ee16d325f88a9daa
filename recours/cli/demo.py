"""`recours demo`: the real scheduler over five simulated days; `recours sandbox`: only the simulated carriers."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import click

from recours.app import create_embedded, open_database
from recours.bootstrap import make_worker
from recours.carriers.registry import CATALOG
from recours.cli.common import Carrier, home, report_faults
from recours.cli.console import FAILED, echo, number_option, say_error
from recours.core.carrier import CarrierSpec
from recours.database.dialect import FileConnection, connection_to_file
from recours.host import logs
from recours.host.home import make_home
from recours.runs.worker import Options, PODRetryScheduler
from recours.sandbox import MailSandbox, Parcel, Sandbox, Scenario, SimulatedClock, scenario_table
from recours.settings.loading import load
from recours.settings.model import Settings

FOLDER = Path("data") / "demo"
BEGINS = datetime(2026, 2, 2, 7, 0, tzinfo=UTC)
DAYS = 5
BATCH = 50
QUOTA = 6  # calls a day to Chronopost, too few for the first day

_S = Scenario

# Carriers that issue documents, and carriers that never do.
_ISSUING = tuple(key for key, spec in CATALOG.specs.items() if spec.issues_documents)
_NOT_ISSUING = tuple(key for key in CATALOG.specs if key not in _ISSUING)


@dataclass(frozen=True)
class _Story:
    """Claims with the same course of events, spread over the carriers."""

    claims: int
    steps: tuple[Scenario, ...]
    text: str
    carriers: tuple[str, ...] = _ISSUING
    number: str = ""  # replaces the number in the carrier's format
    error: str = "API timeout"


STORIES = (
    _Story(len(_ISSUING), (_S.DELIVERED,), "POD available at the first retry"),
    _Story(len(_ISSUING), (_S.IN_TRANSIT, _S.DELIVERED), "delivered between retries 1 and 2"),
    _Story(4, (_S.MAINTENANCE, _S.POD_LATE, _S.DELIVERED), "a carrier outage, then the POD is not ready, then it is available"),
    _Story(3, (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED), "available at the last retry", ("ups", "gls", "dpd")),
    _Story(3, (_S.IN_TRANSIT,), "never delivered, given up after the last retry", ("colissimo", "dhl", "fedex")),
    _Story(3, (_S.UNKNOWN,), "tracking number unknown to the carrier", ("ups", "dhl_express", "gls")),
    _Story(4, (_S.DELIVERED,), "the carrier issues no PODs: persistent error, one call", _NOT_ISSUING),
    _Story(2, (_S.POD_NEVER,), "sent without signature: persistent error, one call", ("chronopost",)),
    _Story(2, (_S.NOT_OURS,), "not on our contract: persistent error, one call", ("colissimo", "dhl_express")),
    _Story(2, (_S.DELIVERED,), "invalid tracking number: no call at all", ("ups", "dpd"), "12-34-{0}", "Numéro de suivi invalide"),
    _Story(2, (_S.HTML, _S.BROKEN_PDF, _S.DELIVERED), "two unusable answers, then a real document", ("fedex", "dpd")),
)  # fmt: skip


@click.command("demo")
def command() -> None:
    """Run the real scheduler through five simulated days in a few seconds. Nothing leaves this machine."""
    started_at = time.monotonic()
    with report_faults():
        folder = make_home(os.environ) / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    clock = SimulatedClock(BEGINS)
    with Sandbox(now=clock.now) as box, MailSandbox(folder / "mails") as post:
        settings = _settings(folder, box, post)
        with report_faults():
            create_embedded(settings)
        _fill(settings, box)
        log = logs.set_up(
            logs.LogFile(settings.log_dir / "pod_retry_scheduler.log", now=clock.now), quiet=True
        )
        app = replace(open_database(settings), clock=clock)
        try:
            count = sum(story.claims for story in STORIES)
            echo(
                f"{count} failed claims with {len(CATALOG.specs)} carriers; at most {QUOTA} calls a day to Chronopost; "
                "one run every hour."
            )
            for hour in range(1, DAYS * 24 + 1):
                clock.advance(BEGINS + timedelta(hours=hour) - clock.now())
                worker = make_worker(PODRetryScheduler, app, Options(batch_size=BATCH))
                worker.log_header(BATCH, 4)
                worker.run()
            _show_stories(app.database.path or "")
        finally:
            app.database.close()
            log.close()
        calls = len(box.calls)
    took = time.monotonic() - started_at
    runs = DAYS * 24
    echo(f"\n{DAYS} simulated days, {runs} runs and {calls} calls to the simulated carriers in {took:.1f} s.")
    echo(f"  log: {log.path}\n  PODs: {settings.pod_dir}")
    echo(f"  emails: {post.folder}\n  database: {app.database.path}")
    echo("Next: connect your own database and credentials, see docs/connect.md.")


def _settings(folder: Path, box: Sandbox, post: MailSandbox) -> Settings:
    environment = {
        **box.environment(),
        **post.environment(),
        "ADMIN_EMAIL": "operator@shop.example",
        "RECOURS_SERVICE_NAME": "Recours E-commerce",
        "QUOTA_CHRONOPOST": f"{QUOTA}/day",
        "RECOURS_POD_DIR": "pods",
    }
    return load(folder, environment, CATALOG)


def _fill(settings: Settings, box: Sandbox) -> None:
    """Insert about forty failed claims of several clients, in the state in which the claims service leaves them."""
    with closing(connection_to_file(Path(settings.database_url.database or ""))) as connection:
        connection.execute("BEGIN")
        for client in range(1, 5):
            row = (client, f"shop{client}@example.com", f"Boutique {client}")
            connection.execute("INSERT INTO clients (id, email, company_name) VALUES (?, ?, ?)", row)
        for place, carrier, story in _claims():
            number = story.number.format(place) or box.example(carrier, "99", place)
            box.parcels[number] = Parcel(story.steps)
            failed_at = f"{BEGINS - timedelta(minutes=place % 3):%Y-%m-%d %H:%M:%S}"
            deadline = f"{BEGINS + timedelta(days=10 + place):%Y-%m-%d}" if place % 2 else None
            name = CATALOG.specs[carrier].name
            spelling = (name, name.upper(), carrier)[place % 3]  # real claims tables contain all three
            about = (
                f"CLM-2026-{place:03d}",
                place % 4 + 1,
                f"ORD-{place}",
                spelling,
                20.0 + place,
                deadline,
                number,
            )
            connection.execute(_INSERT, (*about, failed_at, failed_at, story.error))
        connection.commit()


def _claims() -> Iterator[tuple[int, str, _Story]]:
    """Each claim's number, counted from 1, its carrier's key, and its story."""
    place = 0
    for story in STORIES:
        for carrier in islice(cycle(story.carriers), story.claims):
            place += 1
            yield place, carrier, story


_INSERT = """
    INSERT INTO claims (claim_reference, client_id, order_id, carrier, dispute_type, amount_requested, status,
        response_deadline, tracking_number, created_at, updated_at, pod_fetch_status, pod_fetch_error)
    VALUES (?, ?, ?, ?, 'lost', ?, 'submitted', ?, ?, ?, ?, 'failed', ?)
"""


def _show_stories(database: str | Path) -> None:
    echo("\nOne claim of each kind, with its attempts (in hours after the failure):\n")
    first = {story: (place, carrier) for place, carrier, story in reversed([*_claims()])}
    with closing(connection_to_file(Path(database))) as connection:
        for story in STORIES:
            place, carrier = first[story]
            echo(f"  CLM-2026-{place:03d}  {CATALOG.name_of(carrier)}: {story.text}")
            echo(f"      {_attempts(connection, place)}")


def _attempts(connection: FileConnection, claim_id: int) -> str:
    rows = connection.execute(
        "SELECT started_at, outcome, error_kind, calls FROM recours_attempts WHERE claim_id = ? ORDER BY id",
        (claim_id,),
    )
    attempts = []
    for started_at, outcome, kind, calls in rows:
        hours = (datetime.fromisoformat(started_at).replace(tzinfo=UTC) - BEGINS) / timedelta(hours=1)
        result = (
            "✅ POD" if outcome == "success" else f"{kind.replace('_', ' ')}{'' if calls else ', no call'}"
        )
        attempts.append(f"{hours:.0f} h {result}")
    (status, stage, retries) = connection.execute(
        "SELECT pod_fetch_status, stage, pod_retry_count FROM claims JOIN recours_claims ON claim_id = id WHERE id = ?",
        (claim_id,),
    ).fetchone()
    end = f"   [{retries} retries, {stage.replace('_', ' ')}]" if status != "success" else ""
    return " → ".join(attempts) + end


MAILS = Path("data") / "sandbox-mails"


@click.command("sandbox")
@number_option("--port", 0, 65535, 8017, "Serve the carriers on this port; 0 picks a free port.")
@click.option(
    "--latency",
    type=click.FloatRange(0, 60),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Delay each answer by this time.",
)
@number_option("--mail-port", 0, 65535, 8025, "Serve the mail server on this port; 0 picks a free port.")
@click.option(
    "--carrier",
    "spec",
    metavar="NAME",
    type=Carrier(),
    help="Print the settings and example numbers of this carrier only.",
)
@click.option("--delivered", is_flag=True, help="Report every parcel as delivered, with its POD.")
def sandbox_command(
    port: int, latency: float, mail_port: int, spec: CarrierSpec | None, delivered: bool
) -> None:
    """Run simulated carriers and a mail server that saves all emails, until Ctrl-C. Nothing leaves this machine."""
    box = Sandbox(now=lambda: datetime.now(UTC), latency=latency, port=port)
    box.default = Parcel((Scenario.DELIVERED,)) if delivered else None
    post = MailSandbox(home() / MAILS, port=mail_port)
    _start(box.start, "--port", port)
    _start(post.start, "--mail-port", mail_port)
    try:
        for line in _lines(box, post, spec.key if spec else None):
            echo(line)
        threading.Event().wait()
    except KeyboardInterrupt:
        echo("\nStopped.")
    finally:
        box.stop()
        post.stop()


def _start(start: Callable[[], None], option: str, port: int) -> None:
    try:
        start()
    except OSError as error:
        say_error(f"Port {port} cannot be used: {error.strerror}. Choose another with {option}.")
        raise SystemExit(FAILED) from error


def _lines(box: Sandbox, post: MailSandbox, key: str | None) -> Iterator[str]:
    """The settings and example numbers for the simulated carriers, or for one of them."""
    yield "To use the simulated carriers, put these settings into .env or the environment:\n"
    for name, value in box.environment(*([key] if key else [])).items():
        yield f"  {name}={value}"
    for name, value in post.environment().items():
        yield f"  {name}={value}"
    yield f"\nEmails are saved as files in {post.folder}."
    if box.default:
        yield "\nEvery parcel is delivered, and its POD is available.\n\nPress Ctrl-C to stop."
        return
    if key is None:
        yield "\nTwo digits of a tracking number (00 in these examples) determine what happens to its parcel:\n"
        for spec in CATALOG.specs.values():
            yield f"  {spec.name:<14}  {box.example(spec.key, '00')}"
        yield "\nMeaning of the digits (--carrier NAME prints complete numbers with check digits):\n"
    else:
        yield "\nTwo digits of the tracking number determine what happens to the parcel:\n"
    for digits, text in scenario_table():
        yield f"  {box.example(key, digits) if key else digits}  {text}"
    yield "\nPress Ctrl-C to stop."
