"""Each problem that the page can deal with has the button for it."""

from recours.dashboard.fixes import fixes_of
from recours.dashboard.texts import TEXTS
from recours.operations.problems import OF_CLAIMS, Problem, ProblemKind

K = ProblemKind
# What is done on the machine itself, by the command that the page names.
ON_THE_MACHINE = {K.NEVER_RAN, K.OVERDUE, K.FLEET_SILENT}


def test_every_problem_has_a_button_or_is_of_the_machine() -> None:
    for kind in ProblemKind:
        fixes = fixes_of(Problem(kind, carrier="dhl_express"))
        addresses = [fix.address for fix in fixes]
        assert (kind in OF_CLAIMS) == any(one.startswith(f"/claims?problem={kind}") for one in addresses), (
            kind
        )
        assert bool(fixes) == (kind not in ON_THE_MACHINE), kind
        for fix in fixes:
            assert all(fix.label in texts for texts in TEXTS.values())
            assert fix.address.startswith(("/claims?", "/carriers", "/mails", "#runs"))


def test_no_list_is_offered_of_no_claims() -> None:
    assert [fix.label for fix in fixes_of(Problem(K.OUTAGE, 0, carrier="ups"))] == [
        "fix_check_credentials",
        "fix_carrier",
    ]


def test_what_is_done_at_once_names_the_carrier() -> None:
    resume, *_ = fixes_of(Problem(K.CARRIER_PAUSED, carrier="ups"))
    assert (resume.address, resume.fields) == ("/carriers/resume", {"carrier": "ups"})
