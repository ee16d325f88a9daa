"""The log: the guide's format, one line per record, no secrets, no losses."""

import io
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import portalocker
import pytest

from recours.core.errors import RunError
from recours.core.text import Redactor
from recours.database.schema.creation import create_file
from recours.host import logs

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 2, 6, 14, 0, 0, 999999, tzinfo=UTC)
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - \[[A-Z]+\] - [\w.]+ - .*")
EVIL = "x\r\n2026-02-06 14:00:00 - [INFO] - __main__ - ✅ SUCCESS\x1b[2J\x00\x85\u2028\u202e\x9b31m\x7f"

Started = Callable[..., tuple[logs.Log, io.StringIO]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """`started(**options)`: a log in its own folder, and its console output."""
    begun: list[logs.Log] = []
    root, run = logging.getLogger(), logs.run_log()
    levels = root.level, run.level

    def start(path: Path = tmp_path / "logs" / "x.log", **options: Any) -> tuple[logs.Log, io.StringIO]:
        console = io.StringIO()
        kept = {name: options.pop(name) for name in ("max_bytes", "files", "redact") if name in options}
        log = logs.LogFile(path, now=lambda: NOON, **kept)
        begun.append(logs.set_up(log, console=console, **options))
        return begun[-1], console

    yield start
    for log in begun:
        log.close()
    root.setLevel(levels[0])
    run.setLevel(levels[1])


def lines(log: logs.Log) -> list[str]:
    return log.path.read_text(encoding="utf-8").split("\n")


def log_error(words: str) -> None:
    """The log of an exception with this text."""
    error = ValueError(words)
    logs.run_log().error("An internal error", exc_info=error)


def stamp() -> str:
    return f"{NOON.astimezone():%Y-%m-%d %H:%M:%S}"


# ---------------------------------------------------------------- the format


def test_a_line_has_the_guides_format(started: Started) -> None:
    log, console = started()
    logs.run_log().info("POD AUTO-RETRY SCHEDULER - Starting")
    logs.run_log().warning("⏭️ Skipped (persistent): 0")
    expected = [
        f"{stamp()} - [INFO] - __main__ - POD AUTO-RETRY SCHEDULER - Starting",
        f"{stamp()} - [WARNING] - __main__ - ⏭️ Skipped (persistent): 0",
        "",
    ]
    assert lines(log) == expected
    assert console.getvalue().split("\n") == expected


def test_the_folder_is_created(started: Started, tmp_path: Path) -> None:
    log, _ = started(tmp_path / "a" / "b" / "x.log")
    assert log.path.is_file()


def test_existing_lines_are_kept(started: Started, tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("before\n")
    log, _ = started(path)
    logs.run_log().info("after")
    assert lines(log)[0] == "before"
    assert lines(log)[1].endswith("after")


def test_debug_lines_are_written_only_if_verbose(started: Started) -> None:
    log, _ = started()
    logs.run_log().debug("detail")
    logging.getLogger("alembic").info("chatter")
    logging.getLogger("library").warning("a warning of a library")
    assert [line.rpartition(" - ")[2] for line in lines(log)] == ["a warning of a library", ""]
    log.close()
    log, _ = started(log.path, verbose=True)
    logs.run_log().debug("detail")
    assert "[DEBUG] - __main__ - detail" in lines(log)[1]


def test_quiet_prints_nothing_on_the_console(started: Started) -> None:
    log, console = started(quiet=True)
    logs.run_log().error("only in the file")
    assert console.getvalue() == ""
    assert "only in the file" in lines(log)[0]


def test_after_the_end_nothing_is_written(started: Started) -> None:
    log, console = started()
    log.close()
    logs.run_log().error("too late")
    assert (lines(log), console.getvalue()) == ([""], "")


# ---------------------------------------------------------------- external text


def assert_harmless(text: str) -> None:
    odd = [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert odd == []


def test_a_record_is_always_one_line(started: Started) -> None:
    log, console = started()
    logs.run_log().error(EVIL)
    logs.run_log().error("%s", EVIL)
    for text in (log.path.read_text(encoding="utf-8"), console.getvalue()):
        first, second, rest = text.split("\n")
        assert LINE.fullmatch(first)
        assert first == second
        assert rest == ""
        assert "x\\x0d\\x0a2026-02-06" in first
        assert_harmless(text)


def test_half_a_character_is_escaped() -> None:
    """File names and arguments that are not UTF-8 contain it."""
    record = logging.makeLogRecord({"msg": "a\ud800b", "levelname": "INFO", "name": "__main__"})
    assert logs.GuideFormatter(str, lambda: NOON).format(record).endswith(" - [INFO] - __main__ - a\\ud800b")


def test_a_long_line_is_truncated(started: Started) -> None:
    log, _ = started()
    logs.run_log().info("z" * 1_000_000)
    assert len(lines(log)[0]) < 5000


def test_a_traceback_is_indented_below_its_line(started: Started) -> None:
    log, _ = started()
    log_error("first\n2026-02-06 14:00:00 - [INFO] - __main__ - forged")
    first, *rest = lines(log)
    assert first == f"{stamp()} - [ERROR] - __main__ - An internal error"
    assert rest[0] == "    ValueError: first"
    assert all(line.startswith("    ") for line in rest[:-1])
    assert not any(LINE.fullmatch(line) for line in rest)


def test_a_traceback_contains_no_control_characters(started: Started) -> None:
    log, _ = started()
    log_error("\x1b[2J\u202e")
    assert_harmless(log.path.read_text(encoding="utf-8"))


# ---------------------------------------------------------------- secrets


def test_secrets_are_taken_out_of_lines_and_tracebacks(started: Started) -> None:
    secret = "s3cr3t-Pa55word-Zq7"
    log, console = started(redact=Redactor([secret]))
    logs.run_log().info(f"password={secret}, and {secret}again")
    log_error(secret)
    for text in (log.path.read_text(encoding="utf-8"), console.getvalue()):
        assert "password=***, and s3cr3t-Pa55word-Zq7again" in text  # only as a whole token
        assert "ValueError: ***" in text
        assert not re.search(rf"{secret}\b", text)


# ---------------------------------------------------------------- write errors


@pytest.mark.parametrize("in_the_way", ["file", "folder"])
def test_an_unwritable_log_ends_the_run(in_the_way: str, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    if in_the_way == "file":
        path.parent.write_text("")
    else:
        path.mkdir(parents=True)
    with pytest.raises(RunError, match=r"Cannot write the log in .*: .*set RECOURS_LOG_DIR"):
        logs.set_up(logs.LogFile(path))
    assert not [h for h in logging.getLogger().handlers if isinstance(h, logs._File)]


def test_a_failed_write_is_reported_once(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    log, console = started()
    assert log.fault is None

    def fail(_line: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log.file, "do_write", fail)
    logs.run_log().info("lost in the file")
    logs.run_log().info("lost too")
    assert log.fault == (
        f"The log {log.path} could not be written: No space left on device. Lines of this run are missing in the file."
    )
    assert console.getvalue().count("lost") == 2


def test_closing_the_log_ignores_a_full_disk(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = started()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(log.file, "close", fail)
        log.close()  # `fault` reports the loss


# ---------------------------------------------------------------- a log shared by several processes


def test_windows_gets_a_byte_order_mark(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = started()
    assert log.file.encoding == "utf-8"
    monkeypatch.setattr(sys, "platform", "win32")
    log, _ = started(log.path.with_name("w.log"))
    assert log.file.encoding == "utf-8-sig"
    logs.run_log().info("⚠️")
    assert log.path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_the_log_is_rotated_by_its_size(started: Started) -> None:
    log, _ = started(max_bytes=10_000, files=3)
    for n in range(1000):
        logs.run_log().info(f"line {n}")
    kept = sorted(path.name for path in log.path.parent.glob("x.log*"))
    assert kept == ["x.log", "x.log.1", "x.log.2", "x.log.3"]
    assert all(path.stat().st_size < 10_100 for path in log.path.parent.glob("x.log*"))
    assert lines(log)[-2].endswith("line 999")


def _write_many(path: Path, process: int, count: int, together: Any) -> None:
    log = logs.set_up(logs.LogFile(path, max_bytes=20_000, files=100), console=io.StringIO())
    together.wait(60)
    for n in range(count):
        logs.run_log().info(f"process {process} line {n} é")
    log.close()
    assert log.fault is None


@pytest.mark.full("many processes at once: tests/integration/test_runs.py has two")
def test_four_processes_lose_no_line(tmp_path: Path) -> None:
    path, count = tmp_path / "logs" / "x.log", 400
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(4)
    processes = [context.Process(target=_write_many, args=(path, n, count, together)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    files = list(path.parent.glob("x.log*"))
    assert len(files) > 2  # it was renamed on the way
    written = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert all(LINE.fullmatch(line) for line in written)
    told = sorted(line.partition("__main__ - ")[2] for line in written)
    assert told == sorted(f"process {p} line {n} é" for p in range(4) for n in range(count))


# ---------------------------------------------------------------- a log locked by another program


@pytest.fixture
def release_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Hold the lock of the log, like another program, until this is called."""
    monkeypatch.setattr(logs, "_LOCK_WAIT_S", 0.05, raising=False)
    (tmp_path / "logs").mkdir()
    with logs.files_of(tmp_path / "logs" / "x.log")[1].open("w") as lock:
        portalocker.lock(lock, portalocker.LOCK_EX)
        yield lambda: portalocker.unlock(lock)


def test_a_lock_of_another_program_is_reported_once_and_does_not_block_the_run(
    started: Started, release_lock: Callable[[], None]
) -> None:
    log, console = started()
    for n in range(3):
        logs.run_log().info(f"line {n}")
    told, *said = console.getvalue().splitlines()
    assert LINE.fullmatch(told)
    assert f"[WARNING] - __main__ - Another program has locked the log {log.path}" in told
    assert [line.rpartition(" - ")[2] for line in said] == ["line 0", "line 1", "line 2"]
    assert (lines(log), log.fault) == ([""], None)
    release_lock()
    logs.run_log().info("line 3")
    assert lines(log)[0].endswith(" - line 3")
    assert console.getvalue().count("Another program has locked the log") == 1


def test_the_lock_is_waited_for_once(
    started: Started, release_lock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    started()
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    now = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: next(now) / 100)
    logs.run_log().info("waits")
    before = len(waited)
    logs.run_log().info("tries, and does not wait")
    assert before > 3
    assert len(waited) <= before + 1  # the library's own millisecond, after each failure


def test_lines_that_go_to_no_console_go_to_stderr_instead(
    release_lock: Callable[[], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logs.file_of("recours.test", logs.LogFile(tmp_path / "logs" / "x.log", now=lambda: NOON)):
        logging.getLogger("recours.test").info("Mail 7 was sent")
        logging.getLogger("recours.test").info("Mail 8 was sent")
    told, *said = capfd.readouterr().err.splitlines()
    assert "Another program has locked the log" in told
    assert said == [f"{stamp()} - [INFO] - recours.test - Mail {n} was sent" for n in (7, 8)]


def test_a_run_with_a_locked_log_completes(release_lock: Callable[[], None], tmp_path: Path) -> None:
    create_file(tmp_path / "claims.db")
    settings = {
        "DATABASE_PATH": str(tmp_path / "claims.db"),
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "RECOURS_POD_DIR": str(tmp_path),
    }
    (tmp_path / "logs" / "x.log").with_name(".__x.lock").rename(
        tmp_path / "logs" / ".__pod_retry_scheduler.lock"
    )
    done = subprocess.run(
        [sys.executable, "scripts/pod_retry_scheduler.py"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("for more than 5 s") == 1
    assert "No failed PODs eligible for retry" in done.stderr
    assert (tmp_path / "logs" / "pod_retry_scheduler.log").read_text(encoding="utf-8") == ""


def test_a_closed_log_file_is_not_reopened(tmp_path: Path) -> None:
    """A thread may still have the handler of a finished one."""
    path = tmp_path / "email_sender.log"
    logger = logging.getLogger("email_sender")
    with logs.file_of("email_sender", logs.LogFile(path)):
        logger.info("written")
        handler: Any = logger.handlers[0]
    handler.handle(logging.makeLogRecord({"name": "email_sender", "levelno": logging.INFO, "msg": "late"}))
    assert handler.stream_lock is None
    assert handler.stream is None
    assert "late" not in path.read_text(encoding="utf-8")
