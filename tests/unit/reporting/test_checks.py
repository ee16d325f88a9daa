"""The results of `recours check` for given facts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.core.claim import Stage
from recours.core.localized import Localized
from recours.reporting import checks
from recours.reporting.checks import CheckResult, CheckState
from recours.reporting.system import Backlog, Run, worker_status
from recours.scheduling.jobs import Entry

NOW = datetime(2026, 2, 6, 14, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RETRY = "pod_retry_scheduler"


TEXTS = Localized("en", ZoneInfo("Europe/Paris"))


def state_and_text(result: CheckResult) -> tuple[str, str]:
    return str(result.state), f"{result.text} → {result.remedy}"


@pytest.mark.parametrize(
    ("missing", "state", "words"),
    [("", "ok", "from .env"), ("A and B", "remark", "not set → set A and B, if")],
)
def test_credentials(missing: str, state: str, words: str) -> None:
    found = state_and_text(checks.credentials("UPS", ".env", missing))
    assert (found[0], words in found[1]) == (state, True), found


def test_which_stages_of_a_backlog_are_in_progress() -> None:
    stages = dict.fromkeys(Stage, 1)
    assert Backlog("ups", stages, unassessed=2).in_progress == 5
    assert Backlog("ups", {Stage.GIVEN_UP: 7, Stage.SHELVED: 1, Stage.UNNUMBERED: 1}).in_progress == 0


@pytest.mark.parametrize(
    ("mode", "state", "words"),
    [
        (0o600, "ok", "readable by its owner only (600)"),
        (0o400, "ok", "readable by its owner only"),
        (0o640, "remark", "readable by its group (640) → chmod 600 .env"),
        (0o644, "fault", "readable by everyone on this machine (644) → chmod 600 .env"),
        (0o604, "fault", "readable by everyone"),
        (None, "remark", "not checked on Windows → in the properties of .env"),
    ],
)
def test_permissions(mode: int | None, state: str, words: str) -> None:
    found = state_and_text(checks.secret_file(".env", mode))
    assert (found[0], words in found[1]) == (state, True), found


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "ok", "/pods: writable, 500 MB free"),
        ({"is_there": False}, "ok", "/pods: the first run creates it"),
        ({"free": None}, "ok", "/pods: writable →"),
        ({"trouble": "Read-only file system"}, "fault", "/pods: Read-only file system → give"),
        ({"more": 2 * checks.MB}, "fault", "/pods, 500 MB free: 502 MB are needed → free up disk space"),
    ],
)
def test_folders(change: dict[str, Any], state: str, words: str) -> None:
    usual: dict[str, Any] = {
        "title": "documents",
        "path": "/pods",
        "is_there": True,
        "trouble": None,
        "free": 500 * checks.MB,
    }
    found = state_and_text(checks.folder(**{**usual, **change}))
    assert (found[0], words in found[1]) == (state, True), found


@pytest.mark.parametrize(("size", "state"), [(0, CheckState.OK), (50, CheckState.OK), (51, CheckState.FAULT)])
def test_crons_copy_of_the_log(size: int, state: CheckState) -> None:
    assert checks.copied_log("logs/cron.log", size, 50).state == state


@pytest.mark.parametrize(
    ("offset", "state", "words"),
    [
        (None, "ok", "6 Feb 2026, 15:00 CET on this machine →"),
        (timedelta(seconds=-5), "ok", "and the database agrees"),
        (timedelta(seconds=6), "fault", "is 6 s behind the database's"),
        (timedelta(hours=-1), "fault", "is 3600 s ahead of the database's"),
    ],
)
def test_clocks(offset: timedelta | None, state: str, words: str) -> None:
    found = state_and_text(checks.clock(offset, timedelta(seconds=5), NOW, TEXTS))
    assert (found[0], words in found[1]) == (state, True), found


ENTRY = Entry((RETRY,), "0 * * * * …")
MORE = Entry((RETRY,), "…", plain=False)
MOVED = Entry((RETRY,), "…", problem="line 1 names /x, which does not exist")
GONE = Entry((RETRY,), "…", plain=False, problem="line 3 names /gone/recours, which does not exist")


def run(ago: timedelta, status: int | None = 0) -> Run:
    return Run("r", RETRY, NOW - ago, None if status is None else NOW, status)


@pytest.mark.parametrize(
    ("entries", "runs", "installed", "ran"),
    [
        ([ENTRY], [run(HOUR)], "ok crontab, every hour", "ok the last run started 6 Feb 2026, 14:00 CET"),
        ([ENTRY], [run(timedelta(0), None)], "ok crontab", "ok the last run started"),
        ([ENTRY], [run(4 * HOUR)], "ok crontab", ""),
        ([ENTRY], [run(HOUR, 1)], "ok crontab", ""),
        ([ENTRY], [], "ok crontab", "remark has never run"),
        ([], [], "fault not scheduled for this user on this machine", "fault has never run"),
        ([], [run(HOUR)], "remark not scheduled for this user here, but running", "ok"),
        ([], [run(9 * HOUR)], "fault not scheduled", ""),
        ([ENTRY, ENTRY], [run(HOUR)], "remark 2 lines of the crontab start it", "ok"),
        ([MORE], [run(HOUR)], "remark crontab: the line also runs other commands", "ok"),
        ([MOVED], [run(HOUR)], "fault crontab: line 1 names /x, which does not exist", "ok"),
        ([ENTRY, GONE], [run(HOUR)], "fault crontab: line 3 names /gone/recours, which", "ok"),
    ],
)
def test_schedule_and_runs(entries: list[Entry], runs: list[Run], installed: str, ran: str) -> None:
    """`ran`: "": the verdict has the problem."""
    status = worker_status(RETRY, HOUR, runs, NOW)
    found = [f"{f.state} {f.text}" for f in checks.schedule(RETRY, entries, status, TEXTS)]
    expected = [installed, *([ran] if ran else [])]
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True)), found


def test_without_a_database_runs_are_not_assessed() -> None:
    assert [f.state for f in checks.schedule(RETRY, [ENTRY], None, TEXTS)] == [CheckState.OK]


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        (("h:587 (starttls)", "a@b.c", ""), "ok", "accepts the login; nothing was sent"),
        (("h:587 (starttls)", "a@b.c", None, 2), "ok", "not tried (--offline); waiting: 2 emails"),
        (("h:587 (starttls)", "", ""), "fault", "no sender address is set → set SMTP_FROM"),
        (
            ("h:587 (starttls)", "a@b.c", "The mail server h:587 rejects the login"),
            "fault",
            "rejects the login",
        ),
        (("", "", None), "remark", "no mail server is set → set SMTP_HOST"),
        (("", "", None, 1), "fault", "no mail server is set; waiting: 1 email"),
    ],
)
def test_the_mail_server(facts: tuple[Any, ...], state: str, words: str) -> None:
    found = state_and_text(checks.mail(*facts))
    assert (found[0], words in found[1]) == (state, True), found


def test_a_fleet_needs_its_tables_and_rights() -> None:
    assert state_and_text(checks.fleet("3.10.0", [], [], []))[0] == "ok"
    state, text = state_and_text(checks.fleet("3.10.0", ["procrastinate_jobs"], [], []))
    assert (state, "missing tables: procrastinate_jobs;" in text, "recours init-db --fleet" in text) == (
        "fault",
        True,
        True,
    )
    grant = 'GRANT SELECT ON procrastinate_jobs TO "job";'
    state, text = state_and_text(checks.fleet("3.10.0", [], ["SELECT on procrastinate_jobs"], [grant]))
    assert (state, text.endswith(f"ask your administrator to run: {grant}")) == ("fault", True)
