"""The parts of the page that need no browser: the door, documents, texts, charts, the command."""

import hashlib
import os
import re
import socket
import string
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from recours.cli import dashboard
from recours.core.claim import Claim, FetchStatus, Snapshot, Stage, State
from recours.core.errors import ErrorKind
from recours.core.mail import LANGUAGES, EventName, MailState
from recours.core.password import Doorkeeper, PasswordHash, read_hash
from recours.core.policy import Policy
from recours.core.quota import Usage, parse_limits
from recours.dashboard import overview
from recours.dashboard.claim import LARGEST, Absent, Document, NoDocument, _message, read_document, sandboxed
from recours.dashboard.page import is_from_elsewhere
from recours.dashboard.texts import TEXTS, PageTexts
from recours.dashboard.visit import Visit, plainly
from recours.operations.labels import KINDS, STANDING
from recours.operations.position import Standing, position
from recours.operations.records import Backlog, ClaimFilter, ListedClaim, Message
from recours.operations.results import ANSWERS, STATUS, ResultSentences
from recours.operations.status import CarrierNow, Health, Rate
from recours.sandbox import SimulatedClock

ROOT = Path(__file__).resolve().parents[3]
# As little work as a hash may be made with: `hash_of` wants sixteen times as much.
_WORK = {"n": 2**11, "r": 8, "p": 1}
HASH = PasswordHash(
    **_WORK, salt=bytes(16), digest=hashlib.scrypt(b"open sesame", salt=bytes(16), dklen=32, **_WORK)
)
EN, FR = PageTexts("en"), PageTexts("fr")


# ---------------------------------------------------------------- the door


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501", "localhost:8501", "localhost", "[::1]:8501", "LOCALHOST:1"]
)
def test_who_sits_at_this_machine_needs_no_password(host: str) -> None:
    assert not is_from_elsewhere({"Host": host, "Connection": "Upgrade"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "pods.example"},
        {"Host": "127.0.0.1.pods.example:8501"},
        {"Host": "localhost.pods.example"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Host": "192.168.1.20:8501"},
        {"Host": "127.0.0.1@pods.example"},
        {"Host": "127.0.0.1:8501", "X-Forwarded-For": "192.168.1.20"},
        {"Host": "127.0.0.1:8501", "Forwarded": "for=192.168.1.20"},
        {"Host": "localhost", "Via": "1.1 proxy"},
    ],
)
def test_what_others_may_have_sent_is_from_elsewhere(headers: dict[str, str]) -> None:
    assert is_from_elsewhere(headers)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


def test_after_some_wrong_passwords_an_address_must_wait_longer_and_longer(clock: SimulatedClock) -> None:
    keeper = Doorkeeper(clock.monotonic)
    waits = []
    for _ in range(9):
        assert not keeper.lets_in("guess", HASH, "a")
        waits.append(keeper.wait_s("a"))
        clock.sleep(waits[-1])
    assert waits == [0, 0, 5, 10, 20, 40, 60, 60, 60]
    assert keeper.wait_s("b") == 0
    assert keeper.lets_in("open sesame", HASH, "a")
    assert not keeper.lets_in("guess", HASH, "a")
    assert keeper.wait_s("a") == 0  # whoever knew it starts afresh


def test_whoever_must_wait_is_not_let_in_even_with_the_right_password(clock: SimulatedClock) -> None:
    keeper = Doorkeeper(clock.monotonic)
    for _ in range(3):
        keeper.lets_in("guess", HASH, "a")
    assert not keeper.lets_in("open sesame", HASH, "a")
    clock.sleep(5)
    assert keeper.lets_in("open sesame", HASH, "a")


# ---------------------------------------------------------------- documents

PNG = b"\x89PNG\r\n\x1a\n" + bytes(80) + b"IEND\xaeB`\x82"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pods" / "ups").mkdir(parents=True)
    (tmp_path / "pods" / "ups" / "a.png").write_bytes(PNG)
    (tmp_path / "pods-of-others").mkdir()
    (tmp_path / "pods-of-others" / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return tmp_path / "pods"


def test_a_document_in_the_folder_is_read(folder: Path) -> None:
    assert read_document(str(folder / "ups" / "a.png"), folder) == Document("a.png", "image/png", PNG)


@pytest.mark.parametrize(
    "where",
    [
        "{folder}/../secret.png",
        "{folder}/ups/../../secret.png",
        "{folder}-of-others/a.png",
        "{folder}/link.png",
        "ups/a.png",
        "/etc/passwd",
        "https://example.com/a.png",
        "file:///etc/passwd",
        "\\\\server\\share\\a.png",
        "",
        ".",
    ],
)
def test_what_lies_elsewhere_is_not_opened(folder: Path, where: str) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    found = read_document(where.format(folder=folder), folder)
    assert isinstance(found, NoDocument)
    assert found.why is Absent.ELSEWHERE


def test_what_is_no_document_is_told(folder: Path) -> None:
    def why(name: str, content: bytes | None) -> Absent:
        if content is not None:
            (folder / name).write_bytes(content)
        found = read_document(str(folder / name), folder)
        assert isinstance(found, NoDocument)
        return found.why

    assert why("none.png", None) is Absent.MISSING
    assert why("ups", None) is Absent.MISSING
    assert why("cut.png", PNG[:70]) is Absent.NO_DOCUMENT
    assert why("page.png", b"<html>" + bytes(100)) is Absent.NO_DOCUMENT  # a page only where we stored one
    assert why("large.png", PNG[:-8] + bytes(LARGEST) + PNG[-8:]) is Absent.TOO_LARGE
    assert why("\0.png", None) is Absent.UNREADABLE


def test_a_foreign_page_cannot_leave_its_frame() -> None:
    shown = sandboxed(b"<html>\"></iframe><script>alert(1)</script>'", 300)
    assert shown.count("<iframe") == 1
    assert 'sandbox=""' in shown
    assert "<script" not in shown
    assert "default-src 'none'" in shown[: shown.index("<iframe")]


# ---------------------------------------------------------------- texts


def fields(text: str | tuple[str, str]) -> set[str]:
    """The markers of a text, or of each of its two forms; an s at the end is a matter of the language."""
    forms = [text] if isinstance(text, str) else text
    (found,) = {frozenset(name for _, name, _, _ in string.Formatter().parse(form) if name) for form in forms}
    return set(found) - {"s"}


@pytest.mark.parametrize("table", [TEXTS, KINDS, STANDING, STATUS, ANSWERS])
def test_every_text_is_there_in_every_language_with_the_same_facts(table: dict[str, dict[str, Any]]) -> None:
    assert set(table) == set(LANGUAGES)
    assert table["en"].keys() == table["fr"].keys()
    for key, text in table["en"].items():
        assert all(text)
        assert fields(text) == fields(table["fr"][key]), key


def test_whatever_the_database_may_hold_has_its_words() -> None:
    texts = TEXTS["en"]
    assert set(KINDS["en"]) == set(ErrorKind)
    assert set(STANDING["en"]) == set(STATUS["en"]) == set(Standing)
    assert {stage.value for stage in Stage} <= {stands.value for stands in Standing}
    for prefix, values in (
        ("mail_", MailState), ("event_", EventName), ("status_", FetchStatus), ("", Health),
        ("outcome_", ("success", "failed", "left")), ("", ("pod_retry_scheduler", "pod_fetch_worker")),
        ("", Absent),
    ):  # fmt: skip
        assert {f"{prefix}{value}" for value in values} <= texts.keys()


def test_every_text_is_used_somewhere() -> None:
    code = "".join(
        path.read_text() for path in (ROOT / "recours" / "dashboard").glob("*.py") if path.name != "texts.py"
    )
    built = re.compile(
        r"^(mail|event|status|outcome|told|pod)_|^(fine|overdue|running|never_ran|pod_.*|day_letter)$"
    )
    unused = {key for key in TEXTS["en"] if not re.search(f"[\"']{key}[\"']", code) and not built.match(key)}
    assert unused == set()


@pytest.mark.parametrize("state", MailState)
@pytest.mark.parametrize("texts", [EN, FR])
def test_a_mail_of_every_state_has_its_line_in_the_timeline(texts: PageTexts, state: MailState) -> None:
    at = datetime(2026, 2, 6, 14, tzinfo=UTC)
    (line,) = _message(
        Message(EventName.POD_RETRIEVED, "client", at, "mail", state, "a@b.fr", at), texts
    ).lines
    assert "{" not in line
    assert ("a@b.fr" in line) == (state is MailState.SENT)


def test_one_thing_is_one() -> None:
    assert [EN.counted("found", n) for n in (1, 2, 1234)] == ["1 claim", "2 claims", "1,234 claims"]
    assert [FR.counted("found", n) for n in (1, 2)] == ["1 réclamation", "2 réclamations"]
    assert EN.counted("calls", 1, seconds="0.5") == "1 call, 0.5 s"
    assert (EN.counted("calls", 0, seconds="0.5"), FR.counted("calls", 0, seconds="0,5")) == (
        "0 calls, 0.5 s",
        "0 appel, 0,5 s",
    )
    assert FR.counted("unended", 1) == "1 exécution sans fin : arrêtée ou tuée."
    assert EN.counted("forecast_late", 1) == (
        "1 claim passes its deadline, or loses its evidence, before it is tried."
    )


@pytest.mark.parametrize(
    ("language", "asked", "says"),
    [
        ("en", 0, "C-1 was given up; no call to the carrier is recorded."),
        ("en", 1, "C-1 was given up; the carrier was asked once."),
        ("en", 4, "C-1 was given up; the carrier was asked 4 times."),
        ("fr", 0, "C-1 : recherche abandonnée, aucun appel au transporteur n'est enregistré."),
        ("fr", 1, "C-1 : recherche abandonnée, le transporteur a été interrogé une fois."),
        ("fr", 4, "C-1 : recherche abandonnée, le transporteur a été interrogé 4 fois."),
    ],
)
def test_a_claim_that_gave_up_says_how_often_the_carrier_was_asked(
    language: str, asked: int, says: str
) -> None:
    claim = Claim(
        id=1,
        reference="C-1",
        carrier="chronopost",
        number="XY1",
        fetch_status="failed",
        retries_counted=4,
        state=State(stage=Stage.GIVEN_UP, retries_used=4),
        assessed=Snapshot("failed", "XY1", "chronopost", 4),
    )
    where = position(claim, datetime(2026, 2, 2, tzinfo=UTC), Policy(zone=ZoneInfo("UTC")))
    told = ResultSentences(language, lambda at: at).status(
        ListedClaim(claim), where, carrier="Chronopost", asked=asked
    )
    assert told.sentence == says
    assert told.attempts == 4


def test_numbers_are_written_as_the_language_has_them() -> None:
    assert (EN.number(1234567), FR.number(1234567)) == ("1,234,567", "1\u202f234\u202f567")
    assert (EN.percent(66.7), FR.percent(66.7), EN.percent(None)) == ("66.7%", "66,7\u202f%", "–")
    assert (EN.age(timedelta(hours=3)), FR.age(timedelta(days=12))) == ("3\u202fh", "12\u202fj")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CLM-2026-001", "CLM-2026-001"),
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("![x](http://a/b.png)", r"\!\[x\](http://a/b.png)"),
        (":red[x] $x$ <b> &amp;", r":red\[x\] \$x\$ \<b\> \&amp;"),
        ("# title", r"\# title"),
        ("1. list", r"1\. list"),
        ("- list", r"\- list"),
        ("a\nb", r"a\\x0ab"),
    ],
)
def test_foreign_text_is_no_markup(text: str, shown: str) -> None:
    assert plainly(text) == shown


# ---------------------------------------------------------------- charts


def test_the_days_chart_stacks_outcomes() -> None:
    days = {date(2026, 2, 1): Rate(3, 1), date(2026, 2, 2): Rate()}
    figure = overview.by_day(days, FR)
    assert [bar.name for bar in figure.data] == ["obtenues", "échecs"]
    assert list(figure.data[0].x) == ["01/02", "02/02"]
    assert [list(bar.y) for bar in figure.data] == [[3, 0], [1, 0]]
    assert list(figure.data[0].customdata) == ["75,0\u202f%", "–"]


def test_a_foreign_carrier_name_is_no_markup_in_a_chart() -> None:
    figure = overview.by_carrier({"<b>x</b>": Rate(1), "ups": Rate(5)}, {"ups": "UPS"}, EN)
    assert list(figure.data[0].y) == ["UPS", "&lt;b&gt;x&lt;/b&gt;"]


def test_the_other_charts_say_what_they_count() -> None:
    kinds = overview.by_kind({"timeout": 4, "of_tomorrow": 1}, EN)
    assert list(kinds.data[0].y) == ["no answer in time", "of_tomorrow"]
    retries = overview.by_retry({0: Rate(1), 1: Rate(0, 2)}, EN)
    assert list(retries.data[0].x) == ["first", "1"]
    backlog = overview.backlog_chart(
        [Backlog("ups", {Stage.WAITING: 3}), Backlog("", {Stage.READY: 1})], {"ups": "UPS"}, EN
    )
    assert {bar.name: list(bar.x) for bar in backlog.data} == {"due": [0, 1], "waiting": [3, 0]}


def test_gauges_show_long_windows_of_carriers_with_an_account() -> None:
    def uses(text: str) -> list[Usage]:
        limits = parse_limits(text, "ups", None, "UTC")
        return [Usage(limit, 30, 10, datetime(2026, 2, 2, tzinfo=UTC)) for limit in limits]

    carriers = [
        CarrierNow("ups", "UPS", configured=True, uses=uses("1/second,200/day")),
        CarrierNow("gls", "GLS", configured=False, uses=uses("100/day")),
    ]
    figure = overview.quota_chart(carriers, EN)
    assert list(figure.data[0].y) == ["UPS  30 / 200"]
    assert [bar.x[0] for bar in figure.data] == [15, 5, 80]
    assert not overview.has_gauges(carriers[1:])


# ---------------------------------------------------------------- the command


def command(*arguments: str, stdin: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RECOURS_", "DATABASE_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "recours", "dashboard", *arguments],
        cwd=ROOT,
        env=kept | {"PYTHONIOENCODING": "utf-8"} | settings,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def test_a_password_is_asked_for_without_echo_and_its_hash_printed() -> None:
    done = CliRunner().invoke(dashboard.command, ["--hash-password"], input="open sesame\nopen sesame\n")
    assert done.exit_code == 0
    name, _, text = done.stdout.strip().partition("=")
    assert name == "RECOURS_DASHBOARD_PASSWORD_HASH"
    assert "sesame" not in done.output
    kept = read_hash(text)
    assert kept is not None
    assert kept.fits("open sesame")
    again = CliRunner().invoke(dashboard.command, ["--hash-password"], input="open sesame\nopen sesame\n")
    assert again.stdout != done.stdout  # another salt
    short = CliRunner().invoke(dashboard.command, ["--hash-password"], input="short\nshort\n")
    assert (short.exit_code, short.stdout) == (2, "")
    assert "too short: take at least 10" in short.stderr


@pytest.mark.sample("more names of other machines")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com"])
def test_elsewhere_than_on_this_machine_a_password_is_needed(host: str) -> None:
    done = command("--host", host)
    assert done.returncode == 2
    assert f"At {host} others can reach the page, so it needs a password" in done.stderr
    assert "recours dashboard --hash-password" in done.stderr


def test_a_faulty_hash_is_a_fault_of_the_settings_and_is_not_shown() -> None:
    done = command(RECOURS_DASHBOARD_PASSWORD_HASH="my real password")
    assert done.returncode == 2
    assert "RECOURS_DASHBOARD_PASSWORD_HASH in the environment: it is no password hash" in done.stderr
    assert "my real password" not in done.stdout + done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command("--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Choose others with --host, --port." in done.stderr


def test_without_its_packages_it_says_how_to_install_them(tmp_path: Path) -> None:
    # As on a machine that has only what runs need.
    hiding = (
        "import importlib.util as u, sys\nreal = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'streamlit' else real(name, *a)\n"
        "from recours.cli.main import main\nmain(['dashboard'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", hiding],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "(streamlit): install them in the project's folder with" in done.stderr


def test_the_command_itself_does_not_load_streamlit() -> None:
    code = "import sys, recours.cli.dashboard; print([m for m in ('streamlit', 'plotly', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- a visit


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is fetched goes on until the test is over."""
    over = threading.Event()

    def fetch(*_: object, **_named: object) -> list[object]:
        assert over.wait(60)
        return []

    monkeypatch.setattr("recours.dashboard.visit.fetch_claims", fetch)
    yield
    over.set()


@pytest.mark.usefixtures("endless")
def test_what_is_chosen_is_fetched_once_and_chosen_no_more() -> None:
    visit = Visit()
    visit.fetch_picked("en")
    assert visit.job is None
    visit.pick(["CLM-2", "CLM-1"], chosen=True)
    visit.fetch_picked("en")
    begun = visit.job
    assert begun
    assert begun.references == ["CLM-1", "CLM-2"]
    assert visit.picked == set()
    visit.pick(["CLM-3"], chosen=True)
    visit.fetch_picked("en")  # a click on what the browser still shows
    visit.fetch(["CLM-4"], "en")
    visit.forget_job()
    assert visit.job is begun
    assert visit.picked == {"CLM-3"}


@pytest.mark.usefixtures("endless")
def test_boxes_of_before_are_others_than_those_after_a_retry_or_a_new_filter() -> None:
    """The browser sends the state of all boxes that it shows, and with a slow line it shows those of before."""
    visit, claim = Visit(), Claim(1, "CLM-1")
    boxes = [visit.box(claim)]
    visit.pick(["CLM-1"], chosen=True)
    assert visit.box(claim) == boxes[0]
    visit.fetch_picked("en")
    boxes.append(visit.box(claim))
    visit.pick_all(["CLM-1"], chosen=True)
    boxes.append(visit.box(claim))
    visit.look_for(ClaimFilter(text="CLM"))
    boxes.append(visit.box(claim))
    assert visit.picked == set()
    visit.look_for(ClaimFilter(text="CLM"))
    assert visit.box(claim) == boxes[-1]
    assert len(set(boxes)) == 4


def test_a_new_filter_shows_the_first_page() -> None:
    visit = Visit()
    visit.go_to(3)
    visit.look_for(ClaimFilter())
    assert visit.page == 3
    visit.look_for(ClaimFilter(stages=(Stage.WAITING,)))
    assert visit.page == 1
