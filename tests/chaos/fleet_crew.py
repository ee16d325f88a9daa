"""Concurrent fleet workers and cron scripts that tests kill, restart and check."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select

from recours.database.tables import attempts, quota
from recours.runs import engine
from recours.sandbox import Call, Parcel, Sandbox
from tests.chaos.world import Scene
from tests.processes_of_fleet import FleetWorker, Program, environment

CHILD = "tests/chaos/fleet_child.py"
_THREADS = 4  # concurrent calls of a slice
SLICES = 2  # concurrent slices of a worker; a script has one
# Maximum of leased, unfinished bundles of a slice: half of its calls ahead. Chronopost has one claim per bundle.
_LEASED = _THREADS + _THREADS // 2
# Maximum of leased, unrecorded claims of a slice: answers wait until `_MOST_AT_ONCE` can be recorded together.
UNRECORDED = _LEASED + engine._MOST_AT_ONCE - 1
# Maximum of reserved, unsent units of a slice: two per bundle. A reservation returns earlier unsent units.
_UNSENT = 2 * _LEASED
_LATENCY_S = 0.2
_BETWEEN_RUNS_S = 1.0  # seconds between two runs of a crontab line


@dataclass(eq=False)
class Member:
    """One process from start to end. Each has its own simulated carrier, so that its calls can be identified."""

    name: str
    box: Sandbox
    program: Program
    slices: int
    killed_at: datetime | None = None

    @property
    def maximum_unrecorded(self) -> int:
        """The maximum number of claims that a kill can leave unrecorded."""
        return self.slices * UNRECORDED if self.killed_at else 0

    @property
    def maximum_unsent(self) -> int:
        """The maximum number of units that a kill can leave reserved without a call."""
        return self.slices * _UNSENT if self.killed_at else 0

    @property
    def has_ended(self) -> bool:
        return self.program.process.poll() is not None

    def kill(self) -> bool:
        """Kill the process. Return False if it had just ended."""
        self.program.kill()
        was_killed = self.program.process.returncode < 0
        self.killed_at = datetime.now(UTC) if was_killed else None
        self.box.stop()
        return was_killed


@dataclass
class Crew(Scene):
    """A number of workers, and one crontab line for each script."""

    parcels: dict[str, Parcel]
    workers: int = 4
    scripts: tuple[str, ...] = ("pod_retry_scheduler", "pod_fetch_worker")
    settings: dict[str, str] = field(default_factory=dict)
    at_work: list[Member] = field(default_factory=list, init=False)
    over: list[Member] = field(default_factory=list, init=False)
    stored_since: dict[str, datetime] = field(
        default_factory=dict, init=False
    )  # when each document was noticed, by number

    def __post_init__(self) -> None:
        super().__post_init__()
        self._open = ExitStack()
        self._not_before: dict[str, float] = {}

    def calls(self) -> list[Call]:
        return [call for member in self.members for call in member.box.calls]

    @property
    def members(self) -> list[Member]:
        """All members, past and present."""
        return [*self.over, *self.at_work]

    # ---------------------------------------------------------------- processes

    def fill(self) -> None:
        """Start the missing members."""
        for member in [member for member in self.at_work if member.has_ended]:
            self._note_end(member)
        names = [*(f"worker {n}" for n in range(self.workers)), *self.scripts]
        for name in names:
            is_due = time.monotonic() >= self._not_before.get(name, 0.0)
            if is_due and name not in [member.name for member in self.at_work]:
                self.at_work.append(self._start(name))

    def _start(self, name: str) -> Member:
        box = Sandbox(latency=_LATENCY_S)
        box.parcels = self.parcels
        box.start()
        env = self.environment(box)
        slices = 1 if name in self.scripts else SLICES
        concurrency = "--concurrency", str(slices * _THREADS)
        if name in self.scripts:
            program = Program(env, CHILD, name, *concurrency)
        else:
            program = FleetWorker(env, *concurrency, program=(CHILD,))
        return Member(name, box, self._open.enter_context(program), slices)

    def environment(self, box: Sandbox) -> dict[str, str]:
        """The settings of a process that calls this carrier."""
        url = self.url.render_as_string(hide_password=False)
        return environment(url, box, self.folder, RECOURS_CARRIER_CONCURRENCY=str(_THREADS), **self.settings)

    def _note_end(self, member: Member) -> None:
        member.box.stop()
        self.at_work.remove(member)
        self.over.append(member)
        if member.killed_at is None:
            log = member.program.log
            # A script may fail if other programs have locked all its claims; its next run gets them.
            assert member.program.process.returncode == 0 or "locked by another program" in log, log[-3000:]
            self._not_before[member.name] = time.monotonic() + _BETWEEN_RUNS_S

    def kill_one(self, luck: random.Random) -> bool:
        """Kill a member and replace it. Return False if the member had just ended."""
        member = luck.choice(self.at_work)
        was_killed = member.kill()
        self._note_end(member)
        self._note_documents()
        self.fill()
        return was_killed

    def kill_all(self) -> int:
        """Kill all members as a power failure would; return the number of those that had not ended before."""
        members = list(self.at_work)
        killed = sum(member.kill() for member in members)
        for member in members:
            self._note_end(member)
        self._note_documents()
        return killed

    def stop(self) -> None:
        """Stop the workers with SIGTERM, and let the scripts finish. Fails if a process reports a fault."""
        for member in list(self.at_work):
            if isinstance(member.program, FleetWorker):
                member.program.wait_until_ready()
                member.program.process.terminate()
            member.program.end()
            self._note_end(member)
        self._note_documents()

    def close(self) -> None:
        self._open.close()
        for member in self.at_work:
            member.box.stop()
        super().close()

    def _note_documents(self) -> None:
        numbers = [path.stem.split("_")[-2] for path in self.pods.glob("[!.]*/??/??/*.pdf")]
        noticed = datetime.now(UTC)  # not earlier, because documents may be stored during the search
        for number in numbers:
            self.stored_since.setdefault(number, noticed)

    # ---------------------------------------------------------------- observable state

    def attempted(self) -> int:
        """The number of claims with a recorded attempt."""
        with self.database.read() as connection:
            return int(connection.scalar(select(func.count(attempts.c.claim_id.distinct()))) or 0)

    def used(self) -> int:
        """The units used in the latest quota window."""
        windows = self.rows(quota)
        latest = max((row["window_start"] for row in windows), default=None)
        return sum(row["taken"] for row in windows if row["window_start"] == latest)

    def unrecorded(self) -> Iterator[tuple[str, Member, Member | None]]:
        """Each number with a member whose calls are not recorded, and the member whose calls are recorded, if any.

        Checks that the member was killed between its call and the record of the answer.
        """
        attempts = self.attempts()
        last_attempts = {claim["tracking_number"]: attempts[claim["id"]][-1] for claim in self.claims()}
        for number, askers in self._callers_of_each_number().items():
            attempt = last_attempts[number]
            recorder = askers[-1] if attempt["calls"] else None  # None: the document was already on disk
            for asker in askers:
                if asker is recorder:
                    continue
                times = [call.at for call in asker.box.calls_for(number)]
                assert asker.killed_at, f"{number}: {asker.name} lived on, and recorded nothing of {times}"
                assert max(times) <= asker.killed_at <= attempt["started_at"], (
                    f"{number}: asked at {times}, killed at {asker.killed_at}, attempt {attempt}"
                )
                yield number, asker, recorder

    def _callers_of_each_number(self) -> dict[str, list[Member]]:
        """The members that called about each number, in the order of their first call."""
        first: dict[str, dict[int, datetime]] = defaultdict(dict)
        members = self.members
        for place, member in enumerate(members):
            for call in member.box.calls:
                first[call.number].setdefault(place, call.at)
        return {
            number: [members[place] for place in sorted(at, key=lambda place: at[place])]
            for number, at in first.items()
        }

    def check_quota_of_windows(self, limit: int) -> None:
        """Check that no window exceeds its limit and that each call used a unit. Killed processes may use more."""
        calls = self.calls()
        most_lost = sum(member.maximum_unsent for member in self.members)
        for window in self.rows(quota):
            start, end = window["window_start"], window["window_end"]
            received = sum(start <= call.at < end for call in calls)
            assert received <= window["taken"] <= limit
            lost = window["taken"] - received
            assert lost <= most_lost, f"{window['taken']} taken for {received} calls"

    def check_documents_are_requested_once(self) -> None:
        """Check that no document on disk was requested again."""
        late = [
            call
            for call in self.calls()
            if call.operation == "searchPOD"
            and call.at > self.stored_since.get(call.number, datetime.max.replace(tzinfo=UTC))
        ]
        assert not late, late[:5]
