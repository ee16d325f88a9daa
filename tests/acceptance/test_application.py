"""`recours.fetch_claim` and `recours.claim_status`, as the service's own application calls them."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

import recours
from recours.core.errors import ErrorKind
from recours.core.localized import Localized
from recours.database.engine import Database
from recours.database.tables import attempts, events, mails, runs
from recours.host import logs
from recours.sandbox import Sandbox
from tests.conftest import add_claims, environment_of
from tests.own_rows import joined_row, set_own

ENGLISH = Localized("en", ZoneInfo("Europe/Paris"))

ROOT = Path(__file__).resolve().parents[2]
GOOD, IN_TRANSIT = (f"XY{digits}0000001FR" for digits in ("00", "10"))


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        yield box


@pytest.fixture
def folder(url: str, box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for output, with the application's settings in the environment of this process."""
    for name in [name for name in os.environ if name.startswith(("RECOURS_", "DATABASE_", "SMTP_"))]:
        if not name.startswith("RECOURS_TEST_"):
            monkeypatch.delenv(name)
    variables = environment_of(url, box.url) | {
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LANGUAGE": "en",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def claim(database: Database, folder: Path) -> Callable[..., str]:
    """`claim(number, **values)`: add a failed claim that is due tomorrow at the earliest; return its reference."""
    made: list[str] = []

    def add(number: str, **values: object) -> str:
        reference = f"CLM-2026-{len(made):03}"
        made.append(reference)
        row = {"claim_reference": reference, "tracking_number": number, "updated_at": datetime.now(UTC)}
        add_claims(database, [row | values])
        return reference

    return add


def log_of(folder: Path) -> str:
    return (folder / "logs" / "pod_retry_scheduler.log").read_text(encoding="utf-8")


def test_a_pod_is_fetched_recorded_and_logged_like_any_other(
    claim: Callable[..., str], database: Database, folder: Path, box: Sandbox
) -> None:
    reference = claim(GOOD)
    result = recours.fetch_claim(reference)
    assert (result.fetched, result.kind, result.signatory) == (True, None, "DUPONT")
    assert result.sentence == f"{reference}: proof of delivery fetched, signed by DUPONT."
    assert result.pod_path is not None
    assert Path(result.pod_path).read_bytes().startswith(b"%PDF-")
    assert result.delivered_at is not None
    assert result.delivered_at.tzinfo is not None
    with database.read() as connection:
        attempt = connection.execute(select(attempts)).mappings().one()
        run = connection.execute(select(runs)).mappings().one()
        event = connection.execute(select(events)).mappings().one()
        sent = connection.execute(select(mails)).all()
    row = joined_row(database, reference)
    assert (row["pod_fetch_status"], row["pod_url"]) == ("success", result.pod_path)
    assert row["lease_token"] is None
    assert (attempt["outcome"], attempt["run_id"]) == ("success", result.run_id)
    assert (run["id"], run["worker"], run["stats"]["success"]) == (
        result.run_id,
        "pod_retry_scheduler --claim",
        1,
    )
    assert (event["event"], event["told"], sent) == ("pod_retrieved", None, [])  # emails are for the next run
    assert f"✅ SUCCESS: POD fetched for {reference} after 1 attempt" in log_of(folder)
    assert len(box.calls_for(GOOD)) == 2
    assert recours.claim_status(reference).pod_path == result.pod_path


def test_a_failure_says_why_and_when_it_is_tried_next(
    claim: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = claim(IN_TRANSIT)
    before = datetime.now(UTC)
    result = recours.fetch_claim(reference)
    assert (result.fetched, result.kind, result.attempt_used) == (False, ErrorKind.NOT_DELIVERED_YET, True)
    assert result.next_try_at is not None
    assert timedelta(minutes=59) < result.next_try_at - before < timedelta(minutes=61)
    assert result.sentence.startswith(f"{reference}: no proof of delivery (not delivered yet): ")
    assert result.sentence.endswith(f"Next attempt: {ENGLISH.minute(result.next_try_at)}.")
    status = recours.claim_status(reference)
    assert (status.stage, status.attempts, status.next_try_at) == (
        recours.Standing.WAITING,
        0,
        result.next_try_at,
    )
    assert status.carrier == "Chronopost"
    monkeypatch.delenv("CHRONOPOST_PASSWORD")
    closed = recours.fetch_claim(reference)
    assert (closed.kind, closed.next_try_at) == (ErrorKind.NOT_CONFIGURED, None)
    assert "CHRONOPOST_PASSWORD" in closed.sentence
    assert "Next try" not in closed.sentence


def test_without_quota_no_call_is_made_and_no_attempt_is_used(
    claim: Callable[..., str], monkeypatch: pytest.MonkeyPatch, box: Sandbox
) -> None:
    monkeypatch.setenv("QUOTA_CHRONOPOST", "3/day")
    assert recours.fetch_claim(claim(GOOD)).fetched
    reference = claim("XY000000002FR")
    result = recours.fetch_claim(reference)
    assert (result.fetched, result.kind, result.attempt_used) == (False, ErrorKind.RATE_LIMITED, False)
    assert result.next_try_at is not None
    assert result.sentence.startswith(
        f"{reference}: the carrier was not asked (quota or rate limit): Chronopost is at its limit (3 per day"
    )
    assert box.calls_for("XY000000002FR") == []
    assert recours.claim_status(reference).attempts == 0


# ---------------------------------------------------------------- what stands in the way


def test_an_unknown_reference_gets_the_closest_existing_one(claim: Callable[..., str]) -> None:
    reference = claim(GOOD)
    for call in (recours.fetch_claim, recours.claim_status):
        with pytest.raises(recours.CorrectReferenceError) as error:
            call("CLM-2026-00O")
        assert error.value.suggestion == reference
        assert str(error.value) == f"There is no claim 'CLM-2026-00O'. Did you mean {reference}?"


def test_a_claim_leased_by_a_run_raises_try_again_soon(claim: Callable[..., str], database: Database) -> None:
    reference = claim(GOOD)
    until = datetime.now(UTC) + timedelta(minutes=5)
    set_own(database, reference, lease_token="other", lease_until=until)
    with pytest.raises(recours.TryAgainSoonError, match="try again in a minute"):
        recours.fetch_claim(reference)
    assert recours.claim_status(reference).stage is recours.Standing.IN_HAND


def test_a_claim_with_its_pod_costs_no_second_call(claim: Callable[..., str], box: Sandbox) -> None:
    reference = claim(GOOD)
    first = recours.fetch_claim(reference)
    with pytest.raises(recours.ShowExistingPODError) as error:
        recours.fetch_claim(reference)
    assert error.value.pod_path == first.pod_path
    assert len(box.calls_for(GOOD)) == 2


def test_a_claim_whose_status_needs_no_pod_is_not_fetched(claim: Callable[..., str]) -> None:
    with pytest.raises(
        recours.NotWantedError, match="has the status 'paid': claims with this status are not fetched"
    ):
        recours.fetch_claim(claim(GOOD, status="paid"))


def test_invalid_settings_refer_to_the_operator(
    claim: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = claim(GOOD)
    monkeypatch.setenv("RECOURS_BACKOFF_HOURS", "6,1")
    for call in (recours.fetch_claim, recours.claim_status):
        with pytest.raises(recours.AskOperatorError) as error:
            call(reference)
        assert len(error.value.faults) == 1
        assert "RECOURS_BACKOFF_HOURS" in str(error.value)


def test_a_missing_database_is_reported(
    claim: Callable[..., str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    reference = claim(GOOD)
    url = os.environ["DATABASE_URL"]
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder / 'none.db'}")
    for call in (recours.fetch_claim, recours.claim_status):
        with pytest.raises(recours.TryLaterError, match="cannot be used right now; nothing was changed"):
            call(reference)
    monkeypatch.setenv("DATABASE_URL", url)
    assert recours.fetch_claim(reference).fetched


def test_an_unwritable_document_folder_refers_to_the_operator(
    claim: Callable[..., str], monkeypatch: pytest.MonkeyPatch, folder: Path, box: Sandbox
) -> None:
    (folder / "file").write_bytes(b"")
    monkeypatch.setenv("RECOURS_POD_DIR", str(folder / "file" / "pods"))
    with pytest.raises(recours.AskOperatorError, match="Documents cannot be stored"):
        recours.fetch_claim(claim(GOOD))
    assert box.calls == []


def test_an_unknown_language_is_rejected(claim: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match="fr, en"):
        recours.claim_status("CLM-1", language="de")


def test_sentences_are_in_french_or_by_default_in_the_configured_language(
    claim: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = claim(GOOD)
    assert recours.fetch_claim(reference, language="fr").sentence == (
        f"{reference} : preuve de livraison obtenue, signée par DUPONT."
    )
    monkeypatch.setenv("RECOURS_LANGUAGE", "fr")
    with pytest.raises(recours.ShowExistingPODError, match="a déjà sa preuve de livraison"):
        recours.fetch_claim(reference)
    assert "has been" not in recours.claim_status(reference).sentence
    assert recours.claim_status(reference, "en").sentence.startswith(f"{reference}: the proof of")


# ---------------------------------------------------------------- in a process that is not ours


def test_concurrent_sessions_fetch_each_claim_once(
    claim: Callable[..., str], database: Database, folder: Path, box: Sandbox
) -> None:
    references = [claim(f"XY00{n:07}FR") for n in range(1, 5)]

    def press(reference: str) -> str:
        try:
            return "fetched" if recours.fetch_claim(reference).fetched else "failed"
        except (recours.TryAgainSoonError, recours.ShowExistingPODError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as sessions:
        outcomes = list(sessions.map(press, references * 2))
    assert outcomes.count("fetched") == 4
    assert set(outcomes) <= {"fetched", "TryAgainSoonError", "ShowExistingPODError"}
    assert [len(box.calls_for(f"XY00{n:07}FR")) for n in range(1, 5)] == [2, 2, 2, 2]
    lines = [line for line in log_of(folder).splitlines() if "SUCCESS" in line]
    assert len(lines) == 4  # no line is duplicated, although several calls wrote to the log at the same time


def test_the_logging_of_the_process_does_not_change(claim: Callable[..., str], folder: Path) -> None:
    theirs = logging.getLogger("__main__")  # Streamlit gives this name to every page
    before = (list(theirs.handlers), theirs.level, theirs.propagate)
    with logs.lines_to(logs.LogFile(folder / "logs" / "pod_retry_scheduler.log")):
        theirs.warning("the page of somebody")
        recours.fetch_claim(claim(GOOD))
    assert (list(theirs.handlers), theirs.level, theirs.propagate) == before
    assert "the page of somebody" not in log_of(folder)
    assert "SUCCESS" in log_of(folder)


def test_the_package_imports_nothing_until_a_function_is_used() -> None:
    code = "import sys, recours; print(sorted(m for m in sys.modules if m.startswith(('recours', 'sqlalchemy', 'streamlit'))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['recours']"
    assert set(recours.__all__) <= set(dir(recours)) | {
        name for name in recours.__all__ if getattr(recours, name)
    }
    with pytest.raises(AttributeError, match="has no attribute 'fetch'"):
        recours.fetch  # noqa: B018 (that it is not there is the point)


# ---------------------------------------------------------------- the example page


def texts(page: AppTest) -> list[str]:
    return [e.value for e in (*page.markdown, *page.success, *page.warning, *page.info, *page.error)]


def test_the_example_page_fetches_shows_a_claim_and_reports_errors(claim: Callable[..., str]) -> None:
    reference, late = claim(GOOD), claim(IN_TRANSIT)
    page = AppTest.from_file(str(ROOT / "docs" / "examples" / "fetch_button.py"), default_timeout=30)
    page.run()
    assert not page.button
    page.text_input[0].set_value(reference).run()
    assert any("waiting for its next attempt" in text or "new or was edited" in text for text in texts(page))
    page.button[0].click().run()
    assert f"{reference}: proof of delivery fetched, signed by DUPONT." in texts(page)
    downloads: Sequence[Any] = page.get("download_button")
    assert [button.label for button in downloads] == ["Download"]
    page.button[0].click().run()
    assert f"{reference} already has its proof of delivery; nothing was done." in texts(page)
    page.text_input[0].set_value(late).run()
    page.button[0].click().run()
    assert any("not delivered yet" in text for text in texts(page))
    page.text_input[0].set_value("CLM-2026-0O1").run()
    assert "There is no claim 'CLM-2026-0O1'. Did you mean CLM-2026-001?" in texts(page)
    assert not page.exception
