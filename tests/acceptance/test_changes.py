"""Changes of a claim besides its attempts are recorded: from the run or command that causes them to `recours why`."""

import getpass
import json
import re
from datetime import timedelta
from typing import Any

from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.acceptance.test_acting import give_up

FOREVER = (Scenario.UNKNOWN,) * 40
ME = getpass.getuser()


def changes(service: Service) -> list[tuple[int, str, str, Any]]:
    found = service.sql("SELECT claim_id, what, by, details FROM recours_changes ORDER BY id")
    return [
        (claim, what, by, json.loads(data) if isinstance(data, str) else data)
        for claim, what, by, data in found
    ]


def test_edits_payments_and_decisions_are_recorded_and_shown(service: Service, person: Person) -> None:
    claim = service.add(*FOREVER, response_deadline="2026-06-01")
    service.add(*FOREVER)
    give_up(service)
    assert changes(service) == []

    person.does("reopen", "CLM-0001")
    service.run()
    service.sql("UPDATE claims SET response_deadline = '2026-07-01' WHERE id = ?", claim)
    service.clock.advance(timedelta(minutes=1))
    service.run()
    service.sql("UPDATE claims SET status = 'paid' WHERE id = ?", claim)
    service.clock.advance(timedelta(days=1))
    service.run()
    service.sql("UPDATE claims SET status = 'appealed' WHERE id = ?", claim)
    service.clock.advance(timedelta(minutes=1))
    service.run(PODFetchWorker)
    person.does("exclude", "CLM-0001", "--why", "handled by phone")
    service.run()
    person.does("enroll", "CLM-0001")
    service.run(PODFetchWorker)
    service.run()
    expected = [
        ("reopened", ME, {}),
        ("edited", "service", {"deadline": ["2026-06-01", "2026-07-01"]}),
        ("set_aside", "service", {"status": "paid"}),
        ("resumed", "service", {"status": "appealed"}),
        ("excluded", ME, {"why": "handled by phone"}),
        ("enrolled", ME, {}),
    ]
    assert changes(service) == [(claim, *rest) for rest in expected]

    found = person.json("why", "CLM-0001")["changes"]
    assert [(one["what"], one["by"], one["details"]) for one in found] == expected
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", one["at"]) for one in found)
    shown = person.does("why", "CLM-0001")
    for line in (
        rf"Reopened +{ME}",
        r"Edited: deadline 1 Jun 2026 → 1 Jul 2026 +the service",
        r"No longer needed: claim status 'paid' +the service",
        r"Needed again: claim status 'appealed' +the service",
        rf"Excluded: 'handled by phone' +{ME}",
        rf"Enrolled +{ME}",
    ):
        assert re.search(rf"\d\d? \w{{3}} \d{{4}}, \d\d:\d\d CES?T +{line}", shown), (line, shown)
    assert ME not in person.does("why", "CLM-0002")
