"""The output of every command on terminals of several widths, with the claims of `recours demo`."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import click
import pytest
from click.testing import CliRunner

from recours.accounts.sealing import SETTING
from recours.cli.main import recours
from recours.sandbox import MailSandbox, Parcel, Sandbox, Scenario
from tests.acceptance.person import Person
from tests.keys import new_key
from tests.processes.commands import on_terminal, terminal

CLAIM, FAILED_CLAIM = "CLM-2026-001", "CLM-2026-024"
ACCOUNTS = "client,carrier,account,password\n1,Chronopost,40000001,abc-Def\nshop2@example.com,Chronopost,40000002,abc-Def\n"
# The command lines, one for each output; `{}` is the home.
TYPED = {
    "accounts add": ("shop1@example.com", "UPS"),
    "accounts check": (),
    "accounts confirm": ("1",),
    "accounts import": ("{}/accounts.csv", "--dry-run", "--replace"),
    "accounts limits": ("1", "Chronopost", "100/day", "TRACKING=20/hour"),
    "accounts list": (),
    "accounts remove": ("1", "Chronopost", "--yes"),
    "attach": (FAILED_CLAIM, "{}/proof.pdf"),
    "backup": ("{}/backups",),
    "carriers": (),
    "carriers check": ("UPS",),
    "carriers reclassify": ("{}/recording.json",),
    "carriers rehearse": ("UPS", "--tracking", "1Z999AA10123456784"),
    "check": (),
    "correct": (FAILED_CLAIM, "--number", "6A00000000000"),
    "dashboard": ("--host", "0.0.0.0"),
    "detach": (CLAIM,),
    "dossier": (CLAIM, "-o", "{}/dossier.zip"),
    "enroll": (FAILED_CLAIM,),
    "erase": (FAILED_CLAIM, "--yes"),
    "exclude": (FAILED_CLAIM, "--why", "insured"),
    "export claims": ("--from", "1h", "--csv"),
    "fetch": (),
    "init-db": (),
    "mail preview": ("operator_summary",),
    "mail release": (),
    "mail test": ("someone@shop.example",),
    "pause": ("UPS", "--why", "works"),
    "plan": (),
    "prune": ("--older-than", "1d", "--dry-run"),
    "reopen": ("--since", "2026-01-01", "--yes"),
    "restore": ("{}/backup", "--check"),
    "resume": ("UPS",),
    "retry": ("--claim", FAILED_CLAIM),
    "schedule install": (),
    "schedule remove": (),
    "schedule show": (),
    "status": (),
    "uninstall": ("--yes",),
    "verify": (),
    "why": (FAILED_CLAIM,),
    "worker": (),
}
READING = re.compile(
    r"(?:accounts list|carriers(?! rehearse)|check|dashboard|export|plan|status|verify|why)\b.*"
)
BOXES = re.compile(r"[\u2500-\u259f]")
COLORS = re.compile(r"\x1b\[[0-9;]*m")
CRON = re.compile(r"(?:  [+-]|crontab:) [*/0-9 ]+ cd .*")
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - \[.*")


def commands(command: click.Command, name: str = "") -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            if subcommand := command.get_command(context, part):
                yield from commands(subcommand, f"{name} {part}".strip())
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name


def test_every_command_has_a_case() -> None:
    assert {*TYPED, "demo", "sandbox"} == set(commands(recours))


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A person after the demo, with two client accounts, a backup, a recording and a proof at hand."""
    home = tmp_path_factory.mktemp("terminal") / "home"
    home.mkdir()
    demo = home / "data" / "demo"
    with Sandbox(now=lambda: datetime.now(UTC)) as box, MailSandbox(home / "mails") as post:
        box.default = Parcel((Scenario.DELIVERED,))
        settings = {
            **box.environment(),
            **post.environment(),
            SETTING: new_key(),
            "RECOURS_HOME": str(home),
            "RECOURS_POD_DIR": str(demo / "pods"),
            "RECOURS_LOG_DIR": str(demo / "logs"),
            "ADMIN_EMAIL": "operator@shop.example",
        }
        person = Person(home, f"sqlite:///{demo / 'data' / 'recours.db'}", settings)
        person.does("demo")
        (home / "accounts.csv").write_text(ACCOUNTS)
        person.does("accounts", "import", str(home / "accounts.csv"))
        person.does("backup", str(home / "backups"))
        next((home / "backups").iterdir()).rename(home / "backup")
        person.does("carriers", "rehearse", "UPS", "--tracking", "1Z999AA10123456784")
        next((home / "data" / "recordings").iterdir()).rename(home / "recording.json")
        shutil.copy(next((demo / "pods" / "chronopost").rglob("*.pdf")), home / "proof.pdf")
        shutil.copytree(home, home.parent / "unchanged")
        yield person


def output_of(person: Person, width: int, *arguments: str, **settings: str) -> str:
    """The output of a command on a terminal; its changes are undone."""
    home = person.folder
    typed = [argument.format(home) for argument in arguments]
    environment = person.environment | {"COLUMNS": str(width)} | settings
    with (
        terminal() as (screen, pieces),
        patch.dict(os.environ, environment, clear=True),
        redirect_stdout(screen),
        redirect_stderr(screen),
        suppress(SystemExit),
    ):
        recours.main(typed, prog_name="recours")
    if not READING.fullmatch(" ".join(arguments)):
        shutil.rmtree(home)
        shutil.copytree(home.parent / "unchanged", home)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def words(text: str) -> set[str]:
    """The words without digits of times and hashes, and without trailing punctuation."""
    return {re.sub(r"[0-9a-f]{12,}|\d+", "0", word).strip(":,;.()") for word in COLORS.sub("", text).split()}


def assert_fits(shown: str, width: int) -> None:
    """A longer line is a single word, such as a path, or a line of the log or a crontab."""
    lines = COLORS.sub("", shown).splitlines()
    lines = [line for line in lines if not (LOGGED.fullmatch(line) or CRON.fullmatch(line))]
    assert [line for line in lines if len(line) > width and len(line.split()) > 1] == []
    assert not BOXES.search(shown)


AS_WIDE = pytest.mark.full("more widths: 80 shows the same rule")


@pytest.mark.parametrize("width", [80, pytest.param(60, marks=AS_WIDE), pytest.param(120, marks=AS_WIDE)])
@pytest.mark.parametrize("typed", TYPED)
def test_no_word_is_broken_and_no_line_is_too_long(person: Person, typed: str, width: int) -> None:
    shown = output_of(person, width, *typed.split(), *TYPED[typed])
    assert shown
    assert "Traceback" not in shown
    assert words(shown) <= words(output_of(person, 300, *typed.split(), *TYPED[typed]))
    assert_fits(shown, width)


@pytest.mark.parametrize("typed", ["", *{name.split()[0]: None for name in TYPED} | TYPED])
def test_help_fits_the_width_and_is_complete(typed: str) -> None:
    shown, wide = (
        CliRunner()
        .invoke(recours, [*typed.split(), "--help"], prog_name="recours", terminal_width=width)
        .output
        for width in (80, 300)
    )
    assert words(shown) <= words(wide)
    assert_fits(shown, 80)
    assert not re.search(r"\w\.\.\.\n", shown)


@pytest.mark.full("takes seconds: the other commands show the same rules")
@pytest.mark.parametrize("typed", [("demo",), ("sandbox", "--port", "0", "--mail-port", "0")], ids=" ".join)
def test_the_demo_and_the_sandbox_fit_a_standard_terminal(tmp_path: Path, typed: tuple[str, ...]) -> None:
    shown, wide = (
        on_terminal(*typed, environment={"RECOURS_HOME": str(tmp_path)}, width=width, seconds=20)
        for width in (80, 300)
    )
    # The point of interruption differs.
    assert words(shown) - {"Aborted!"} <= words(wide)
    assert_fits(shown, 80)


def test_the_verdict_has_a_color_on_a_terminal_unless_no_color_is_set(person: Person) -> None:
    verdict = r"\d problems need your attention: [^\x1b]*"
    assert re.match(rf"\x1b\[31m{verdict}\x1b\[0m\n", output_of(person, 80, "status", "--check"))
    assert re.match(rf"{verdict}\n", output_of(person, 80, "status", "--check", NO_COLOR="1"))
    assert "\x1b" not in person.types("status", "--check").stdout


def test_a_line_of_the_log_is_never_broken(person: Person) -> None:
    assert re.search(r"^.{19} - \[INFO\] - __main__ - ={70}$", output_of(person, 80, "fetch"), re.MULTILINE)


def test_a_path_is_alone_on_its_line(person: Person) -> None:
    shown = output_of(person, 80, "why", CLAIM)
    (path,) = (person.folder / "data" / "demo" / "pods").rglob(f"{CLAIM}_*.pdf")
    assert f"\n  {path}\n" in shown


def test_the_history_shows_the_details_of_an_attempt_after_a_long_answer(person: Person) -> None:
    shown = " ".join(output_of(person, 300, "why", FAILED_CLAIM).split())
    assert "No ePOD was found for the shipment · Retry 1 · DHL Express · 9900000246 · 3 calls" in shown
