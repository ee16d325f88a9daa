"""A PostgreSQL role with exactly the listed rights: sufficient for a claim's whole life; missing rights are reported."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from starlette.testclient import TestClient

from recours.dashboard.app import make_app
from recours.database.border import CORRECTED, POD_COLUMNS
from recours.database.engine import Database, DatabaseError
from recours.database.schema.rights import USAGE, Right, grants, missing_rights, needs_of, quoted, rights_of
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service
from tests.conftest import Kind
from tests.fakes.smtp import MailServer
from tests.integration.page.conftest import AT, PageClient
from tests.postgres import execute
from tests.processes.commands import worker
from tests.processes_of_fleet import add_failed, add_pending, environment, fleet, tick, wait_for
from tests.unit.manual.pages import text_of

pytestmark = pytest.mark.full(
    "rights of a role: tests/contract/test_first_run_postgres.py has a first run with and without"
)

S = Scenario
# Each right on the service's tables by table name, in the form of the GRANT.
SERVICE_RIGHTS = [
    ("claims", "SELECT"),
    ("claims", "UPDATE (pod_fetch_status)"),
    ("clients", "SELECT"),
    ("notifications", "INSERT"),
    ("system_settings", "SELECT"),
]


@pytest.fixture
def owner(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    """A database with the whole schema, as its administrator."""
    url = kinds("postgresql").ready(tmp_path)
    yield url
    kinds("postgresql").drop(url)


def url_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def service(owner: URL, role: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    """A service whose workers use the role and whose application is the owner. The role has no rights yet."""
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    with Sandbox(now=clock.now) as box:
        settings = {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "true"}
        service = Service(tmp_path, box, clock, url=url_of(owner.set(username=role)), **settings)
        service._database.close()
        service._database = Database(owner)
        for name, value in smtp.settings.items():
            service.sql("INSERT INTO system_settings VALUES (?, ?)", name.lower(), value)
        service.sql("INSERT INTO clients (id, email) VALUES (1, 'a@shop.example')")
        yield service
        service.close()


def init_db(service: Service, owner: URL, *options: str) -> str:
    return Person(service.folder, url_of(owner), service.environment).does("init-db", *options)


# ---------------------------------------------------------------- a whole life


def test_the_listed_rights_are_enough_for_the_life_of_a_claim(
    service: Service, owner: URL, role: str, smtp: MailServer
) -> None:
    init_db(service, owner, "--grant-to", role)
    service.add(S.DELIVERED, client_id=1, pod_fetch_status="pending")
    service.add(S.SYSTEM_ERROR, S.DELIVERED, client_id=1)
    service.add(S.NOT_OURS, client_id=1)
    service.add(S.SYSTEM_ERROR, client_id=1)
    reports = service.run_at_retries(105, both=True)
    assert [report.fault for report in reports if report.exit_status] == []
    found = service.sql(
        "SELECT pod_fetch_status, stage FROM claims LEFT JOIN recours_claims ON claim_id = id ORDER BY id"
    )
    assert found == [("success", "done")] * 2 + [("failed", "given_up")] * 2
    notifications = service.sql("SELECT notification_type, status FROM notifications ORDER BY id")
    assert [kind for kind, status in notifications if status == "sent"].count("pod_failed") == 1
    assert ("pod_retrieved", "sent") in notifications
    assert {"a@shop.example", "boss@shop.example"} <= set(smtp.recipients())
    person = Person.of(service, service.environment["DATABASE_URL"])
    person.does("status", "--days", "366")
    person.does("why", "CLM-0003")
    person.does("reopen", "CLM-0004", "--yes")
    service.clock.advance(timedelta(hours=2))
    assert service.run().exit_status == 0
    done = person.json("prune", "--older-than", "2026-03-01T00:00+00:00", "--yes")
    assert done["deleted"]["attempts"] > 0
    # The role has no right beyond the list.
    with closing(Database(owner)) as database, database.read() as connection:
        needs = needs_of(database.border)
        of_tables = "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = :role"
        granted = {tuple(row) for row in connection.execute(text(of_tables), {"role": role})}
        assert granted == {(right.on, right.privilege) for right in rights_of(needs) if whole_table(right)}
        of_columns = (
            "SELECT column_name FROM information_schema.column_privileges"
            " WHERE grantee = :role AND table_name = 'claims' AND privilege_type = 'UPDATE'"
        )
        assert {*connection.scalars(text(of_columns), {"role": role})} == {*POD_COLUMNS, *CORRECTED}


def whole_table(right: Right) -> bool:
    return right.column is None and right.privilege != USAGE


def test_every_listed_right_on_the_service_tables_is_needed(
    service: Service, owner: URL, role: str, smtp: MailServer
) -> None:
    """Without any one of these rights, a sentence names the table and the GRANT, which fixes it."""
    init_db(service, owner, "--grant-to", role)
    job = quoted(role)
    service.add(S.SYSTEM_ERROR, S.DELIVERED, client_id=1)
    for name, right in SERVICE_RIGHTS:
        execute(owner, f"REVOKE {right} ON {name} FROM {job}")
        begin_anew(service)
        said = messages_of_a_run(service)
        sql = next(line for line in said if "GRANT" in line and name in line)
        statement = sql[sql.index("GRANT") :]
        assert statement == f"GRANT {right} ON {name} TO {job};"
        assert any(re.search(rf"Missing database rights \(table {name}\)", line) for line in said)
        execute(owner, statement)
    begin_anew(service)
    assert service.run_hourly(7)[-1].exit_status == 0
    assert smtp.recipients() == ["a@shop.example"]


def begin_anew(service: Service) -> None:
    """Open the database at the next run, like a new process."""
    if service._app:
        service._app.database.close()
    service._app = None


def messages_of_a_run(service: Service) -> list[str]:
    try:
        service.run()
    except DatabaseError as fault:
        return [str(fault), *fault.details]
    assert service._app is not None
    return list(service._app.remarks)


def test_the_manual_grants_are_enough(owner: URL, role: str) -> None:
    (by_hand,) = re.findall(r"```sql\n(GRANT USAGE.*?)```", text_of("docs/connect.md"), re.DOTALL)
    execute(owner, *by_hand.replace("recours_jobs", quoted(role)).rstrip(";\n").split(";"))
    with closing(Database(owner.set(username=role))) as database, database.read() as connection:
        assert missing_rights(connection, needs_of(database.border)) == ()


# ---------------------------------------------------------------- what is said


def test_after_init_db_by_an_administrator_the_role_is_shown_every_grant(
    service: Service, owner: URL, role: str
) -> None:
    service.add(S.DELIVERED, client_id=1)
    with pytest.raises(DatabaseError, match=r"Missing database rights \(tables claims") as fault:
        service.run()
    printed_by = f"ask your administrator to run the SQL printed by: recours init-db --sql --grant-to {role}"
    assert str(fault.value).endswith(printed_by)
    execute(owner, *fault.value.details)
    assert service.run_hourly(1)[-1].stats.success == 1


def test_the_log_names_the_command_that_prints_the_sql_without_the_sql(
    service: Service, owner: URL, role: str
) -> None:
    """Each line of a log begins with a date, so SQL of several lines could not be copied from it."""
    environment = service.environment | {"RECOURS_HOME": str(service.folder)}
    done = worker("pod_retry_scheduler", environment=environment, folder=service.folder)
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if "[ERROR]" in line]
    command = said.partition(" printed by: ")[2]
    assert "GRANT" not in done.stderr
    printed = Person(service.folder, url_of(owner), service.environment).types(*shlex.split(command)[1:])
    execute(owner, *printed.stdout.splitlines())
    assert service.run_hourly(1)[-1].exit_status == 0


def test_the_sql_for_an_empty_database_creates_everything(
    kinds: Callable[[str], Kind], role: str, service: Service, tmp_path: Path
) -> None:
    empty = kinds("postgresql").empty(tmp_path)
    lines = init_db(service, empty, "--grant-to", role, "--sql").splitlines()
    execute(empty, *lines)
    service.environment["DATABASE_URL"] = url_of(empty.set(username=role))
    service._database.close()
    service._database = Database(empty)
    service.add(S.DELIVERED)
    assert service.run_hourly(1)[-1].stats.success == 1
    assert "the schema is already up to date" in init_db(service, empty)
    service.close()
    kinds("postgresql").drop(empty)


def test_check_names_each_missing_right_and_the_grant(service: Service, owner: URL, role: str) -> None:
    init_db(service, owner, "--grant-to", role)
    person = Person.of(service, service.environment["DATABASE_URL"])
    assert ("database rights", "ok") in [(one["name"], one["state"]) for one in findings(person)]
    for name, right in (SERVICE_RIGHTS[0], SERVICE_RIGHTS[-1]):
        grant = f"GRANT {right} ON {name} TO {quoted(role)};"
        execute(owner, f"REVOKE {right} ON {name} FROM {quoted(role)}")
        named = [one for one in findings(person) if grant in one["words"] + (one["remedy"] or "")]
        assert named
        assert all(one["state"] == ("fault" if name == "claims" else "remark") for one in named)
        execute(owner, grant)


def findings(person: Person) -> list[dict[str, str]]:
    """The results of `recours check` about the database."""
    said = json.loads(person.types("check", "--offline", "--json").stdout)["findings"]
    return [one for one in said if one["name"] in ("database", "claims", "database rights")]


def test_init_db_by_a_role_without_the_right_to_create_names_the_right_and_prints_the_sql(
    service: Service, owner: URL, role: str
) -> None:
    init_db(service, owner, "--grant-to", role)
    execute(owner, "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "DROP TABLE notifications")
    job = Person(service.folder, url_of(owner.set(username=role)), service.environment)
    done = job.types("init-db")
    assert done.returncode == 1
    said, *sql = done.stderr.splitlines()
    assert "Missing database rights (permission denied for schema public), which the schema" in said
    assert said.endswith(
        f"ask your administrator to run the SQL printed by: recours init-db --sql --grant-to {role}"
    )
    execute(owner, *sql)
    assert "the schema is already up to date" in job.does("init-db")


def test_init_db_by_a_role_that_does_not_own_the_tables_reports_that(
    service: Service, owner: URL, role: str
) -> None:
    init_db(service, owner, "--grant-to", role)
    execute(
        owner,
        f"GRANT CREATE ON SCHEMA public TO {quoted(role)}",
        "ALTER TABLE claims DROP COLUMN pod_url",
        "DROP TABLE recours_schema_version",
    )
    done = Person(service.folder, url_of(owner.set(username=role)), service.environment).types("init-db")
    assert (done.returncode, "Missing database rights (must be owner of table claims), " in done.stderr) == (
        1,
        True,
    ), done.stderr


def test_a_missing_role_is_reported(service: Service, owner: URL) -> None:
    done = Person(service.folder, url_of(owner), service.environment).types("init-db", "--grant-to", "no-one")
    assert done.returncode == 1
    assert "There is no role no-one on this server" in done.stderr


def test_missing_service_tables_need_no_rights(service: Service, owner: URL, role: str) -> None:
    execute(owner, "DROP TABLE notifications, system_settings", "ALTER TABLE clients RENAME TO customers")
    init_db_free(owner, role)
    service.add(S.DELIVERED, client_id=1)
    assert service.run_hourly(1)[-1].stats.success == 1
    assert messages_of_a_run(service) == []


def init_db_free(owner: URL, role: str) -> None:
    """Grant the rights for runs, without creating the service's tables."""
    with closing(Database(owner)) as database, database.read() as connection:
        execute(owner, *grants(connection, rights_of(needs_of(database.border)), role))


def test_runs_need_no_more_than_claims_and_our_own_tables(service: Service, owner: URL, role: str) -> None:
    """Both workers and the dashboard work without emails, and a WARNING reports this."""
    with closing(Database(owner)) as database, database.read() as connection:
        needs = [need for need in needs_of(database.border) if not need.optional]
        execute(owner, *grants(connection, rights_of(needs), role))
    service.add(S.DELIVERED, client_id=1, pod_fetch_status="pending")
    service.add(S.DELIVERED, client_id=1)
    reports = service.run_at_retries(8, both=True)
    assert [report.fault for report in reports if report.exit_status] == []
    assert service.sql("SELECT DISTINCT pod_fetch_status FROM claims") == [("success",)]
    person = Person.of(service, service.environment["DATABASE_URL"])
    assert "CLM-0001" in person.does("why", "CLM-0001")
    assert "By carrier" in person.does("status", "--days", "366")


def test_a_long_lived_worker_and_the_dashboard_need_no_more_rights(
    service: Service, owner: URL, role: str
) -> None:
    init_db(service, owner, "--fleet", "--grant-to", role)
    execute(owner, f"REVOKE ALL ON clients, notifications, system_settings FROM {quoted(role)}")
    settings = environment(service.environment["DATABASE_URL"], service.box, service.folder)
    settings |= {"RECOURS_HOME": str(service.folder), "RECOURS_LANGUAGE": "en"}
    database = service._database
    add_failed(database, service.box, [0, 1])
    add_failed(database, service.box, [2], S.UNKNOWN)
    add_pending(database, service.box, [3])
    # The carriers' clock is behind the machine's: their deliveries are no older than the claims.
    execute(owner, "UPDATE claims SET created_at = '2026-01-01'")
    attempts = "SELECT count(*) FROM recours_attempts"
    with fleet(settings, 1) as (fleet_worker,):
        tick(database)
        wait_for(lambda: service.sql(attempts) == [(4,)], 60, fleet_worker)
        status, log = fleet_worker.stop()
    assert (status, "ERROR" in log) == (0, False), log
    fetched = "SELECT claim_reference FROM claims WHERE pod_fetch_status = 'success' ORDER BY id"
    assert service.sql(fetched) == [("CLM-00000",), ("CLM-00001",), ("CLM-00003",)]
    use_the_dashboard(PageClient(TestClient(make_app(settings), AT, client=("127.0.0.1", 50000))), service)
    assert service.sql(fetched)[2:] == [("CLM-00002",), ("CLM-00003",)]


def use_the_dashboard(page: PageClient, service: Service) -> None:
    """Read the role's views, correct the claim with the unknown number, and fetch it."""
    claim = {"reference": "CLM-00002", "back": "/claim?reference=CLM-00002"}
    for path in ("/", "/claims", "/claims.csv", claim["back"], "/carriers", "/mails"):
        shown = page.get(path)
        assert (shown.status, "Missing database rights" in shown.text) == (200, False), (path, shown.text)
    service.box.parcels["XY009999999FR"] = Parcel((S.DELIVERED,))
    shown = page.post("/claim/correct", claim | {"number": "XY009999999FR", "carrier": ""})
    assert "CLM-00002 corrected" in shown.text
    shown = page.post("/claims/do", claim | {"do": "fetch"})
    notice = f"/notice?key={shown.response.url.params['notice']}"
    wait_for(lambda: "data-under-way" not in page.get(notice).html, 60)
    assert "proof of delivery fetched" in page.get(notice).text


def test_a_correction_needs_a_right_that_runs_do_not(service: Service, owner: URL, role: str) -> None:
    init_db_free(owner, role)
    service.add(S.SYSTEM_ERROR)
    service.run()
    person = Person.of(service, service.environment["DATABASE_URL"])
    done = person.types("correct", "CLM-0001", "--number", "XY123456789FR")
    assert done.returncode == 1
    assert (
        "Missing database rights (permission denied for table claims): ask your administrator to run the SQL printed by: "
        f"recours init-db --sql --grant-to {role}" in done.stderr
    )
    init_db(service, owner, "--grant-to", role)
    assert "CLM-0001" in person.does("correct", "CLM-0001", "--number", "XY123456789FR")
