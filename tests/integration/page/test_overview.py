"""The overview on both databases has the same figures as `recours status --json`."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update

from recours.carriers.registry import CATALOG
from recours.core.localized import Localized
from recours.database.engine import Database
from recours.database.tables import attempts, intake, mails, quota, runs
from recours.host.installation import readable
from recours.settings.loading import load_at_home
from tests.conftest import add_claims
from tests.contract.test_claims import POLICY, Run
from tests.integration.page.conftest import PageClient, Shown
from tests.own_rows import set_own
from tests.processes.commands import recours as typed

EN = Localized("en", ZoneInfo("Europe/Paris"))
HOUR = timedelta(hours=1)


class Read(HTMLParser):
    """Tables by their heading, row by row, and cards by their label."""

    def __init__(self, shown: Shown) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.cards: dict[str, str] = {}
        self._heading, self._text, self._row, self._label = "", "", list[str](), ""
        self.feed(shown.html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 (its name is the base class's)
        if tag in ("h2", "td", "th", "strong", "span"):
            self._text = ""
        if tag == "tr":
            self._row = []

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        text = " ".join(self._text.split())
        if tag == "h2":
            self._heading = text
        elif tag in ("td", "th"):
            self._row.append(text)
        elif tag == "tr":
            self.tables.setdefault(self._heading, []).append(self._row)
        elif tag == "span":
            self._label = text
        elif tag == "strong":
            self.cards[self._label] = text


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def filled(database: Database, now: datetime) -> Database:
    """Claims that wait, are due, have their POD or an unknown carrier; runs, attempts and emails of the last days."""
    soon = (now + timedelta(days=2)).date()
    rows: list[dict[str, Any]] = [
        *({"updated_at": now - 9 * HOUR, "response_deadline": soon} for _ in range(4)),
        *({"updated_at": now} for _ in range(3)),
        {"pod_fetch_status": "success"},
        {"updated_at": now},
        *({"carrier": "Pigeon Post", "amount_requested": 1000.5} for _ in range(2)),
        *({"pod_fetch_status": "pending", "amount_requested": 0.25} for _ in range(2)),
    ]
    add_claims(database, [row | {"claim_reference": f"CLM-{n}"} for n, row in enumerate(rows)])
    Run(database).keep(now, POLICY)
    set_own(database, "CLM-8", stage="given_up", written_at=now, kind="not_found", next_at=None)
    tried: dict[str, Any] = {
        "run_id": "r", "worker": "w", "carrier": "chronopost", "tracking_number": "X", "duration_s": 1.0, "calls": 1,
        "used": True, "claim_id": 1,
    }  # fmt: skip
    with database.write() as connection:
        for days, outcome, kind, turn in (
            (0, "success", None, 0),
            (1, "failed", "timeout", 1),
            (1, "failed", "not_found", 2),
            (2, "left", "rate_limited", 1),
            (20, "success", None, 1),
        ):
            row = tried | {"started_at": now - timedelta(days=days), "outcome": outcome, "error_kind": kind}
            connection.execute(insert(attempts).values(row | {"turn": turn}))
        for name, hours, ended in (("pod_fetch_worker", 1, True), ("pod_retry_scheduler", 9, False)):
            began = now - hours * HOUR
            run = {
                "id": name,
                "worker": name,
                "started_at": began,
                "stats": {"total": 3, "success": 1, "failed": 2},
            }
            over = {"ended_at": began if ended else None, "exit_status": 0 if ended else None}
            connection.execute(insert(runs).values(run | over))
        for n, state in enumerate(("ready", "held", "held", "sent")):
            mail = {
                "message_id": f"m{n}", "kind": "client", "recipient": "a@b.example", "language": "en", "subject": "s",
                "plain": "p", "html": "h", "state": state, "run_id": "r", "created_at": now - 9 * HOUR, "tries": 0,
            }  # fmt: skip
            connection.execute(insert(mails).values(mail))
    return database


def status(environment: dict[str, str], *options: str) -> dict[str, Any]:
    done = typed("status", "--json", *options, environment=environment)
    assert not done.returncode, done.stderr
    return dict(json.loads(done.stdout))


def stages(seen: dict[str, Any], *names: str) -> int:
    return sum(backlog[name] for backlog in seen["backlogs"] for name in names)


def test_rows_that_differ_are_counted_for_all(
    page: PageClient, filled: Database, environment: dict[str, str], now: datetime
) -> None:
    repaired = "The sweep over all claims had to repair 2 rows"
    assert status(environment)["differences"] == {"repaired": 0, "owed": 0}
    assert "The sweep" not in page.get("/").text
    set_own(filled, "CLM-0", owed_since=now - 2 * HOUR)
    with filled.write() as connection:
        connection.execute(update(intake).values(repaired=2))
    assert status(environment)["differences"] == {"repaired": 2, "owed": 1}
    for text in (page.get("/").text, typed("status", environment=environment).stdout):
        assert repaired in text
        assert (
            "The result of 1 claim has been missing from the service's table for more than an hour." in text
        )


@pytest.mark.usefixtures("filled")
def test_every_figure_is_that_of_status(page: PageClient, environment: dict[str, str]) -> None:
    done = typed("pause", "Chronopost", "--why", "invoice dispute", environment=environment)
    assert not done.returncode, done.stderr
    shown, seen = page.get("/"), status(environment)
    assert shown.status == 200
    assert seen["verdict"] in shown.text
    kinds = {problem["kind"] for problem in seen["problems"]}
    assert kinds >= {"runs_killed", "overdue", "carrier_paused", "unknown_carrier", "deadlines", "mails_held"}
    for problem in seen["problems"]:
        assert problem["sentence"] in shown.text
        assert readable(problem["remedy"]) in shown.text
        if amounts := problem["amounts"]:
            money = " + ".join(EN.money(amount, currency) for currency, amount in amounts.items())
            assert f"at stake: {money}" in shown.text
    paused = next(problem for problem in seen["problems"] if problem["kind"] == "carrier_paused")
    assert (paused["count"], paused["amounts"]) == (9, {"EUR": 70.5})

    read = Read(shown)
    success = seen["success"]
    assert read.cards["Success rate"] == EN.percent(success["all"]["success_rate"]) == "50%"
    assert read.cards["Fetched"] == str(success["all"]["success"]) == "1"
    assert read.cards["Due now"] == str(stages(seen, "due"))
    assert read.cards["Waiting"] == str(stages(seen, "waiting"))
    assert read.cards["To correct"] == str(stages(seen, "to_correct"))
    assert read.cards["Given up"] == str(stages(seen, "given_up"))
    assert read.cards["Emails waiting"] == str(sum(seen["mails"].values())) == "3"

    def rates(by: str, percent: str, *counts: str) -> list[list[str]]:
        return [
            [str(rate[name]) for name in counts] + [EN.percent(rate[percent])]
            for rate in success[by].values()
        ]

    of_claims = "success_rate", "success", "given_up"
    assert [row[1:] for row in read.tables["Success by day"][1:]] == rates("by_day", *of_claims)
    assert [row[1:] for row in read.tables["Success by carrier"][1:]] == rates("by_carrier", *of_claims)
    of_attempts = "attempt_success_rate", "success", "failed", "left"
    assert [row[1:] for row in read.tables["Success by retry"][1:]] == rates("by_turn", *of_attempts)
    assert [row[1] for row in read.tables["Errors by kind"][1:]] == [
        str(n) for n in success["errors"].values()
    ]


@pytest.mark.usefixtures("filled")
def test_the_figures_of_thirty_days_match_recours_status(
    page: PageClient, environment: dict[str, str]
) -> None:
    read, seen = Read(page.get("/?days=30")), status(environment, "--days", "30")
    assert read.cards["Fetched"] == str(seen["success"]["all"]["success"]) == "2"
    assert len(read.tables["Success by day"]) == 31
    assert Read(page.get("/?days=4000")).cards["Fetched"] == "1"  # not a period of the page


@pytest.mark.usefixtures("filled")
def test_each_chart_has_a_scale_with_numbers_and_the_period_is_in_the_address(page: PageClient) -> None:
    shown = page.get("/?days=30")
    charts = shown.html.split('aria-labelledby="chart-')[1:]
    scales = [re.findall(r'<div class="scale">(.*?)</div>', chart) for chart in charts]
    assert [len(scale) for scale in scales] == [1] * 4
    assert all(
        re.search(r"<span>[1-9]\d*</span>", scale) and "<span>0</span>" in scale for (scale,) in scales
    )
    for days in (7, 30, 84):
        assert f'href="/?days={days}#period"' in shown.html


@pytest.mark.usefixtures("filled")
def test_calls_used_are_those_of_the_limit(
    page: PageClient, database: Database, environment: dict[str, str]
) -> None:
    (limit,) = load_at_home(environment, CATALOG).limits["chronopost"]
    start, end = limit.window.around(datetime.now(UTC))
    taken = {"limit_key": limit.key, "window_start": start, "window_end": end, "taken": 12}
    with database.write() as connection:
        connection.execute(insert(quota).values(taken))
    of_carriers = [use for carrier in status(environment)["carriers"] for use in carrier["quotas"]]
    (use,) = [use for use in of_carriers if use["used"]]
    assert f"{use['used']:,} of {use['limit']:,}" in page.get("/carriers").text


def test_a_new_installation_is_shown_with_nothing_yet(page: PageClient) -> None:
    shown = page.get("/")
    assert shown.status == 200
    assert "has never run" in shown.text
    for text in ("No attempts in this period.", "No runs yet."):
        assert text in shown.text
    assert shown.html.count("<code>recours check</code>") == 2  # one for each worker
    assert 'href="/claims?status=pending"' in shown.html


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("address", ["/", "/?days=84"])
def test_the_views_are_in_french_too(page: PageClient, address: str) -> None:
    page.client.cookies.set("recours_language", "fr")
    shown = page.get(address)
    assert shown.status == 200
    assert 'lang="fr"' in shown.html
    assert not re.search(
        r"\b(claims?|carriers?|proofs?|weeks?|hours?|calls?|since|days)\b", _without_code(shown)
    )


def _without_code(shown: Shown) -> str:
    """The readable text without commands and quoted words."""
    return re.sub(r"«[^»]*»|recours [a-z ]+|/\S+", " ", shown.text)
