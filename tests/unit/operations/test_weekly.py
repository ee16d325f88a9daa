"""The weekly report's facts and words, without a database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.core.appraisal import Shown
from recours.core.claim import Claim
from recours.core.errors import ErrorKind
from recours.notifications.render import Branding
from recours.notifications.weekly import REPORT_TEXTS, render_report
from recours.operations.labels import KINDS
from recours.operations.records import ListedClaim, Tally
from recours.operations.weekly import Sources, Week, hands_needed, has_something_to_tell, report
from tests.unit.operations.test_claim_evidence import LETTER

PARIS = ZoneInfo("Europe/Paris")


def facts(**more: Any) -> dict[str, Any]:
    weeks = [
        {"week": f"2026-W0{n}", "from": "2026-01-05", "success": 0, "failed": 0, "left": 0}
        for n in range(2, 7)
    ]
    nothing = {"count": 0, "claims": []}
    return {
        "week": "2026-W06",
        "from": "2026-02-02",
        "to": "2026-02-08",
        "weeks": weeks,
        "workers": [{"worker": "w", "runs": 1, "failed": 0, "died": 0, "ran_before": False}],
        "errors": [],
        "usage": [],
        "given_up": nothing,
        "deadlines": nothing,
        "closed": [],
        "held": 0,
        "waiting_mails": 0,
        "undecided": 0,
    } | more


def rates(*pairs: tuple[int, int]) -> list[dict[str, Any]]:
    weeks = facts()["weeks"]
    return [
        week | {"success": success, "failed": failed}
        for week, (success, failed) in zip(weeks, pairs, strict=True)
    ]


# ---------------------------------------------------------------- the week


def test_a_week_has_all_its_hours_also_when_the_clock_changes() -> None:
    spring, autumn = Week(date(2026, 3, 23), PARIS), Week(date(2026, 10, 19), PARIS)
    assert spring.start == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert spring.end - spring.start == timedelta(hours=167)
    assert autumn.end - autumn.start == timedelta(hours=169)
    assert [spring.days[0], spring.days[-1]] == [date(2026, 3, 23), date(2026, 3, 29)]
    assert spring.before(4).label == "2026-W09"


@pytest.mark.parametrize("beside", ["sampled", "tracked"])
def test_what_is_beside_the_attempts_is_no_error_of_the_week(beside: str) -> None:
    week = Week(date(2026, 2, 2), PARIS)
    tallies = [Tally(week.monday, "dpd", 4, outcome, "network", 9) for outcome in ("failed", beside)]
    records, of_week = Mock(), Mock()
    records.tallies = lambda days, _zone: tallies if week.monday in days else []
    records.runs.return_value = records.spent.return_value = records.with_evidence.return_value = []
    of_week.given_up.return_value = of_week.near_deadline.return_value = []
    found = report(week, week.end, Sources(records, of_week, [], {}, CATALOG))
    assert [(row["kind"], row["count"]) for row in found["errors"]] == [("network", 9)]
    assert found["weeks"][-1]["failed"] == 9


def test_proofs_that_do_not_suffice_in_their_dispute_are_counted_and_named() -> None:
    def listed(reference: str, dispute: str, pod_url: str | None = "/pods/a.pdf") -> ListedClaim:
        return ListedClaim(Claim(1, reference, carrier_name="DPD", carrier="dpd"), pod_url, dispute=dispute)

    unsigned = replace(LETTER, shown=Shown(is_readable=True, number=True, has_signature=False))
    records, of_week = Mock(), Mock()
    records.tallies.return_value = records.runs.return_value = records.spent.return_value = []
    of_week.given_up.return_value = of_week.near_deadline.return_value = []
    records.with_evidence.return_value = [
        (listed("CLM-1", "lost"), [LETTER]),
        (listed("CLM-2", "lost"), [unsigned]),
        (listed("CLM-3", "lost", None), [unsigned]),  # it has no proof at all, which is another matter
        (listed("CLM-4", "something else"), [unsigned]),
        (listed("CLM-5", "lost"), [replace(LETTER, shown=Shown())]),  # a scan: nobody knows
        (listed("CLM-6", "damaged"), [unsigned]),
        (listed("CLM-7", "damaged"), [LETTER]),  # no proof of delivery shows a parcel's condition
    ]
    week = Week(date(2026, 2, 2), PARIS)
    found = report(week, week.end, Sources(records, of_week, [], {}, CATALOG))
    assert records.with_evidence.call_args.args == (week.start, week.end)
    assert [claim["reference"] for claim in found["unproven"]["claims"]] == ["CLM-2", "CLM-6"]
    assert hands_needed(found) == 2
    english, french = (render_report(found, language, Branding()).plain for language in ("en", "fr"))
    assert "2 claims got a proof this week that is not enough in their dispute" in english
    assert "2 dossiers ont reçu cette semaine une preuve qui ne suffit pas dans leur litige" in french
    del found["unproven"]
    assert hands_needed(found) == 0, "of an earlier version"


# ---------------------------------------------------------------- what there is to tell


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"workers": [{"runs": 0, "ran_before": False}]}, False),
        ({"workers": [{"runs": 1, "ran_before": False}]}, True),
        ({"workers": [{"runs": 0, "ran_before": True}]}, True),
        ({"workers": [], "weeks": rates((0, 0), (0, 1), (0, 0), (0, 0), (0, 0))}, True),
    ],
)
def test_a_database_in_which_nothing_happened_has_nothing_to_tell(more: dict[str, Any], told: bool) -> None:
    assert has_something_to_tell(facts(**more)) is told


def test_hands_are_counted() -> None:
    assert hands_needed(facts()) == 0
    busy = facts(
        given_up={"count": 3, "claims": []},
        deadlines={"count": 2, "claims": []},
        closed=[{}],
        held=4,
        undecided=1,
        waiting_mails=9,
    )
    assert hands_needed(busy) == 20
    assert hands_needed(facts(workers=[{"runs": 0}, {"runs": 5}])) == 1


WORKER = {"worker": "pod_retry_scheduler", "runs": 168, "failed": 0, "died": 0, "ran_before": True}


@pytest.mark.parametrize(
    ("more", "count", "in_english", "in_french"),
    [
        ({"workers": [WORKER | {"runs": 0}]}, 1,
            "pod_retry_scheduler: no run in this week: is the scheduled job enabled?",
            "pod_retry_scheduler : aucune exécution de la semaine, la tâche planifiée est-elle active ?"),
        ({"workers": [WORKER | {"failed": 168}]}, 1,
            "pod_retry_scheduler: 168 runs of 168 failed, its log says why",
            "pod_retry_scheduler : 168 exécutions sur 168 ont échoué, son journal dit pourquoi"),
        ({"workers": [WORKER | {"failed": 1}]}, 1,
            "pod_retry_scheduler: 1 run of 168 failed, its log says why",
            "pod_retry_scheduler : 1 exécution sur 168 a échoué, son journal dit pourquoi"),
        ({"workers": [WORKER | {"died": 2}]}, 1,
            "pod_retry_scheduler: 2 runs of 168 never ended, they were killed or the machine went down",
            "pod_retry_scheduler : 2 exécutions sur 168 sans fin, tuées ou arrêtées avec la machine"),
        ({"waiting_mails": 2}, 2, "2 mails wait for the mail server", "2 courriels attendent le serveur de courriel"),
        ({"held": 1}, 1, "1 mail held", "1 courriel retenu"),
    ],
)  # fmt: skip
def test_what_is_counted_is_listed(more: dict[str, Any], count: int, in_english: str, in_french: str) -> None:
    things = {
        "en": "1 thing" if count == 1 else f"{count} things",
        "fr": "1 point" if count == 1 else f"{count} points",
    }
    for language, line in (("en", in_english), ("fr", in_french)):
        told = render_report(facts(**more), language, Branding())
        assert f", {things[language]} " in told.subject
        assert f"* {line}" in told.plain.replace("\N{NO-BREAK SPACE}", " ")
        assert REPORT_TEXTS[language]["no_hands"] not in told.plain + told.html


def test_runs_that_were_stopped_are_told_and_need_no_hand() -> None:
    told = render_report(facts(workers=[WORKER | {"stopped": 1}]), "en", Branding())
    assert "to look at" not in told.subject
    assert "* pod_retry_scheduler: 168 runs, 1 stopped" in told.plain


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (((0, 0), (0, 0), (0, 0), (0, 0), (1, 1)), "Nothing to compare with"),
        (((1, 1), (0, 0), (0, 0), (1, 1), (1, 1)), "As in the four weeks before (50.0%)."),
        (((1, 1), (0, 0), (0, 0), (1, 1), (3, 1)), "25.0 points better than the four weeks before (50.0%)."),
        (((1, 0), (1, 0), (0, 3), (0, 0), (1, 3)), "15.0 points worse than the four weeks before (40.0%)."),
        (((1, 1), (0, 0), (0, 0), (1, 1), (51, 49)), "1.0 point better than the four weeks before (50.0%)."),
    ],
)
def test_this_week_is_compared_with_the_four_before_by_their_attempts(
    pairs: tuple[tuple[int, int], ...], says: str
) -> None:
    assert says in render_report(facts(weeks=rates(*pairs)), "en", Branding()).plain


@pytest.mark.parametrize(
    ("this", "says"),
    [((103, 97), "1,5 point de mieux"), ((97, 103), "1,5 point de moins"), ((52, 48), "2,0 points")],
)
def test_in_french_less_than_two_is_one(this: tuple[int, int], says: str) -> None:
    weeks = rates((1, 1), (0, 0), (0, 0), (1, 1), this)
    assert says in render_report(facts(weeks=weeks), "fr", Branding()).plain


@pytest.mark.parametrize(
    ("language", "used", "says"),
    [
        ("en", 1, "DPD: 1 call;"),
        ("en", 2, "DPD: 2 calls;"),
        ("fr", 1, "DPD : 1 appel ;"),
        ("fr", 2, "2 appels ;"),
    ],
)
def test_one_call_is_one(language: str, used: int, says: str) -> None:
    row = {"carrier": "DPD", "calls": "", "window": "day", "limit": 9, "used": used, "most": used, "full": 0}
    told = render_report(facts(usage=[row]), language, Branding()).plain.replace("\N{NO-BREAK SPACE}", " ")
    assert says in told


def test_bars_end_where_the_figures_do() -> None:
    told = render_report(facts(weeks=rates((0, 5), (5, 0), (1, 199), (199, 1), (0, 0))), "en", Branding())
    drawn = [line.split()[2] for line in told.plain.splitlines() if line.startswith("  Week")]
    assert drawn == ["." * 20, "#" * 20, "#" + "." * 19, "#" * 19 + ".", "." * 20]
    assert told.html.count('width="100%" height') == 3  # all, and twice nothing
    assert "nothing tried" in told.html


@pytest.mark.parametrize("language", REPORT_TEXTS)
def test_each_form_says_what_it_counts(language: str) -> None:
    """One thing and several; every kind of error; a kind that a later version wrote."""
    claims = [
        {"reference": f"CLM-{kind}", "carrier": "DPD", "kind": kind, "deadline": "2026-02-10"}
        for kind in [*ErrorKind, "of_tomorrow", None]
    ]
    for count in (1, 7):
        told = render_report(
            facts(
                weeks=rates((1, 1), (0, 0), (0, 0), (1, 1), (3, 1)),
                errors=[{"kind": kind, "carrier": "DPD", "count": count, "before": 0} for kind in ErrorKind],
                usage=[
                    {
                        "carrier": "DPD",
                        "calls": "pod",
                        "window": window,
                        "limit": 9,
                        "used": 9,
                        "most": 9,
                        "full": count,
                    }
                    for window in ("day", "hour", "7200 seconds")
                ],
                workers=[{"worker": "w", "runs": count, "failed": count, "died": count, "ran_before": True}],
                given_up={"count": len(claims) + count, "claims": claims},
                deadlines={"count": count, "claims": claims[:count]},
                closed=[
                    {"carrier": "DPD", "account": True, "reason": "no", "until": "2026-02-10T08:00:00+01:00"}
                ],
                held=count,
                undecided=count,
                waiting_mails=count,
            ),
            language,
            Branding("Shop"),
        )
        for part in (told.plain, told.html):
            assert "{" not in part.partition("</style>")[2] if part is told.html else "{" not in part
            assert "CLM-of_tomorrow" in part
            assert str(count) in part
        for text in KINDS[language].values():
            assert text in told.plain


# ---------------------------------------------------------------- what calls brought

RETURN = {
    "carrier": "Chronopost",
    "calls": 30,
    "proofs": 12,
    "calls_per_proof": 2.5,
    "calls_in_vain": 6,
    "secured": {"EUR": 1234.5},
}
HIGH = {
    "carrier": "Chronopost", "limit": 100, "window": "day", "refused_in": 2, "refused_after": 62,
    "setting": "QUOTA_CHRONOPOST=62/day@Europe/Paris",
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "en",
            [
                "* Chronopost: 12 proofs with 30 calls, 2.5 for each; 6 for claims that have given up since; "
                "amounts in dispute secured: 1,234.50 EUR",
                "! Chronopost refused calls as too many in 2 windows before our limit (100 / day) was reached, the earliest "
                "after 62. If it lasts, lower the limit: QUOTA_CHRONOPOST=62/day@Europe/Paris",
            ],
        ),
        (
            "fr",
            [
                "* Chronopost\N{NO-BREAK SPACE}: 12 preuves pour 30 appels, soit 2,5 par preuve ; 6 pour des dossiers "
                "abandonnés depuis ; montants en litige couverts : 1\N{NO-BREAK SPACE}234,50 EUR",
                "! Chronopost a refusé des appels, trop nombreux, dans 2 périodes avant notre limite (100 / jour), au plus tôt "
                "après 62. Si cela dure, abaissez la limite : QUOTA_CHRONOPOST=62/day@Europe/Paris",
            ],
        ),
    ],
)
def test_it_says_what_calls_brought_and_which_limit_is_too_high(language: str, says: list[str]) -> None:
    mail = render_report(facts(returns=[RETURN], high_limits=[HIGH]), language, Branding())
    lines = [line for line in mail.plain.splitlines() if line.startswith(("* Chronopost", "! "))]
    assert lines == says
    assert "62/day@Europe/Paris" in mail.html


def test_facts_that_an_earlier_version_kept_say_nothing_of_it() -> None:
    assert "What calls brought" not in render_report(facts(), "en", Branding()).plain


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_says_what_a_last_attempt_would_have_brought(language: str) -> None:
    more = facts(without_last_attempt=14, without_last_attempt_is_more=True)
    at_least = {"en": "At least 14", "fr": "Au moins 14"}[language]
    assert at_least in render_report(more, language, Branding(zone=PARIS)).plain
    assert at_least not in render_report(facts(without_last_attempt=14), language, Branding(zone=PARIS)).plain
    for count, is_said in ((14, True), (0, False)):
        mail = render_report(facts(without_last_attempt=count), language, Branding(zone=PARIS))
        for text in (mail.plain, mail.html):
            assert ("RECOURS_LAST_ATTEMPT_HOURS=30" in text) is is_said
    assert "RECOURS" not in render_report(facts(), language, Branding(zone=PARIS)).plain


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "tried again: 10 Feb 2026 09:00 CET"), ("fr", "nouvel essai : 10/02/2026 à 09 h 00 CET")],
)
def test_when_a_carrier_is_tried_again_is_in_the_reader_s_zone_and_names_it(language: str, said: str) -> None:
    closed = {"carrier": "DPD", "account": False, "reason": "no", "until": "2026-02-10T08:00:00+00:00"}
    mail = render_report(facts(closed=[closed]), language, Branding(zone=PARIS))
    assert said in " ".join(mail.plain.split())


# ---------------------------------------------------------------- last attempts

WAITS = {
    "reference": "CLM-1",
    "carrier": "UPS",
    "kind": "not_delivered_yet",
    "deadline": "2026-03-30",
    "last_attempt": "2026-03-29T16:00:00+00:00",
    "last_attempt_made": False,
}


@pytest.mark.parametrize(
    ("language", "waits", "gave_up"),
    [
        (
            "en",
            "- CLM-1, UPS: 30 Mar 2026, not delivered yet, one last attempt on 29 Mar 2026 18:00 CEST, 30 h before the deadline",
            "- CLM-1, UPS: not delivered yet, after a last attempt before its deadline",
        ),
        (
            "fr",
            "- CLM-1, UPS\N{NO-BREAK SPACE}: 30/03/2026, pas encore livré, une dernière tentative est prévue le 29/03/2026 à "
            "18 h 00 CEST, 30 h avant la date limite",
            "- CLM-1, UPS\N{NO-BREAK SPACE}: pas encore livré, après une dernière tentative avant la date limite",
        ),
    ],
)
def test_claims_near_their_deadline_have_their_last_attempt_named(
    language: str, waits: str, gave_up: str
) -> None:
    near = {"count": 1, "claims": [WAITS]}
    over = {"count": 1, "claims": [WAITS | {"last_attempt": None, "last_attempt_made": True}]}
    plain = render_report(facts(deadlines=near, given_up=over), language, Branding(zone=PARIS)).plain
    assert f"  {waits}\n" in plain
    assert f"  {gave_up}\n" in plain


def test_claims_of_facts_that_an_earlier_version_kept_say_nothing_of_last_attempts() -> None:
    kept = {name: value for name, value in WAITS.items() if not name.startswith("last_attempt")}
    both = {"count": 1, "claims": [kept]}
    plain = render_report(facts(deadlines=both, given_up=both), "en", Branding(zone=PARIS)).plain
    assert "- CLM-1, UPS: 30 Mar 2026, not delivered yet\n" in plain
    assert "last attempt" not in plain
