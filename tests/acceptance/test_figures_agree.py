"""A month with many problems: no figure contradicts another, in any view and at any time."""

import os
import re
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient

from recours.admin.accounts import AccountActions
from recours.app import open_app
from recours.bootstrap import metrics_text
from recours.dashboard.app import make_app
from recours.database.engine import SystemClock
from recours.runs.worker import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import QuickPerson
from tests.acceptance.simulation import Service
from tests.acceptance.views import ALL, PARIS, Readings, Views
from tests.fakes.disk import Disk
from tests.fakes.smtp import MailServer, text_of
from tests.keys import new_key
from tests.processes.forks import forking

START = datetime(2026, 2, 2, 5, 50, tzinfo=UTC)  # a Monday, 6:50 in Paris
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROOT = Path(__file__).resolve().parents[2]
BOSS = "boss@shop.example"
ANNS = "20000002"  # a client's account
# The parcels' scenarios, by two digits of their numbers. Most parcels are delivered, at once or after a while.
DIGITS = ["00", "00", "00", "01", "02", "03", "06", "07", "10", "11", "12", "13", "14", "16", "18", "20", "26", "34"]  # fmt: skip
CARRIERS = ("Chronopost", "Chronopost", "UPS", "UPS", "Colissimo", "GLS", "DPD", "Pigeon Post")
# Problems that count claims close to their deadline.
NEAR_ENDS = ("deadlines", "evidence")
CLIENTS = {1: "ann@shop.example", 2: "bob@shop.example", 3: ""}


class Month:
    """A service with new claims every day, its operator, the carriers and the clock."""

    def __init__(
        self, folder: Path, url: str, box: Sandbox, clock: SimulatedClock, smtp: MailServer, disk: Disk
    ) -> None:
        self.chance, self.clock, self.box, self.smtp, self.disk = Random(37), clock, box, smtp, disk
        self.wrong = 300  # imported numbers
        settings = smtp.settings | {
            "ADMIN_EMAIL": BOSS, "RECOURS_LANGUAGE": "en", "RECOURS_ACCOUNTS_KEY": new_key(), "QUOTA_COLISSIMO": "9/day",
            "RECOURS_MAIL_BRAKE": "4",
        }  # fmt: skip
        self.service = Service(folder, box, clock, url=url, **settings)
        for name in list(self.service.environment):
            if name.startswith("DPD_") and not name.endswith("URL"):
                del self.service.environment[name]
        self.person = QuickPerson(folder, url, self.service.environment)
        self.service.environment["RECOURS_POD_DIR"] = self.person.environment["RECOURS_POD_DIR"]
        for number, email in CLIENTS.items():
            self.service.sql("INSERT INTO clients (id, email) VALUES (?, ?)", number, email)
        box.accounts[ANNS] = "password of ann"
        app = open_app(self.service.settings)
        with closing(app.database):
            accounts = AccountActions(app)
            for carrier in ("GLS", "UPS"):
                credentials = box.credentials(carrier.lower(), ANNS)
                accounts.put_all([accounts.new(1, carrier, credentials, {})], "me")
        self.contradictions: list[str] = []
        # The first figures for past days, and when they were shown.
        self.past: dict[tuple[str, ...], tuple[str, int]] = {}

    # ---------------------------------------------------------------- what happens

    def add_claims(self, count: int) -> None:
        chance = self.chance
        for _ in range(count):
            carrier = chance.choice(CARRIERS)
            at = self.clock.now() - chance.random() * DAY
            columns: dict[str, Any] = {
                "client_id": chance.choice(list(CLIENTS)),
                "amount_requested": chance.choice((0, 12.5, 80, 1234.56)),
                "currency": chance.choice(("EUR", "EUR", "USD")),
                "response_deadline": self._day(
                    chance.choice((None, chance.randint(1, 12), chance.randint(5, 40)))
                ),
            }
            if chance.random() < 0.7:
                columns |= {"pod_fetch_status": "pending", "pod_fetch_error": None}
                columns |= {"tracking_number": None} if chance.random() < 0.06 else {}
            elif chance.random() < 0.4:  # one more failure, and recours gives up
                columns |= {"pod_retry_count": 3, "pod_last_retry_at": f"{at - 3 * DAY:%Y-%m-%d %H:%M:%S}"}
            rare: list[dict[str, Any]] = [{"status": "paid"}, {"pod_fetch_status": "manual"}]
            columns |= chance.choice([*rare, *[dict[str, Any]()] * 20])
            number = self.number(carrier, chance.choice(DIGITS))
            self.service.add(carrier=carrier, failed_at=at, number=number, **columns)

    def number(self, carrier: str, digits: str) -> str:
        key = carrier.lower() if carrier != "Pigeon Post" else "chronopost"
        return self.box.example(key, digits, self.service.count + 1)

    def _day(self, days: int | None) -> str | None:
        return None if days is None else (self.clock.now() + days * DAY).date().isoformat()

    def import_wrong_numbers(self, count: int) -> None:
        for place in range(count):
            carrier = self.chance.choice(("Chronopost", "UPS"))
            self.service.add(
                carrier=carrier, number=f"TRACK{place:06}", failed_at=self.clock.now(), pod_fetch_status="pending",
                pod_fetch_error=None, response_deadline=self._day(3 if place % 6 == 0 else 35), amount_requested=20,
                client_id=2,
            )  # fmt: skip

    def go_on(self, hours: int) -> None:
        """Run every hour; compare the operator's emails with all views at the same time."""
        for _ in range(hours):
            hour = self.clock.now().replace(minute=0, second=0, microsecond=0) + HOUR
            self.clock.advance(hour - self.clock.now())
            for worker in (PODFetchWorker, PODRetryScheduler):
                count = len(self.smtp.taken)
                self.service.run(worker, batch_size=50)
                for recipient, message in self.smtp.taken[count:]:
                    if recipient == BOSS:
                        self._compare_mail(str(message["Subject"]), text_of(message))

    def break_down(self, carrier: str) -> None:
        """Have the carrier answer every call with an outage."""
        for (number,) in self.service.sql("SELECT tracking_number FROM claims WHERE carrier = ?", carrier):
            self.box.parcels[number] = Parcel((Scenario.MAINTENANCE,))

    def die(self) -> None:
        """Kill the machine in the middle of a run that has called a carrier."""
        pids: list[int] = []

        def kill(_request: Any) -> None:
            with suppress(ProcessLookupError):
                os.kill(pids[0], signal.SIGKILL)

        log = str(self.service.folder / "killed.log")
        job: dict[str, Any] = {
            "command": [str(ROOT / "scripts" / f"{PODRetryScheduler.name}.py")], "environment": self.person.environment,
            "folder": str(self.service.folder), "at": self.clock.now().isoformat(),
            "seconds": 60, "stdin": os.devnull,
            "stdout": log, "stderr": log,
        }  # fmt: skip
        with forking("tests.processes.timed") as forks:
            vars(self.box)["on_request"] = kill
            pids.append(forks.fork(job))
            assert forks.wait(pids[0]) == -signal.SIGKILL, Path(log).read_text(encoding="utf-8")
            del vars(self.box)["on_request"]

    # ---------------------------------------------------------------- what is said of it

    def compare(self, what: str, *, whys: int, share: float) -> None:
        """Compare all views now. `whys`: number of explained claims per stage; `share`: see `Views`."""
        self.clock.advance(timedelta(minutes=17))
        now = self.clock.now().astimezone(PARIS)
        assert self.service._app
        metrics = metrics_text(replace(self.service._app, settings=self.service.settings))
        app = make_app(self.person.environment | {"RECOURS_HOME": str(self.service.folder)})
        with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 50000)) as page:
            are_edited = "not seen" in what
            views = Views(self.person, page, metrics, now, self.chance, share, are_edited)
            readings = views.read()
            self._add_money(views)
            self._add_late(views)
            for row in self._sample(views, whys):
                views.read_claim(row)
        for figure, value in views.days_over.items():
            then, before = self.past.setdefault(figure, (f"status on {now:%a %d %b}", value))
            readings.add(then, before, *figure)
            readings.add("status now", value, *figure)
        self._note(what, readings)

    def _note(self, what: str, readings: Readings) -> None:
        now = self.clock.now().astimezone(PARIS)
        self.contradictions += [f"{now:%a %d %b %H:%M}, {what}: {line}" for line in readings.contradictions()]

    def _add_money(self, views: Views) -> None:
        """The money of the claims in a problem's list, from the service's table."""
        sql = "SELECT currency, amount_requested FROM claims WHERE claim_reference = ?"
        for (kind, of), rows in views.claims_of.items():
            sums: dict[str, float] = defaultdict(float)
            for row in rows:
                ((currency, amount),) = self.service.sql(sql, row["claim"])
                sums[currency] += amount
            amounts = {currency: round(total, 2) for currency, total in sorted(sums.items()) if total}
            views.add("list of the problem", amounts, "sum of", kind, of)

    def _add_late(self, views: Views) -> None:
        """Every late claim, by the glossary's definition and the export, is in the list."""
        named = {
            row["claim"] for (kind, _), rows in views.claims_of.items() if kind in NEAR_ENDS for row in rows
        }
        for row in views.claims:
            wants_proof = row["pod_fetch_status"] in ("pending", "failed") and row["stage"] != "shelved"
            if row["deadline"] and wants_proof:
                end = datetime.combine(date.fromisoformat(row["deadline"]) + DAY, time(), PARIS)
                is_tried = row["next_try"] and datetime.fromisoformat(row["next_try"]) < end
                if views.now < end <= views.now + 7 * DAY and not is_tried:
                    views.add("export", True, "late", row["claim"])
                    views.add("list of the problem", row["claim"] in named, "late", row["claim"])

    def _sample(self, views: Views, most: int) -> list[dict[str, str]]:
        """Claims of every stage, and late claims."""
        by_stage = defaultdict(list)
        for row in views.claims:
            by_stage[row["stage"]].append(row)
        late = views.claims_of.get(("deadlines", ALL), [])
        lists = [late[: 2 * most], *by_stage.values()]
        rows = [row for some in lists for row in self.chance.sample(some, min(len(some), most))]
        return list({row["claim"]: row for row in rows}.values())

    def _compare_mail(self, subject: str, text: str) -> None:
        """An email has the same figures as the views at the time when it is written."""
        readings = Readings()
        if subject.startswith("Weekly report"):
            preview = self.person.does("mail", "preview", "weekly_report", "--language", "en")
            week = re.compile(r"^\* Week .*\n(?:  .*\n|\n(?=  ))*", re.MULTILINE)
            for view, mail in (
                ("weekly mail", f"{subject}\n\n{text}"),
                ("preview of the weekly mail", preview),
            ):
                readings.add(view, mail.split("\n")[0], "its subject")
                readings.add(view, week.findall(mail), "its week")
        problems = self.person.json("status")["problems"]
        what = r": [a-z ]+| is unavailable| rejects \d+ client accounts?"
        blocked = re.findall(rf"^([\w ]+?)(?:{what}) – (\d+) claims? blocked", subject)
        readings.add("subject", subject.count("blocked"), "what is blocked")
        readings.add("carriers in the subject", len(blocked), "what is blocked")
        for name, count in blocked:
            of_carrier = [problem["count"] for problem in problems if problem["facts"].get("name") == name]
            readings.add("subject", [int(count)], "blocked", name)
            readings.add("status --json", of_carrier[:1], "blocked", name)
        if to_correct := re.match(r"(\d+) claims to correct", subject):
            there_are = sum(problem["count"] for problem in problems if problem["kind"] == "to_correct")
            readings.add("subject", max(int(to_correct[1]), there_are), "claims to correct, at most")
            readings.add("status --json", there_are, "claims to correct, at most")
        self._note(f"mail {subject!r}", readings)


# ---------------------------------------------------------------- the events


def unreachable(month: Month) -> Iterator[str]:
    address = month.service.environment["UPS_BASE_URL"]
    month.service.environment["UPS_BASE_URL"] = "http://127.0.0.1:1"
    month.add_claims(20)
    month.go_on(3)
    yield "UPS cannot be reached"
    month.service.environment["UPS_BASE_URL"] = address


def out_of_service(month: Month) -> Iterator[str]:
    month.add_claims(30)
    month.break_down("Chronopost")
    month.go_on(5)
    yield "Chronopost is out of service"
    month.box.parcels.clear()
    month.person.types("carriers", "check", "chronopost")
    yield "a check was answered"


def wrong_numbers(month: Month) -> Iterator[str]:
    month.import_wrong_numbers(month.wrong)
    yield "300 wrong numbers, not seen yet"
    month.go_on(3)
    yield "300 wrong numbers"
    sql = "UPDATE claims SET tracking_number = ? WHERE claim_reference = ?"
    found = month.service.sql(
        "SELECT claim_reference FROM claims WHERE tracking_number LIKE 'TRACK%' AND carrier = 'UPS'"
    )
    for place, (reference,) in enumerate(found):
        if place % 2:
            month.service.sql(sql, month.box.example("ups", "00", 5000 + place), reference)
    yield "corrected, not seen yet"
    month.go_on(1)
    yield "corrected"


def changed_password(month: Month) -> Iterator[str]:
    password = month.service.environment["CHRONOPOST_PASSWORD"]
    month.service.environment["CHRONOPOST_PASSWORD"] = "000000"
    month.add_claims(10)
    month.go_on(3)
    yield "the password was changed"
    month.service.environment["CHRONOPOST_PASSWORD"] = password
    yield "the password was corrected"


def password_of_a_client(month: Month) -> Iterator[str]:
    password, month.box.accounts[ANNS] = month.box.accounts[ANNS], "another one"
    month.add_claims(20)
    month.go_on(3)
    yield "a client's password was changed"
    month.box.accounts[ANNS] = password
    month.person.types("accounts", "check")
    yield "the client's password is right again"


def full_disk(month: Month) -> Iterator[str]:
    month.disk.fill()
    month.add_claims(10)
    month.go_on(2)
    yield "the disk is full"
    month.disk.empty()


def restart(month: Month) -> Iterator[str]:
    month.add_claims(10)
    month.clock.advance(HOUR)
    month.die()
    yield "the machine went down"
    month.clock.advance(5 * HOUR)
    yield "the machine is up again"
    month.go_on(1)
    yield "after the restart"


def paused(month: Month) -> Iterator[str]:
    month.person.does("carriers", "--help")
    month.person.does("pause", "gls", "--why", "they asked")
    month.go_on(2)
    yield "GLS is paused"
    month.person.does("resume", "gls")
    month.person.does("mail", "release")


EVENTS = (
    unreachable, wrong_numbers, out_of_service, changed_password, password_of_a_client, full_disk, restart, paused,
)  # fmt: skip


@pytest.fixture
def month(tmp_path: Path, url: str, smtp: MailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Month]:
    clock = SimulatedClock(START)
    monkeypatch.setattr(SystemClock, "now", staticmethod(clock.now))
    (tmp_path / "data").mkdir()
    with closing(Disk(tmp_path / "data" / "pods", 32 * 1024)) as disk, Sandbox(now=clock.now) as box:
        month = Month(tmp_path, url, box, clock, smtp, disk)
        yield month
        month.service.close()


@pytest.mark.full(
    "days of runs with all views of them: tests/integration/test_agreement.py compares one day's"
)
def test_no_view_contradicts_another_one_while_much_goes_wrong(month: Month) -> None:
    month.wrong = 60
    for place, event in enumerate(EVENTS):
        month.add_claims(15)
        month.go_on(1)
        moments = event(month)
        month.compare(next(moments), whys=place % 2, share=0.1)
        list(moments)
    assert not month.contradictions, "\n".join(month.contradictions)


@pytest.mark.full("a month of runs with all views of them")
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_no_view_contradicts_another_one_in_a_month(month: Month) -> None:
    for day in range(30):
        month.add_claims(17)
        month.go_on(2)
        if day % 3 == 2 and day // 3 < len(EVENTS):
            for what in EVENTS[day // 3](month):
                month.compare(what, whys=2, share=0.3)
        month.go_on(max(23 - month.clock.now().astimezone(PARIS).hour, 0))
        month.compare("end of the day", whys=2, share=0.3)
        month.go_on(7)
    assert not month.contradictions, "\n".join(month.contradictions)
