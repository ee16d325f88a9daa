"""`recours accounts` and the application's functions, on both kinds of database, with simulated carriers."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import make_url

import recours
from recours.accounts.sealing import SETTING, Seals
from recours.core.accounts import owner_of
from recours.core.errors import ErrorKind
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.keys import new_key
from tests.own_rows import put_account
from tests.processes.commands import Done
from tests.processes.commands import recours as command

KEY, OTHER_KEY = new_key(), new_key()
NO_KEY = "RECOURS_ACCOUNTS_KEY is not set"
SECRET = "hunter2-Of-Shop"
SHOPS = {number: f"shop{number}@example.com" for number in range(1, 31)}
GOOD, GOOD_PASSWORD = "40000001", "pw-Of-Shop-One"
CHRONOPOST = {"account": GOOD, "password": GOOD_PASSWORD}


def good_accounts(*clients: int, limits: str = "") -> str:
    """A table with one Chronopost account for each of these clients."""
    rows = [f"{client},Chronopost,{GOOD},{GOOD_PASSWORD},{limits}" for client in clients]
    return "\n".join(["client,carrier,account,password,limits", *rows])


@pytest.fixture
def clock() -> SimulatedClock:
    """The real time, which typed commands use."""
    return SimulatedClock(datetime.now(UTC))


@pytest.fixture
def service(tmp_path: Path, url: str, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Service]:
    """Thirty clients; the carriers know one account besides the default account."""
    sandbox.accounts[GOOD] = GOOD_PASSWORD
    service = Service(tmp_path, sandbox, clock, url=url, **{SETTING: KEY, "SMTP_HOST": ""})
    for number, email in SHOPS.items():
        service.sql("INSERT INTO clients (id, email) VALUES (?, ?)", number, email)
    service.sql("UPDATE clients SET email = ? WHERE id = 30", SHOPS[29].upper())
    yield service
    service.close()


@pytest.fixture
def accounts(url: str) -> Iterator[ClientAccounts]:
    database = Database(make_url(url))
    yield ClientAccounts(database)
    database.close()


@pytest.fixture
def with_stdin(person: Person, tmp_path: Path) -> Callable[..., Done]:
    """`with_stdin(content, *arguments)`: run a command with this content on stdin."""

    def run_accounts(content: Any, *arguments: str, **settings: str) -> Done:
        stdin_file = tmp_path / "stdin"
        stdin_file.write_text(content if isinstance(content, str) else json.dumps(content))
        done = command(*arguments, environment=person.environment | settings, keyboard=str(stdin_file))
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    return run_accounts


@pytest.fixture
def added(with_stdin: Callable[..., Done]) -> Callable[..., None]:
    def add(client: str, carrier: str = "Chronopost", **credentials: str) -> None:
        done = with_stdin(credentials or CHRONOPOST, "accounts", "add", client, carrier, "--credentials", "-")
        assert done.returncode == 0, done.stderr

    return add


def listed(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.json("accounts", "list")["accounts"]
    return found


# ---------------------------------------------------------------- add, limits, disable, remove


def terminal_output(person: Person, answers: dict[str, str]) -> str:
    """Everything that a terminal shows while someone adds an account and types each answer at its prompt."""
    hand, keyboard = pty.openpty()
    words = [sys.executable, "-m", "recours", "accounts", "add", SHOPS[1], "chronopost"]
    process = subprocess.Popen(
        words,
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        env=person.environment,
        start_new_session=True,
    )
    os.close(keyboard)
    shown, left = "", dict(answers)
    with suppress(OSError):  # a terminal that nobody has open ends like this
        while piece := os.read(hand, 10_000).decode():
            shown += piece
            for name in [name for name in left if f"{name}: " in shown]:
                os.write(hand, f"{left.pop(name)}\n".encode())
    os.close(hand)
    assert process.wait() == 0, shown
    return shown


def test_credentials_are_prompted_for_without_echo_and_stored_encrypted(
    person: Person, accounts: ClientAccounts
) -> None:
    printed = terminal_output(person, {"CHRONOPOST_ACCOUNT": GOOD, "CHRONOPOST_PASSWORD": SECRET})
    assert "shop1@example.com's credentials for Chronopost are stored;" in printed
    assert SECRET not in printed
    assert GOOD not in printed
    (account,), (sealed,) = accounts.all(), accounts.sealed().values()
    assert (account.client_id, account.carrier) == (1, "chronopost")
    opened = Seals([KEY]).open(sealed, account.owner)
    assert opened == {"CHRONOPOST_ACCOUNT": GOOD, "CHRONOPOST_PASSWORD": SECRET}
    assert SECRET not in person.does("accounts", "list") + person.does("accounts", "list", "--json")


@pytest.mark.parametrize(
    ("arguments", "credentials", "said"),
    [
        ((SHOPS[29], "Chronopost"), CHRONOPOST, "Give the client's id (29, 30)"),
        (("1", "Chronopost"), {"account": GOOD, SECRET: "password"}, "a different name was given"),
    ],
)
def test_an_invalid_account_is_rejected_and_changes_nothing(
    with_stdin: Callable[..., Done],
    added: Callable[..., None],
    accounts: ClientAccounts,
    arguments: tuple[str, ...],
    credentials: Any,
    said: str,
) -> None:
    added("2")
    before = accounts.all(), accounts.sealed()
    done = with_stdin(credentials, "accounts", "add", *arguments, "--credentials", "-")
    assert done.returncode == 2
    assert said in done.stderr
    assert (accounts.all(), accounts.sealed()) == before


def test_credentials_are_never_accepted_on_the_command_line(person: Person, accounts: ClientAccounts) -> None:
    done = person.types("accounts", "add", "1", "Chronopost", "--credentials", f'{{"password": "{SECRET}"}}')
    assert done.returncode == 2
    assert "Write --credentials - and pass them on stdin" in done.stderr
    assert SECRET not in done.stderr
    assert (
        "No terminal is available to ask for credentials"
        in person.types("accounts", "add", "1", "Chronopost").stderr
    )
    assert accounts.all() == []


def test_without_a_key_nothing_is_stored(with_stdin: Callable[..., Done], accounts: ClientAccounts) -> None:
    run_accounts = ("accounts", "add", "1", "Chronopost", "--credentials", "-")
    done = with_stdin(CHRONOPOST, *run_accounts, RECOURS_ACCOUNTS_KEY="")
    assert done.returncode == 2
    assert "docs/accounts.md explains how to create a key" in done.stderr
    assert accounts.all() == []


def test_an_account_is_changed_paused_and_removed(
    person: Person, with_stdin: Callable[..., Done], added: Callable[..., None], accounts: ClientAccounts
) -> None:
    added("1")
    (first,) = listed(person)
    assert (first["health"], first["limits"], first["client"]) == ("open", None, SHOPS[1])
    person.does("accounts", "limits", "1", "Chronopost", "50/day", "tracking=20/hour")
    assert listed(person)[0]["limits"] == {"": "50/day", "TRACKING": "20/hour"}
    refused = person.types("accounts", "limits", "1", "Chronopost", "1/day")
    assert (refused.returncode, "is not enough for even one claim" in refused.stderr) == (2, True)
    person.does("accounts", "limits", "1", "Chronopost", "--default")
    assert listed(person)[0]["limits"] is None
    output = person.does("pause", "Chronopost", "--account", SHOPS[1], "--why", "contract ended")
    assert output.startswith(f"Chronopost ({SHOPS[1]}) is paused until ")
    assert (listed(person)[0]["health"], listed(person)[0]["why"][-16:]) == ("paused", ": contract ended")
    paused = person.types("accounts", "check", "1", "Chronopost").stderr
    assert f"('recours resume chronopost --account \"{SHOPS[1]}\"' resumes it)" in paused
    assert "resumed: the next run calls it." in person.does("resume", "chronopost", "--account", SHOPS[1])
    new = {"account": GOOD, "password": SECRET}
    assert (
        with_stdin(new, "accounts", "add", "1", "Chronopost", "--credentials", "-", "--replace").returncode
        == 0
    )
    assert Seals([KEY]).open(accounts.sealed()[1], owner_of(1, "chronopost"))["CHRONOPOST_PASSWORD"] == SECRET
    assert (
        person.types("accounts", "remove", "1", "Chronopost").returncode == 2
    )  # there is no terminal for the prompt
    assert len(listed(person)) == 1
    person.does("accounts", "remove", "1", "Chronopost", "--yes")
    assert listed(person) == []
    assert accounts.sealed() == {}
    assert "has no account of its own" in person.types("accounts", "check", "1", "Chronopost").stderr


# ---------------------------------------------------------------- check


def test_a_check_tries_every_account_even_if_one_is_bad(
    person: Person, added: Callable[..., None], service: Service
) -> None:
    added("1", account=GOOD, password=SECRET)  # rejected
    added("2")
    added("3")
    service.sql("UPDATE recours_client_accounts SET credentials = 'spoilt' WHERE client_id = 3")
    added("4")
    person.does("pause", "Chronopost", "--account", "4")
    added("5")
    done = person.types("accounts", "check")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "Chronopost accepts the credentials of shop2@example.com.",
        "Chronopost accepts the credentials of shop5@example.com.",
        "2 of 5 accounts accepted.",
    ]
    assert "Chronopost rejects the credentials of shop1@example.com" in done.stderr
    assert "Chronopost: the credentials of shop3@example.com could not be tested" in done.stderr
    assert "could not be tested: Chronopost (shop4@example.com) was paused on" in done.stderr
    healths = {one["client_id"]: one["health"] for one in listed(person)}
    assert healths == {1: "refused", 2: "open", 3: "unusable", 4: "paused", 5: "open"}
    assert SECRET not in done.stdout + done.stderr
    assert person.does("accounts", "check", "2", "Chronopost").startswith("Chronopost accepts")


def test_many_real_calls_need_confirmation(
    person: Person, with_stdin: Callable[..., Done], service: Service
) -> None:
    assert with_stdin(good_accounts(*range(1, 22)), "accounts", "import", "-").returncode == 0
    before = len(service.box.calls)
    assert person.types("accounts", "check").returncode == 2
    assert person.types("accounts", "check", answers="n\n").returncode == 0
    assert len(service.box.calls) == before
    assert "21 of 21 accounts accepted." in person.does("accounts", "check", "--yes")


def test_a_claim_mentions_that_its_account_was_removed(
    person: Person, with_stdin: Callable[..., Done], service: Service
) -> None:
    """The message stays until the next run has assessed the client's claims again."""
    assert with_stdin(good_accounts(1), "accounts", "import", "-").returncode == 0
    service.add(Scenario.UNKNOWN, client_id=1)
    service.run()
    person.does("accounts", "remove", "1", "Chronopost", "--yes")
    said = person.does("why", "CLM-0001")
    assert "The Chronopost account of shop1@example.com cannot be used: the account was removed" in said
    assert "chronopost#" not in said


def test_a_client_with_the_reused_id_of_another_inherits_no_account(
    person: Person, with_stdin: Callable[..., Done], service: Service
) -> None:
    assert with_stdin(good_accounts(1, 2), "accounts", "import", "-").returncode == 0
    service.sql("UPDATE clients SET email = 'other@example.com' WHERE id = 1")
    service.sql("UPDATE clients SET email = 'shop2@example.org' WHERE id = 2")
    for client in (1, 2):
        service.add(Scenario.DELIVERED, client_id=client)
    service.run()
    numbers = [number for (number,) in service.sql("SELECT tracking_number FROM claims")]
    used = {call.account for number in numbers for call in service.box.calls_for(number) if call.account}
    assert used
    assert GOOD not in used
    assert {one["health"] for one in listed(person)} == {"unusable"}
    assert "client 1 had shop1@example.com" in " ".join(person.does("status").split())

    confirmed = person.does("accounts", "confirm", "shop2@example.org")
    assert confirmed == "shop2@example.org keeps the account with Chronopost. The next run uses it.\n"
    assert "Nothing was changed" in person.does("accounts", "confirm", "shop2@example.org")
    person.does("accounts", "remove", "1", "Chronopost", "--yes")
    assert [(one["client"], one["health"]) for one in listed(person)] == [("shop2@example.org", "open")]

    service.sql("UPDATE claims SET client_id = NULL")
    service.sql("DELETE FROM clients WHERE id = 2")
    person.does("accounts", "remove", "2", "Chronopost", "--yes")
    assert listed(person) == []


def test_a_list_shows_how_much_of_each_limit_is_used(
    person: Person, with_stdin: Callable[..., Done], service: Service, accounts: ClientAccounts
) -> None:
    """An account at an unknown carrier has no limits."""
    assert with_stdin(good_accounts(1, 2), "accounts", "import", "-").returncode == 0
    put_account(accounts, 3, "heppner", "x", "somebody", datetime.now(UTC))
    service.add(Scenario.UNKNOWN, client_id=1)
    service.run()
    lines = person.does("accounts", "list").splitlines()
    one, two, three = (next(line for line in lines if SHOPS[n] in line) for n in (1, 2, 3))
    assert "1/100 per day, resets " in one
    assert "per day" not in two
    assert "its carrier is not supported" in three


# ---------------------------------------------------------------- import


def table(spoilt: str | None = None) -> str:
    rows = [f'{n};Chronopost;{GOOD};"{SECRET}";50/day' for n in range(1, 21)]
    if spoilt is not None:
        rows[16] = spoilt
    return "\ufeff" + "\r\n".join(["client;carrier;account;password;limits", *rows]) + "\r\n"


def test_all_rows_of_a_file_are_imported(
    person: Person, accounts: ClientAccounts, tmp_path: Path, with_stdin: Callable[..., Done]
) -> None:
    file = tmp_path / "shops.csv"
    file.write_text(table(), encoding="utf-8")
    dry = person.does("accounts", "import", str(file), "--dry-run")
    assert dry == "Dry run: 20 accounts would be added; nothing was written.\n"
    assert accounts.all() == []
    done = person.types("accounts", "import", str(file))
    assert done.stdout.startswith("20 accounts added.")
    assert "Delete shops.csv now" in done.stdout
    assert len(accounts.all()) == 20
    assert {json.dumps(account.limits) for account in accounts.all()} == {'{"": "50/day"}'}
    missing = person.types("accounts", "import", str(tmp_path / "other.csv"))
    assert (missing.returncode, "No such file" in missing.stderr) == (2, True)
    os.mkfifo(tmp_path / "pipe")
    endless = person.types("accounts", "import", str(tmp_path / "pipe"))
    assert (endless.returncode, "it is a pipe or a device; name a regular file" in endless.stderr) == (
        2,
        True,
    )
    again = with_stdin(table(), "accounts", "import", "-")
    assert again.returncode == 2
    assert again.stderr.count("already has an account with Chronopost") == 20


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (f"99;Chronopost;{GOOD};{SECRET};", "the table clients has no client"),
        (f"16;Chronopost;{GOOD};{SECRET};", "the client and carrier are the same as in row 16"),
    ],
)
def test_no_row_is_imported_from_a_file_with_a_wrong_row(
    with_stdin: Callable[..., Done], accounts: ClientAccounts, spoilt: str, said: str
) -> None:
    done = with_stdin(table(spoilt), "accounts", "import", "-")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if said in line]
    assert line.startswith("Error: row 17 (line 18): ")
    assert accounts.all() == []


# ---------------------------------------------------------------- the key


def test_a_lost_key_is_reported_and_the_right_one_decrypts_all_accounts_again(
    person: Person, added: Callable[..., None]
) -> None:
    added("1")
    (one,) = person.json("accounts", "list", RECOURS_ACCOUNTS_KEY=OTHER_KEY)["accounts"]
    assert one["health"] == "unusable"
    assert one["why"].startswith(
        "The key in RECOURS_ACCOUNTS_KEY does not decrypt the credentials: add the key that"
    )
    done = person.types("accounts", "check", RECOURS_ACCOUNTS_KEY=OTHER_KEY)
    assert done.returncode == 1
    assert "could not be tested" in done.stderr
    without = person.json("accounts", "list", RECOURS_ACCOUNTS_KEY="")["accounts"]
    assert without[0]["health"] == "unusable"
    assert NO_KEY in without[0]["why"]
    assert listed(person)[0]["health"] == "open"


def test_recours_check_names_accounts_that_cannot_be_used(person: Person, added: Callable[..., None]) -> None:
    def finding(**settings: str) -> dict[str, Any] | None:
        done = person.types("check", "--offline", "--json", **settings)
        found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
        return found.get("accounts unusable")

    assert finding() is None
    added("1")
    added("2")
    assert finding() is None
    for key, said in ((OTHER_KEY, "The key"), ("", NO_KEY)):
        lost = finding(RECOURS_ACCOUNTS_KEY=key)
        assert lost
        assert lost["state"] == "fault"
        assert "shop1@example.com" in lost["words"]
        assert said in lost["words"]


# ---------------------------------------------------------------- the service's application


@pytest.fixture
def application(service: Service, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    settings = service.environment | {
        "DATABASE_URL": url,
        "RECOURS_LOG_DIR": str(tmp_path / "logs"),
        "RECOURS_POD_DIR": str(tmp_path / "pods"),
        "RECOURS_LANGUAGE": "en",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return service


def test_a_shop_enters_its_credentials_in_the_services_application(
    application: Service, accounts: ClientAccounts
) -> None:
    stored = recours.set_account(SHOPS[1], "Chronopost", CHRONOPOST, limits={"": "50/day"}, by="shop1")
    assert (
        stored.sentence
        == "shop1@example.com's credentials for Chronopost are stored; the next run uses them."
    )
    assert (stored.client_id, stored.accepted) == (1, None)
    (account,) = accounts.all()
    assert (account.added_by, account.limits) == ("shop1", {"": "50/day"})
    assert recours.check_account(1, "chronopost").accepted is True
    wrong = recours.set_account(1, "Chronopost", CHRONOPOST | {"password": SECRET}, check=True, language="fr")
    assert (wrong.accepted, wrong.kind) == (False, ErrorKind.AUTH_FAILED)
    assert "Chronopost refuse les identifiants de shop1@example.com" in wrong.sentence
    assert SECRET not in repr(wrong)
    assert accounts.all()[0].limits == {"": "50/day"}
    assert application.box.calls


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda: recours.set_account("\ud800", "Chronopost", CHRONOPOST), "There is no client"),
        (lambda: recours.set_account(1, cast("Any", None), CHRONOPOST), "no carrier 'None'"),
        (lambda: recours.set_account(1, "UPS", {"x": SECRET}), "UPS requires UPS_"),
        (
            lambda: recours.set_account(1, "Chronopost", CHRONOPOST, limits=cast("Any", [1])),
            "must be an object",
        ),
        (lambda: recours.check_account(1, "Chronopost"), "has no account of its own"),
    ],
)
def test_an_invalid_call_by_an_application_raises_a_clear_error(
    application: Service, asked: Callable[[], Any], said: str
) -> None:
    with pytest.raises(recours.CorrectAccountError, match=said) as refused:
        asked()
    assert SECRET not in str(refused.value)
    assert application.box.calls == []


@pytest.mark.usefixtures("application")
def test_without_a_key_the_application_is_referred_to_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "")
    with pytest.raises(recours.AskOperatorError, match=SETTING):
        recours.set_account(1, "Chronopost", CHRONOPOST)
