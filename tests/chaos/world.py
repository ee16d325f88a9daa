"""A database with claims, a sandbox, runs of the real scheduler in separate processes, and checks of the result."""

import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, insert, select
from sqlalchemy.sql.expression import FromClause

from recours.database.engine import Database
from recours.database.evidence import DatabaseCustody
from recours.database.schema.creation import complete
from recours.database.tables import attempts, events, evidence, quota
from recours.evidence.verification import Verification
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Call, Parcel, Sandbox, Scenario
from tests.conftest import SERVICE_CLAIMS, START, Databases, claim_row, environment_of
from tests.own_rows import joined_rows
from tests.postgres import Server, execute
from tests.processes.forks import Forks

LEASE = timedelta(minutes=10)
FETCHER = PODFetchWorker.name

Row = dict[str, Any]


@dataclass
class Moment:
    """The sandbox's clock, which is stopped, or runs ahead of the real time."""

    at: datetime = START
    ahead: timedelta | None = None

    def now(self) -> datetime:
        return self.at if self.ahead is None else datetime.now(UTC) + self.ahead

    def run_from(self, at: datetime) -> None:
        """Set the clock to this time, and let it run."""
        self.ahead = at - datetime.now(UTC)


@dataclass
class Ran:
    """The exit status of a run, and its output."""

    status: int
    output: str


@dataclass
class Scene(ABC):
    """A database and a document folder, their observable state after processes have run, and checks of this state."""

    folder: Path
    url: URL

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.pods = self.folder / "pods"

    @abstractmethod
    def calls(self) -> list[Call]:
        """All calls that carriers received."""

    # ---------------------------------------------------------------- observable state

    def rows(self, table: FromClause) -> list[Row]:
        """All rows of a table."""
        with self.database.read() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def claims(self) -> list[Row]:
        """The claims in order, with recours's rows."""
        return joined_rows(self.database)

    def attempts(self) -> dict[int, list[Row]]:
        """The recorded attempts of each claim by id, in order."""
        found: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(self.rows(attempts), key=lambda row: int(row["id"])):
            found[row["claim_id"]].append(row)
        return found

    def history_of(self, number: str) -> list[tuple[Any, ...]]:
        """The main columns of the attempts at the claim with this number."""
        (claim,) = [row for row in self.claims() if row["tracking_number"] == number]
        columns = ("started_at", "turn", "outcome", "error_kind", "calls")
        return [tuple(row[column] for column in columns) for row in self.attempts()[claim["id"]]]

    def facts(self) -> dict[str, tuple[Any, ...]]:
        """The result of each claim by reference, without times and names that differ between runs."""
        notices, tries = self.rows(events), self.attempts()
        return {row["claim_reference"]: _facts_of(row, tries[row["id"]], notices) for row in self.claims()}

    def documents(self) -> dict[str, Path]:
        """The documents on disk, by the tracking number in their name. Fails if a document is truncated."""
        found = {}
        for path in sorted(self.pods.glob("[!.]*/??/??/*.pdf")):
            stem, _, digest = path.stem.rpartition("_")
            assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest), f"{path} is torn"
            found[stem.rpartition("_")[2]] = path
        return found

    def proof_requests(self) -> Counter[str]:
        """The number of requests for the document of each tracking number."""
        return Counter(call.number for call in self.calls() if call.operation == "searchPOD")

    # ---------------------------------------------------------------- invariants

    def check_claims(self) -> None:
        """Check that each used attempt is recorded once, and that no proof is duplicated, missing or truncated."""
        documents, of_claims = self.documents(), self.attempts()
        for claim in self.claims():
            tries = of_claims[claim["id"]]
            # The fetch worker's attempt at a new claim is not a retry.
            retries = [row["turn"] for row in tries if row["used"] and row["worker"] != FETCHER]
            reference = claim["claim_reference"]
            assert len(retries) == (claim["pod_retry_count"] or 0), (
                f"{reference}: attempts lost or used twice"
            )
            assert retries == list(range(1, len(retries) + 1)), f"{reference}: turns {retries}"
            successes = [row for row in tries if row["outcome"] == "success"]
            assert len(successes) == (claim["pod_fetch_status"] == "success"), reference
            for row in successes:
                assert claim["pod_url"] == row["document_path"] == str(documents[claim["tracking_number"]])
                content = Path(row["document_path"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == row["document_sha256"]
        self.check_custody()

    def check_custody(self) -> None:
        """Check that files, rows and manifests agree."""
        problems: list[str] = []
        verification = Verification(DatabaseCustody(self.database, self.pods), problems.append)
        verification.run()
        assert not problems
        assert verification.files == len(self.rows(evidence))

    def check_nothing_is_leased(self, *, since: datetime | None = None) -> None:
        """Check that no claim has a lease. `since`: ignore leases that expired before."""
        columns = ("claim_reference", "pod_fetch_status", "stage", "lease_until", "next_at")
        held = [
            tuple(row[column] for column in columns)
            for row in self.claims()
            if (until := row["lease_until"]) is not None and not (since and until <= since)
        ]
        assert not held, f"{len(held)} claims are held: {held[:5]}"

    def check_quota(self) -> None:
        """Check that every call is counted in the quota."""
        used_units = sum(row["taken"] for row in self.rows(quota))
        received = len(self.calls())
        assert received <= used_units, f"{received} calls received, {used_units} taken"

    def close(self) -> None:
        """Close the connections, and delete the output of the runs."""
        self.database.close()
        shutil.rmtree(self.folder)


@dataclass
class World(Scene):
    """The environment of the runs of one test case."""

    box: Sandbox
    clock: Moment
    forks: Forks
    settings: dict[str, str] = field(default_factory=dict)

    def calls(self) -> list[Call]:
        return list(self.box.calls)

    # ---------------------------------------------------------------- claims

    def add(self, steps: Iterable[Sequence[Scenario]]) -> None:
        """Add failed claims whose first retry is due at START. Each parcel has the scenarios of one of the `steps`."""
        with self.database.write() as connection:
            for n, script in enumerate(steps):
                row = claim_row(n)
                self.box.parcels[row["tracking_number"]] = Parcel(tuple(script))
                connection.execute(insert(SERVICE_CLAIMS).values(row))

    # ---------------------------------------------------------------- runs

    def environment(self) -> dict[str, str]:
        """The settings of a run."""
        url = self.url.render_as_string(hide_password=False)
        folders = {"RECOURS_LOG_DIR": str(self.folder / "logs"), "RECOURS_POD_DIR": str(self.pods)}
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return kept | environment_of(url, self.box.url) | folders | self.settings

    def job(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """The job that makes the fork server start a run."""
        return {
            "environment": self.environment(),
            "root": str(self.folder),
            "arguments": list(arguments),
        } | more

    def fork(self, job: dict[str, Any], output: Path) -> int:
        """Start a run with its output in this file, and return the process id."""
        return self.forks.fork(job | {"stdout": str(output), "stderr": str(output)})

    def run(self, at: datetime, *arguments: str, **more: Any) -> Ran:
        """Run the scheduler at this time, and wait for the end."""
        self.clock.at, self.clock.ahead = at, None
        output = self.folder / "output"
        output.unlink(missing_ok=True)
        pid = self.fork(self.job(*arguments, at=at.isoformat(), **more), output)
        status = self.forks.wait(pid)
        return Ran(status, output.read_text(encoding="utf-8"))


def _facts_of(claim: Row, tries: list[Row], notices: list[Row]) -> tuple[Any, ...]:
    columns = (
        "pod_fetch_status", "stage", "pod_retry_count", "kind", "interruptions",
        "pod_delivery_person", "lease_until",
    )  # fmt: skip
    ended = [(row["turn"], row["outcome"], bool(row["used"]), row["error_kind"]) for row in tries]
    of_claim = sorted((row["event"], row["told"]) for row in notices if row["claim_id"] == claim["id"])
    return (*(claim[column] for column in columns), tuple(ended), tuple(of_claim))


class Durable:
    """Databases on a server that tests may kill."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def ready(self, folder: Path) -> URL:
        del folder
        execute(self.server.url(), 'CREATE DATABASE "recours_test_restart"')
        url = self.server.url("recours_test_restart")
        database = Database(url)
        complete(database)
        database.close()
        return url

    def drop(self, url: URL) -> None:
        execute(self.server.url(), f'DROP DATABASE "{url.database}" WITH (FORCE)')


@contextmanager
def world_in(folder: Path, databases: Databases, forks: Forks, **settings: str) -> Iterator[World]:
    """A world with its own new database, deleted afterwards."""
    folder.mkdir()
    clock = Moment()
    with Sandbox(now=clock.now) as box:
        world = World(folder, databases.ready(folder), box, clock, forks, settings)
        try:
            yield world
        finally:
            world.close()
            databases.drop(world.url)
