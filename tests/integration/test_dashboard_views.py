"""The page on both databases, drawn without a browser: looking changes nothing, and a database may go and come back."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from streamlit import cache_data
from streamlit.runtime.scriptrunner import RerunData, RerunException, ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState
from streamlit.testing.v1 import AppTest

from recours.core.claim import Stage
from recours.core.password import hash_of
from recours.database.engine import Database
from recours.database.tables import attempts, claims, events, metadata, runs
from tests.conftest import environment_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = str(ROOT / "recours" / "dashboard" / "page.py")


@pytest.fixture
def page(
    url: str,
    database: Database,
    add_claims: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AppTest:
    """The page over 45 claims, nobody having run yet."""
    for name in [name for name in os.environ if name.startswith(("RECOURS_", "DATABASE_"))]:
        if not name.startswith("RECOURS_TEST_"):
            monkeypatch.delenv(name)
    nobody = "http://127.0.0.1:9"  # nothing listens there
    for name, value in (environment_of(url, nobody) | {"RECOURS_LANGUAGE": "en"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RECOURS_POD_DIR", str(tmp_path / "pods"))
    monkeypatch.setenv("RECOURS_LOG_DIR", str(tmp_path / "logs"))
    add_claims(database, [{"updated_at": datetime.now(UTC) - timedelta(minutes=n)} for n in range(45)])
    cache_data.clear()
    return AppTest.from_file(PAGE, default_timeout=60)


def content(database: Database) -> list[object]:
    with database.read() as connection:
        return [sorted(map(repr, connection.execute(select(table)))) for table in metadata.sorted_tables]


def said(page: AppTest) -> str:
    elements = (*page.markdown, *page.caption, *page.error, *page.warning, *page.info, *page.subheader)
    assert not page.exception
    return "\n".join(str(element.value) for element in elements)


def view(page: AppTest, name: str) -> AppTest:
    return page.button_group(key="view").set_value(name).run()


def test_looking_at_everything_changes_nothing(page: AppTest, database: Database) -> None:
    before = content(database)
    page.run()
    assert [metric.label for metric in page.metric][:2] == ["Success rate", "Fetched"]
    page.toggle(key="forecast").set_value(True).run()
    assert "if no try brings a document" in said(page)
    view(page, "claims")
    assert "45 claims" in said(page)
    page.button(key="next").click().run()
    page.multiselect(key="filter-stage").set_value([Stage.WAITING]).run()
    page.query_params["claim"] = "CLM-00007"
    page.run()
    assert "CLM-00007" in said(page)
    page.query_params["claim"] = "CLM-0000X"
    page.run()
    assert "Did you mean CLM-000" in said(page).replace("\\", "")
    assert content(database) == before
    assert not (Path(os.environ["RECOURS_LOG_DIR"])).exists()


def test_the_list_has_pages_and_choices_outlast_them(page: AppTest) -> None:
    page.run()
    view(page, "claims")
    assert "Page 1 of 3" in said(page)
    assert [box.label for box in page.checkbox][:2] == ["CLM-00044", "CLM-00043"]
    page.checkbox[0].check().run()
    page.button(key="next").click().run()
    assert "Page 2 of 3" in said(page)
    assert page.checkbox[0].label == "CLM-00024"
    page.button(key="all-on-page").click().run()
    assert page.button(key="retry-selected").label == "Retry selected (21)"
    page.button(key="previous").click().run()
    assert page.checkbox[0].value
    page.button(key="all-on-page").click().run()
    assert page.button(key="retry-selected").label == "Retry selected (40)"
    page.text_input(key="filter-text").set_value("CLM-0000").run()
    assert "10 claims" in said(page)
    assert page.button(key="retry-selected").label == "Retry selected"


def test_an_error_is_told_in_the_language_of_the_page(page: AppTest, database: Database) -> None:
    ours = {
        "pod_fetch_error": "Numéro inconnu chez Chronopost : « Inconnu »",
        "pod_error_key": "number_unknown",
        "pod_error_words": "Inconnu",
    }
    with database.write() as connection:
        connection.execute(update(claims).where(claims.c.claim_reference == "CLM-00044").values(ours))
    before = content(database)
    page.run()
    view(page, "claims")
    shown = said(page).replace("\\", "")
    assert "Chronopost does not know this number: Inconnu" in shown
    assert 'no answer in time: "Timeout"' in shown  # of other software
    page.button_group(key="language").set_value("fr").run()
    shown = said(page).replace("\\", "")
    assert "Numéro inconnu chez Chronopost : « Inconnu »" in shown
    assert "pas de réponse à temps : « Timeout »" in shown
    assert content(database) == before


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor who clicks again before a click was followed: Streamlit then cuts a callback short where it next uses
    the session's state, or anything that is drawn."""
    unhurried = ScriptRunner._maybe_handle_execution_control_request

    def handle_request(runner: ScriptRunner) -> None:
        if ThreadState.get().run_location is RunLocation.CALLBACK:
            raise RerunException(RerunData())
        unhurried(runner)

    monkeypatch.setattr(ScriptRunner, "_maybe_handle_execution_control_request", handle_request)


@pytest.mark.usefixtures("impatient")
def test_no_click_is_lost_when_another_follows_at_once(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.dashboard.visit.fetch_claims", lambda *_, **__: [])
    page.run()
    view(page, "claims")
    page.checkbox[0].check().run()
    page.checkbox[2].check().run()
    page.checkbox[0].uncheck().run()
    assert page.button(key="retry-selected").label == "Retry selected (1)"
    page.button(key="next").click().run()
    assert "Page 2 of 3" in said(page)
    page.button(key="all-on-page").click().run()
    assert page.button(key="retry-selected").label == "Retry selected (21)"
    page.button(key="all-on-page").click().run()
    page.button(key="retry-selected").click().run()
    assert page.session_state["visit"].job.references == ["CLM-00042"]
    page.text_input(key="filter-text").set_value("CLM-0000").run()
    assert "10 claims" in said(page)
    assert "Page" not in said(page)


def test_the_filter_is_kept_while_something_else_is_shown(page: AppTest) -> None:
    page.run()
    page.button_group(key="days").set_value(30).run()
    view(page, "claims")
    page.text_input(key="filter-text").set_value("CLM-0000").run()
    page.multiselect(key="filter-stage").set_value([Stage.WAITING]).run()
    found = said(page)
    page.query_params["claim"] = "CLM-00007"
    page.run()
    assert "CLM-00007" in said(page)
    page.button(key="back").click().run()
    assert said(page) == found
    assert page.multiselect(key="filter-stage").value == [Stage.WAITING]
    view(page, "overview")
    assert page.button_group(key="days").value == 30
    view(page, "claims")
    assert page.text_input(key="filter-text").value == "CLM-0000"


def test_a_new_filter_leaves_no_box_ticked(page: AppTest) -> None:
    page.run()
    view(page, "claims")
    page.checkbox[0].check().run()
    assert page.button(key="retry-selected").label == "Retry selected (1)"
    reference = page.checkbox[0].label
    page.text_input(key="filter-text").input(reference).run()
    assert [box.label for box in page.checkbox] == [reference]
    assert page.button(key="retry-selected").disabled
    assert not page.checkbox[0].value
    page.checkbox[0].check().run()
    assert page.button(key="retry-selected").label == "Retry selected (1)"


def test_a_timeline_tells_attempts_in_the_language_of_the_reader(page: AppTest, database: Database) -> None:
    with database.write() as connection:
        row = {
            "claim_id": 1, "run_id": "r", "worker": "pod_retry_scheduler", "carrier": "chronopost",
            "tracking_number": "XY1", "turn": 2, "started_at": datetime(2026, 2, 2, tzinfo=UTC), "duration_s": 1.25,
            "calls": 1, "outcome": "failed", "used": True, "error_kind": "timeout", "message": "*No* answer",
        }  # fmt: skip
        connection.execute(attempts.insert().values(row))
        of_tomorrow = {"outcome": "postponed", "error_kind": "of_tomorrow", "turn": 0}
        connection.execute(attempts.insert().values(row | of_tomorrow))
    page.query_params["claim"] = "CLM-00000"
    page.run()
    assert r'**no answer in time**: "\*No\* answer"' in said(page)
    assert "**First fetch**: postponed" in said(page)
    page.button_group(key="language").set_value("fr").run()
    assert "**Tentative 2**: échec" in said(page)
    assert r"Chronopost · XY1 · 1 appel, 1,2 s" in said(page)


def test_a_claim_that_a_run_holds_cannot_be_fetched_now(page: AppTest, database: Database) -> None:
    with database.write() as connection:
        until = datetime.now(UTC) + timedelta(minutes=5)
        connection.execute(update(claims).values(pod_lease_token="other", pod_lease_until=until))
    page.query_params["claim"] = "CLM-00000"
    page.run()
    assert "is being fetched at this moment" in said(page)
    assert page.button(key="fetch-now").disabled


def test_a_database_that_is_gone_is_told_and_comes_back(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.run()
    there = os.environ["DATABASE_URL"]
    gone = f"{there}_gone" if there.startswith("postgresql") else f"{there}.gone"
    monkeypatch.setenv("DATABASE_URL", gone)
    page.run()
    assert "The database cannot be used at the moment" in said(page)
    assert not page.metric
    monkeypatch.setenv("DATABASE_URL", there)
    page.button(key="again").click().run()
    assert page.metric


def test_settings_that_cannot_be_used_are_told(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURS_BACKOFF_HOURS", "6,1")
    page.run()
    assert "Les réglages sont inutilisables" in said(page)
    assert r"RECOURS\_BACKOFF\_HOURS" in said(page)


def test_nothing_is_shown_before_the_password(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURS_DASHBOARD_PASSWORD_HASH", str(hash_of("open sesame", bytes(16))))
    page.query_params["claim"] = "CLM-00000"
    page.run()
    assert "CLM-00000" not in said(page)
    page.text_input(key="password").set_value("guess")
    page.button[0].click().run()
    assert "That is not the password." in said(page)
    page.text_input(key="password").set_value("open sesame")
    page.button[0].click().run()
    assert "CLM-00000" in said(page)
    monkeypatch.setenv("RECOURS_DASHBOARD_PASSWORD_HASH", str(hash_of("another one", bytes(16))))
    page.run()
    assert "CLM-00000" not in said(page)  # a new password shuts everybody out


def test_the_page_begins_with_the_verdict_and_what_to_do(page: AppTest, database: Database) -> None:
    page.run()
    assert [box.value for box in page.error] == [
        r"2 things need you: pod\_fetch\_worker has never run, pod\_retry\_scheduler has never run."
    ]
    assert r"pod\_fetch\_worker has never run on this database. It should run every 30 min." in said(page)
    assert "→ recours check" in said(page)
    page.button_group(key="language").set_value("fr").run()
    assert page.error[0].value.startswith("2 points demandent votre attention : ")
    now = datetime.now(UTC)
    with database.write() as connection:
        for worker in ("pod_fetch_worker", "pod_retry_scheduler"):
            run: dict[str, Any] = {
                "id": worker,
                "worker": worker,
                "started_at": now,
                "ended_at": now,
                "exit_status": 0,
                "stats": {},
            }
            connection.execute(runs.insert().values(run))
    page.button(key="refresh").click().run()
    assert not page.error
    assert (
        page.success[0].value
        == "Tout va bien : 0 preuve aujourd'hui, 45 réclamations en attente, rien de bloqué."
    )


def test_no_next_try_is_promised_while_a_carrier_is_closed(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.run()
    view(page, "claims")
    assert "next try" in said(page)
    monkeypatch.setenv("CHRONOPOST_PASSWORD", "")
    page.run()
    assert "next try" not in said(page)
    assert "Chronopost has no credentials here" in said(page)
    page.query_params["claim"] = "CLM-00007"
    page.run()
    assert "waits until someone acts" in said(page)
    assert "Next try: **none**" in said(page)
    assert "Who can act: **the operator of recours**" in said(page)


def test_a_signatory_is_shown_of_a_proof_and_not_of_a_refusal(page: AppTest, database: Database) -> None:
    with database.write() as connection:
        row = {
            "claim_id": 1, "run_id": "r", "worker": "pod_retry_scheduler", "carrier": "chronopost",
            "tracking_number": "XY1", "turn": 1, "started_at": datetime(2026, 2, 2, tzinfo=UTC), "duration_s": 1.0,
            "calls": 2, "outcome": "failed", "used": True, "error_kind": "access_denied", "message": "no",
            "signatory": "DUPONT",
        }  # fmt: skip
        connection.execute(attempts.insert().values(row))
    page.query_params["claim"] = "CLM-00000"
    page.run()
    assert "parcel not on our contract" in said(page)
    assert "DUPONT" not in said(page)


def test_the_overview_says_what_a_last_attempt_would_have_brought(
    page: AppTest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    gave_up = {
        "pod_stage": Stage.GIVEN_UP,
        "pod_error_kind": "not_delivered_yet",
        "pod_retry_count": 4,
        "pod_last_retry_at": now - timedelta(days=1),
        "response_deadline": (now + timedelta(days=9)).date(),
    }
    with database.write() as connection:
        connection.execute(update(claims).where(claims.c.id.in_([1, 2])).values(gave_up))
        for claim_id in (1, 2):
            row = {"event": "gave_up", "audience": "operator", "claim_id": claim_id, "carrier": "chronopost"}
            at = {"tracking_number": "N", "run_id": "r", "created_at": now - timedelta(days=1), "facts": {}}
            connection.execute(events.insert().values(row | at))
    page.run()
    hint = r"2 claims gave up last month before their deadline. RECOURS\_LAST\_ATTEMPT\_HOURS=30 would try each once more."
    assert hint in [box.value for box in page.info]
    page.button_group(key="language").set_value("fr").run()
    assert any(box.value.startswith("2 dossiers ont été abandonnés le mois dernier") for box in page.info)
    monkeypatch.setenv("RECOURS_LAST_ATTEMPT_HOURS", "30")
    cache_data.clear()
    page.run()
    assert not any("dossiers ont été abandonnés" in box.value for box in page.info)


def test_a_claim_that_waits_for_its_turn_is_shown_with_its_place(
    page: AppTest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are due; the one that was added last failed first, and goes before all others."""
    monkeypatch.setenv("QUOTA_CHRONOPOST", "2/day")
    long_ago = datetime.now(UTC) - timedelta(hours=5)
    with database.write() as connection:
        connection.execute(update(claims).values(updated_at=long_ago, response_deadline=None))
    page.query_params["claim"] = "CLM-00040"
    page.run()
    shown = said(page)
    assert "40 claims go before it; at this pace its turn does not come within 2 days." in shown
    page.button_group(key="language").set_value("fr").run()
    assert "40 réclamations passent avant elle ; à ce rythme, son tour ne viendra pas avant 2 jours." in said(
        page
    )
