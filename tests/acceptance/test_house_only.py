"""An installation that has the house's accounts only notices nothing of those that clients may have.

A day of it by the last version that knew no others is compared with the same day by this one: what was logged and printed,
to whom mails went, the metrics, and every row.
"""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, make_url, text

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.sandbox import Scenario
from recours.sandbox.server import DEFAULT_ACCOUNT
from tests.acceptance.simulation import Service
from tests.acceptance.versions_before import LAST, ROOT, Life, Predecessor, installed
from tests.conftest import Kind
from tests.processes.commands import folder_of_recours
from tests.processes.forks import Forks, forking

Row = dict[str, Any]
_S = Scenario
# What waits by the true clock.
_SLOW = {_S.SLOW, _S.DRIP, _S.DRIP_HEADERS}
# What closes a carrier to other claims: such claims come when these have been asked about.
_CLOSES = {
    _S.AUTH_REFUSED,
    _S.ACCOUNT_DENIED,
    _S.RATE_LIMITED,
    _S.MAINTENANCE,
    _S.BAD_GATEWAY,
    _S.SYSTEM_ERROR,
    _S.FAULT_SERVER,
}
_PAUSED, _RESUMED, _TROUBLE, _PASSWORD_CHANGES = 2, 8, 9, 14  # the hours
# DPD denies the requests of the version before, which has two parts of them in the wrong order.
_OTHERWISE = {"dpd"}
_LAST = {_S.DELIVERED_GIF, _S.IN_TRANSIT}  # what comes then
# What this version has and the other has not.
_NEW_TABLES = {
    *("recours_client_accounts", "recours_account_state", "recours_actions"),
    *("recours_evidence", "recours_custody", "recours_custody_head", "recours_timestamps"),
}
# Of what is recorded as JSON: what a delivery and a proof show, the chain of custody, and the money behind a problem.
_NEW_FACTS = (
    "place",
    "label",
    "shown",
    "unproven",
    "custody",
    "keeps_custody",
    "amounts",
    "amounts_at_least",
)
_NEW_COLUMNS = {"pod_account_id", "account_id"}
# Of an account: in recours_account_state, where the version before has it in recours_carriers.
_OF_ACCOUNT = (
    "paused_until",
    "reason",
    "refusals",
    "refused_until",
    "refusal",
    "refusal_kind",
    "refused_claim",
)
# The last two are of texts that have a run's number.
_RANDOM = {"credentials_salt", "credentials_print", "hash", "previous"}
# The schema's number, and what was written at the true time, before the day began.
_LEFT_OUT = {"recours_schema_version", "recours_adoption", "clients"}
# What mails say, which later versions say otherwise; who is written to, when and about what stays.
_WORDING = {"subject", "plain", "html", "message"}
_MASKED = (
    (re.compile(r"\b([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"), "<id>"),
    (re.compile(r"""(['"]hash['"]: ['"])[0-9a-f]{64}"""), r"\1<hash>"),  # of a text that has a run's number
    (re.compile(r"={15}\d+=="), "<boundary>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"recours_test_\w+"), "<database>"),
    # Later versions also say where a parcel without a proof was delivered.
    (re.compile(r"(2026-02-01), LILLE\b"), r"\1"),
    (
        re.compile(
            rf"""(['"])({"|".join(_NEW_FACTS)})\1: (\{{[^{{}}]*\}}|"[^"]*"|'[^']*'|[Tt]rue|[Ff]alse)(, )?"""
        ),
        "",
    ),
    (re.compile(r", \}"), "}"),
    (re.compile(r"^ +resumed on .* by \w+$"), ""),
    (re.compile(r'(: sent), ".*"$'), r"\1"),
)
# What people read of times, which name their zone by now. The rows have them too, and are compared as they are.
_TIME_OF_DAY = r"\d\d:\d\d( [A-Z]{3,4})?"
_FOR_PEOPLE = re.compile(
    rf"\d{{4}}-\d\d-\d\d {_TIME_OF_DAY}|\d{{1,2}} [A-Z][a-z]{{2}}( \d{{4}})?(,? {_TIME_OF_DAY})?|\b{_TIME_OF_DAY}"
)
_LOGGED_AT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - ")


@dataclass
class Day:
    """What it left: what commands printed, files of logs and metrics, mails, and rows by table."""

    printed: list[str] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    mails: list[str] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)


@pytest.mark.full("40 s of processor time; tests/contract and tests/acceptance show the parts")
@pytest.mark.parametrize("predecessor", [LAST], indirect=True, ids=lambda commit: commit[:7])
def test_a_day_with_accounts_of_the_house_only_is_as_it_was_before(
    kind: Kind, predecessor: Predecessor, tmp_path: Path
) -> None:
    before, now = (
        day(version, kind, tmp_path / "house", aside)
        for version, aside in ((predecessor, tmp_path / "before"), (Predecessor(ROOT), tmp_path / "now"))
    )
    assert sum(" SUCCESS: " in line for line in before.printed) > len(CATALOG.specs)
    assert {row["error_kind"] for row in before.rows["recours_attempts"]} >= {"access_denied", "rate_limited"}
    assert any("refusals" in state for state in states_of_carriers(before.rows).values())
    assert len(before.mails) > 2
    assert before.rows.keys() == now.rows.keys() - _NEW_TABLES

    assert now.rows["recours_client_accounts"] == []
    new = [
        row[name]
        for table in ("claims", "recours_attempts")
        for row in now.rows[table]
        for name in row.keys() & _NEW_COLUMNS
    ]
    assert set(new) == {None}
    assert {row["account_id"] for row in now.rows["recours_account_state"]} <= {0}

    of_before, of_now = list(lines_of(before)), list(lines_of(now))
    if of_before != of_now:
        differ = unified_diff(of_before, of_now, "before", "now", lineterm="", n=0)
        pytest.fail("\n".join(line[:500] for line in islice(differ, 100)))


def day(version: Predecessor, kind: Kind, folder: Path, aside: Path) -> Day:
    """By the code of this version. What was written goes `aside`, so that both versions do the same in one place."""
    folder.mkdir()
    found = Day()
    with (
        installed(kind, version, folder, at_first) as life,
        forking("tests.processes.timed", version.root) as forks,
    ):
        life.environment |= {
            "PATH": f"{folder_of_recours()}{os.pathsep}{os.defpath}",
            "RECOURS_HOME": str(folder),
            "RECOURS_METRICS_FILE": str(folder / "metrics.prom"),
            "QUOTA_UPS": "9/hour, 30/day",
        }
        for hour in range(24):
            life.service.clock.advance(timedelta(hours=1))
            if hour == _TROUBLE:
                add_claims(life.service, _CLOSES)
            if hour == _PASSWORD_CHANGES:
                life.service.box.accounts = {DEFAULT_ACCOUNT: "not the house's"}
                add_claims(life.service, _LAST)
            for command in commands_at(hour):
                found.printed += printed_by(forks, life, command)
        found.mails = [f"{to}\n{message.as_string()}" for to, message in life.post.taken]
        found.rows = rows_of(life)
    for path in (*sorted((folder / "logs").glob("*.log")), folder / "metrics.prom"):
        found.files[path.name] = path.read_text(encoding="utf-8").splitlines()
    folder.rename(aside)
    return found


def at_first(service: Service) -> None:
    for number in (1, 2):
        service.sql(
            "INSERT INTO clients (id, email, full_name, company_name, is_active, notification_preferences)"
            " VALUES (?, ?, 'A', 'B', ?, ?)",
            *(number, f"shop{number}@example.com", True, '{"language": "en"}'),
        )
    add_claims(service, {*Scenario} - _SLOW - _CLOSES - _LAST)


def add_claims(service: Service, scenarios: Collection[Scenario]) -> None:
    """Failed and new claims of two clients and of none: of every scenario at one carrier, of some at the others."""
    for place, carrier in enumerate(sorted(CATALOG.specs.keys() - _OTHERWISE)):
        for n, scenario in enumerate(sorted(scenarios)):
            if place and (n + place) % 9:
                continue
            service.add(
                *((scenario, scenario, _S.DELIVERED) if n % 3 else (scenario,)),
                carrier=carrier,
                number=service.box.example(carrier, "99", len(scenarios) * 100 + n),
                claim_reference=f"{carrier} {scenario}",
                client_id=(1, 2, None)[n % 3],
                pod_fetch_status="pending" if n % 2 == place % 2 else "failed",
                response_deadline="2026-02-12" if n % 4 else None,
                failed_at=service.clock.now(),
            )


def commands_at(hour: int) -> Iterator[list[str]]:
    """Both workers, one claim after another so that each version does the same; now and then all that a person may ask."""
    yield from {_PAUSED: [["pause", "gls", "--why", "a strike"]], _RESUMED: [["resume", "gls"]]}.get(hour, [])
    for worker in ("fetch", "retry"):
        yield [worker, "--json", "-v", "--concurrency", "1"]
    if hour == _TROUBLE:
        yield ["plan", "--json"]
    if hour % 12 == 11:
        yield ["status", "--json"]
        yield ["carriers"]
        yield from (["why", f"chronopost {scenario}"] for scenario in (_S.NOT_OURS, _S.AUTH_REFUSED))


def printed_by(forks: Forks, life: Life, command: list[str]) -> list[str]:
    """The lines that a command printed, behind its name and exit status."""
    folder, at = life.service.folder, life.service.clock.now().isoformat()
    outputs = {name: folder / name for name in ("stdout", "stderr")}
    job = {
        "command": ["-m", "recours", *command],
        "environment": life.environment,
        "folder": str(folder),
        "at": at,
        "seconds": 120,
        **{name: str(path) for name, path in outputs.items()},
    }
    lines = [f"{at} {' '.join(command)}: {forks.wait(forks.fork(job))}"]
    for path in outputs.values():
        lines += path.read_text(encoding="utf-8").splitlines()
        path.unlink()
    return lines


def rows_of(life: Life) -> dict[str, list[Row]]:
    with (
        closing(Database(make_url(life.environment["DATABASE_URL"]))) as database,
        database.read() as connection,
    ):
        found = {
            name: connection.execute(text(f'SELECT * FROM "{name}"')).mappings()
            for name in inspect(connection).get_table_names()
        }
        return {name: [dict(row) for row in rows] for name, rows in found.items()}


def lines_of(found: Day) -> Iterator[str]:
    """All of a day, a line each, but for what may differ."""
    printed = (re.sub(" {2,}", "  ", _FOR_PEOPLE.sub("<time>", masked(line))) for line in found.printed)
    yield from filter(None, printed)
    for name, lines in found.files.items():
        yield from (f"{name}: {masked(line)}" for line in lines)
    yield from (mail.splitlines()[0] for mail in found.mails)  # to whom
    for table in sorted(found.rows.keys() - _NEW_TABLES - _LEFT_OUT - {"recours_carriers"}):
        kept = [
            {name: row[name] for name in sorted(row.keys() - _NEW_COLUMNS - _RANDOM - _WORDING)}
            for row in found.rows[table]
        ]
        yield from sorted(f"{table}: {masked(str(row))}" for row in kept)
    for carrier, state in sorted(states_of_carriers(found.rows).items()):
        yield f"{carrier}: {state}"


def masked(line: str) -> str:
    for pattern, mask in _MASKED:
        line = pattern.sub(mask, line)
    return _LOGGED_AT.sub("", line)


def states_of_carriers(rows: dict[str, list[Row]]) -> dict[str, Row]:
    """What is known of each carrier and the house's account there, whichever table has it; nothing of those in order."""
    found = {
        row["carrier"]: {name: row[name] for name in row.keys() - _RANDOM} for row in rows["recours_carriers"]
    }
    for row in rows.get("recours_account_state", []):
        state = found.setdefault(row["carrier"], {"carrier": row["carrier"]})
        state.update({name: row[name] for name in _OF_ACCOUNT if row[name] is not None})
    known = {
        carrier: {name: value for name, value in state.items() if value} for carrier, state in found.items()
    }
    return {carrier: dict(sorted(state.items())) for carrier, state in known.items() if len(state) > 1}
