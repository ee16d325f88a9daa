"""Each problem that the dashboard can solve has a button."""

import pytest

from recours.core.translations import LANGUAGES, translate
from recours.dashboard.overview import fixes_of, split_command
from recours.reporting.problems import OF_CLAIMS, PROBLEMS, Problem, ProblemKind

K = ProblemKind


def test_every_problem_has_a_button_or_a_command() -> None:
    for kind in ProblemKind:
        fixes = fixes_of(Problem(kind, carrier="dhl_express"))
        addresses = [fix.address for fix in fixes]
        assert (kind in OF_CLAIMS) == any(one.startswith(f"/claims?problem={kind}") for one in addresses), (
            kind
        )
        assert fixes or PROBLEMS[kind].is_typed, kind
        for fix in fixes:
            assert translate("fr", fix.label) != fix.label
            assert fix.address.startswith(("/claims?", "/carriers", "/mails", "#runs"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_terminal_commands_are_split_from_the_remedy(language: str) -> None:
    typed = {
        K.NEVER_RAN: "recours check",
        K.OVERDUE: "recours {command}",
        K.RUN_FAILED: "tail -n 50 logs/{worker}.log",
        K.RUNS_KILLED: "tail -n 50 logs/{worker}.log",
        K.FLEET_SILENT: "systemctl --user status recours-worker",
        K.INTERNAL_ERRORS: "grep -A 20 Traceback logs/*.log",
    }
    for kind in ProblemKind:
        problem = Problem(kind)
        remedy = translate(language, PROBLEMS[kind].remedy)
        before, command = split_command(problem, remedy)
        assert command == typed.get(kind, "")
        assert f"{before} {command}".strip() == remedy


def test_a_stopped_worker_links_to_its_waiting_claims() -> None:
    addresses = [
        fixes_of(Problem(kind, facts={"worker": worker} if worker else {}))[0].address
        for kind, worker in (
            (K.NEVER_RAN, "pod_fetch_worker"),
            (K.OVERDUE, "pod_retry_scheduler"),
            (K.FLEET_SILENT, ""),
        )
    ]
    assert addresses == [
        "/claims?status=pending",
        "/claims?status=failed&sort=next_try",
        "/claims?status=pending&status=failed&sort=next_try",
    ]


def test_a_problem_without_claims_has_no_link_to_a_list() -> None:
    assert [fix.label for fix in fixes_of(Problem(K.OUTAGE, 0, carrier="ups"))] == [
        "Check credentials",
        "Go to the carrier",
    ]


def test_the_resume_button_names_the_carrier() -> None:
    resume, *_ = fixes_of(Problem(K.CARRIER_PAUSED, carrier="ups"))
    assert (resume.address, resume.fields) == ("/carriers/resume", {"carrier": "ups"})
