"""The verdict: the problems for a person, since when, how many claims they affect, and the command to fix them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from recours.accounts.health import AccountHealth, ListedAccount
from recours.core.accounts import ClientAccount, ServiceClient
from recours.core.claim import Claim, Stage
from recours.core.errors import ErrorKind
from recours.core.localized import Localized
from recours.core.mail import MailState
from recours.core.pauses import Blocked, Refusal, Stop
from recours.core.sentences import carrier_message
from recours.core.translations import LANGUAGES
from recours.reporting import checks
from recours.reporting.checks import CheckState
from recours.reporting.problems import PROBLEMS, Problem, ProblemKind, VerdictSentences, problems, verdict
from recours.reporting.system import (
    Backlog,
    CarrierNow,
    Differences,
    FleetStatus,
    MoneyInDispute,
    OverlongBacklog,
    Overview,
    Pile,
    ProblemFacts,
    RefusedPiece,
    Run,
    Tally,
    ToCorrect,
    success_of,
    worker_status,
)

WORKER = "pod_fetch_worker"
NOW = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WORDS = {language: VerdictSentences(language) for language in LANGUAGES}
K = ProblemKind


def run(hours_ago: float, *, ended: bool = True, exit_status: int | None = 0) -> Run:
    began = NOW - hours_ago * HOUR
    return Run(f"run-{hours_ago}", WORKER, began, began if ended else None, exit_status if ended else None)


def system_overview(*, runs: list[Run] | None = None, **more: Any) -> Overview:
    worker = worker_status(WORKER, HOUR, [run(0.5)] if runs is None else runs, NOW)
    return Overview(NOW, [worker], success_of([], []), **{"backlogs": [], "carriers": [], **more})


REFUSED = Refusal(
    Blocked.CARRIER,
    "X rejects our credentials: Invalid Password (credentials from .env)",
    NOW + timedelta(hours=1, minutes=49),
    kind=ErrorKind.AUTH_FAILED,
)
DENIED = REFUSED._replace(reason="X rejects our credentials", kind=ErrorKind.ACCOUNT_DENIED)
NO_CREDENTIALS = Refusal(Blocked.CARRIER, "X has no credentials", kind=ErrorKind.NOT_CONFIGURED)
STOPPED = Refusal(Blocked.CARRIER, "X was paused on …")
AT_LIMIT = Refusal(Blocked.RATE_LIMIT, "X is at its limit", NOW + HOUR)
WAITS = [Backlog("x", {Stage.READY: 30, Stage.NEW: 2, Stage.SETTLED: 9, Stage.GIVEN_UP: 9}, NOW - 2 * DAY)]
SINCE = ProblemFacts(streaks={"x": NOW - 6 * DAY})
LATE = Claim(1, "CLM-7", deadline=date(2026, 11, 28))


def carrier(refusal: Refusal | None = None, *, configured: bool = True, **more: Any) -> CarrierNow:
    return CarrierNow("x", "X", configured, refusal=refusal, source=".env", missing="X_KEY", **more)


def tallies(kind: str | None, count: int) -> tuple[Tally, ...]:
    return (Tally(NOW.date(), "x", 1, "failed" if kind else "success", kind, count),)


def account(number: int, health: AccountHealth, why: str | None = None) -> ListedAccount:
    owned = ClientAccount(number, number, "x", None, NOW, "me", NOW, email=f"c{number}@shop.example")
    return ListedAccount(owned, health, why)


H = AccountHealth
MANY_REFUSED = [account(n, H.REFUSED, "Invalid Password") for n in range(1, 201)]
OF_CLIENTS = [*WAITS, Backlog("x#1", {Stage.READY: 3}), Backlog("x#2", {Stage.WAITING: 1})]

LOG = "tail -n 50 logs/pod_fetch_worker.log"
OVERDUE = "Check that cron, the timer or the task still starts this worker (see its schedule in 'recours check'), then run it manually: recours fetch"
CASES: list[tuple[str, Overview, list[tuple[str, str]]]] = [
    ("well", system_overview(), []),
    ("never ran", system_overview(runs=[]), [("pod_fetch_worker has never run on this database. It should run every hour.", "recours check")]),
    (
        "overdue",
        system_overview(runs=[run(9)]),
        [("pod_fetch_worker has not run since 08:00 UTC. It should run every hour. Is the machine off, or the schedule disabled?", OVERDUE)],
    ),
    (
        "failed",
        system_overview(runs=[run(0.5, exit_status=1)]),
        [("The last run of pod_fetch_worker (16:30 UTC) failed with exit status 1.", f"See the end of its log: {LOG}")],
    ),
    (
        "failed, and the next one has begun",
        system_overview(runs=[run(0.1, ended=False), run(1, exit_status=1)]),
        [("The last run of pod_fetch_worker (16:00 UTC) failed with exit status 1.", f"See the end of its log: {LOG}")],
    ),
    (
        "a run in the future",
        system_overview(runs=[run(-24 * 3500), run(0.5)]),
        [
            (
                "1 run of pod_fetch_worker began in the future (26 Jun 2036, 17:00 UTC): the clock of a machine is or was wrong.",
                "Check the time synchronization (NTP) of each machine; docs/troubleshooting.md explains how to delete these runs",
            )
        ],
    ),
    ("stopped by a person", system_overview(runs=[run(0.5, exit_status=130)]), []),
    (
        "killed",
        system_overview(runs=[run(0.5), run(9, ended=False), run(30, ended=False)]),
        [("2 runs of pod_fetch_worker never ended, the latest at 08:00 UTC: they were killed, or the machine went down.", f"See its log: {LOG}")],
    ),
    (
        "a stalled fleet",
        system_overview(fleet=FleetStatus(NOW - timedelta(minutes=25), is_silent=True)),
        [
            (
                "No long-lived worker has checked for due claims since 16:35 UTC. The workers should check every minute.",
                "Run on each worker's machine: systemctl --user status recours-worker",
            )
        ],
    ),
    ("a fleet that works", system_overview(fleet=FleetStatus(NOW, is_silent=False)), []),
    (
        "credentials",
        system_overview(carriers=[carrier(REFUSED, rejected=REFUSED)], backlogs=WAITS, problem_facts=SINCE),
        [
            (
                'X rejects our credentials ("Invalid Password", from .env). 32 claims blocked since 20 Nov 2026. Next attempt: 18:49 UTC.',
                "Correct the credentials, then run: recours carriers check x",
            )
        ],
    ),
    (
        "credentials, and a retry is due",
        system_overview(carriers=[carrier(rejected=REFUSED._replace(until=NOW - HOUR))], backlogs=WAITS, problem_facts=SINCE),
        [
            (
                'X rejects our credentials ("Invalid Password", from .env). 32 claims blocked since 20 Nov 2026. Next attempt: at the next run.',
                "Correct the credentials, then run: recours carriers check x",
            )
        ],
    ),
    (
        "credentials, and no claim waits",
        system_overview(carriers=[carrier(REFUSED, rejected=REFUSED)]),
        [('X rejects our credentials ("Invalid Password", from .env). Next attempt: 18:49 UTC.', "Correct the credentials, then run: recours carriers check x")],
    ),
    (
        "denied",
        system_overview(carriers=[carrier(DENIED, rejected=DENIED)], backlogs=WAITS, problem_facts=SINCE),
        [
            (
                "X accepts our account but does not let it use this service. 32 claims blocked since 20 Nov 2026. Next attempt: 18:49 UTC.",
                "Ask X to enable the service, then run: recours carriers check x",
            )
        ],
    ),
    (
        "no credentials",
        system_overview(carriers=[carrier(NO_CREDENTIALS, configured=False)], backlogs=WAITS),
        [("X has no credentials. 32 claims blocked since 24 Nov 2026.", "Set X_KEY in .env, then run: recours carriers check x")],
    ),
    ("no credentials, and none wanted", system_overview(carriers=[carrier(NO_CREDENTIALS, configured=False)]), []),
    (
        "paused by a person",
        system_overview(
            carriers=[carrier(STOPPED, stopped=Stop(NOW - 3 * DAY, "by anna: works"))],
            backlogs=WAITS,
        ),
        [('X has been paused since 23 Nov 2026 (by anna: "works"). 32 claims blocked.', "recours resume x")],
    ),
    (
        "paused by a person until a time",
        system_overview(
            carriers=[
                carrier(
                    STOPPED._replace(until=NOW + DAY),
                    stopped=Stop(NOW - 3 * DAY, "by anna: works", NOW + DAY),
                    unavailable_since=NOW - 4 * DAY,
                )
            ],
            backlogs=WAITS,
        ),
        [],
    ),
    ("at its limit", system_overview(carriers=[carrier(AT_LIMIT)], backlogs=WAITS), []),
    (
        "out for days",
        system_overview(
            carriers=[carrier(unavailable_since=NOW - 3 * DAY)],
            backlogs=WAITS,
        ),
        [
            (
                "X is unavailable: no call has been answered since 23 Nov 2026. 32 claims blocked.",
                "recours carriers check x",
            )
        ],
    ),
    (
        "a backlog",
        system_overview(
            carriers=[carrier()],
            backlogs=WAITS,
            problem_facts=ProblemFacts(backlogs={"x": OverlongBacklog(4000, 78, 51, range(900), range(3))}),
        ),
        [
            (
                "The X quota is too small for 4,000 due claims: at 51 claims a day, the last claim will be attempted in 78 days, and 900 "
                "claims will be attempted after their deadlines.",
                "Ask X for a higher rate limit, then raise QUOTA_X. For a forecast: recours plan",
            )
        ],
    ),
    (
        "claims to correct",
        system_overview(
            problem_facts=ProblemFacts(to_correct=[ToCorrect(1, "x", "CLM-7", ""), ToCorrect(2, "x", "CLM-8", "2026-11-28")]),
            money={("to_correct", ""): MoneyInDispute({"EUR": 4210.0})},
        ),
        [
            (
                "2 claims need correction before recours asks their carriers again; in dispute: €4,210.00; nearest deadline: "
                "CLM-8, on 28 Nov 2026.",
                "Correct these claims (the dashboard and 'recours export claims' list them); the next run then asks the carriers",
            )
        ],
    ),
    ("open accounts of clients", system_overview(carriers=[carrier()], accounts=[account(1, H.OPEN), account(2, H.PAUSED)]), []),
    ("accounts of clients that wait", system_overview(carriers=[carrier()], accounts=[account(1, H.PAUSED, "X asked us to wait")]), []),
    (
        "refused accounts of clients",
        system_overview(
            carriers=[carrier()],
            backlogs=OF_CLIENTS,
            accounts=[account(1, H.REFUSED, "X rejects"), account(2, H.REFUSED), account(3, H.OPEN)],
            problem_facts=ProblemFacts(account_streaks={1: NOW - 9 * DAY, 2: NOW - DAY}),
        ),
        [
            (
                "X rejects 2 client accounts (c1@shop.example, c2@shop.example). 4 claims blocked since 17 Nov 2026. Rejected for more "
                "than a week: c1@shop.example.",
                "Ask the clients to correct their credentials, then run: recours accounts check",
            )
        ],
    ),
    (
        "hundreds of refused accounts are one problem",
        system_overview(carriers=[carrier()], accounts=MANY_REFUSED),
        [
            (
                f"X rejects 200 client accounts ({', '.join(f'c{n}@shop.example' for n in range(1, 11))} and 190 more).",
                "Ask the clients to correct their credentials, then run: recours accounts check",
            )
        ],
    ),
    (
        "credentials that no key opens",
        system_overview(carriers=[carrier()], accounts=[account(1, H.UNUSABLE, "No key opens it")]),
        [
            (
                'The X credentials of 1 client account (c1@shop.example) cannot be used ("No key opens it").',
                "recours accounts list",
            )
        ],
    ),
    (
        "clients without any account",
        system_overview(
            carriers=[carrier(NO_CREDENTIALS, configured=False)],
            backlogs=WAITS,
            accounts=[account(9, H.OPEN)],
            problem_facts=ProblemFacts(without_account={"x": [ServiceClient(4, "d@shop.example"), ServiceClient(5, "")]}),
        ),
        [
            (
                "No account with X is set up for 2 clients (d@shop.example, client 5). 32 claims blocked since 24 Nov 2026.",
                "recours accounts add CLIENT x, or set X_KEY in .env for all clients",
            )
        ],
    ),
    (
        "a paused carrier stops the accounts of clients too",
        system_overview(carriers=[carrier(STOPPED, stopped=Stop(NOW - DAY, "by me"))], backlogs=OF_CLIENTS),
        [("X has been paused since 25 Nov 2026 (by me). 36 claims blocked.", "recours resume x")],
    ),
    ("unknown carriers, not looked at", system_overview(backlogs=[Backlog("", {}, unassessed=3)]), []),
    (
        "unknown carriers",
        system_overview(backlogs=[Backlog("", {Stage.READY: 1, Stage.SETTLED: 2, Stage.GIVEN_UP: 5})]),
        [
            (
                "3 claims name a carrier that recours does not know.",
                "Correct the carrier in these claims: 'recours export claims' lists the claims, and 'recours carriers' lists the known carriers",
            )
        ],
    ),
    (
        "deadlines",
        system_overview(problem_facts=ProblemFacts(late=[LATE])),
        [("1 claim will not be attempted before its deadline: CLM-7, due on 28 Nov 2026.", "recours why CLM-7")],
    ),
    (
        "evidence",
        system_overview(problem_facts=ProblemFacts(expiring=[(NOW + 20 * HOUR, LATE), (NOW + 30 * HOUR, LATE)])),
        [
            (
                "2 claims will not be attempted before their carriers delete the parcels' data; the first is CLM-7, on 27 Nov 2026 at the "
                "latest.",
                "recours why CLM-7",
            )
        ],
    ),
    (
        "refused documents of five parcels, and of four",
        system_overview(
            carriers=[carrier()],
            problem_facts=ProblemFacts(refused={
                "x": [RefusedPiece(n // 2, f"/pods/refused/x/{n}.pdf", NOW - n * HOUR) for n in range(2, 12)],
                "y": [RefusedPiece(n, f"/pods/refused/y/{n}.pdf", NOW) for n in range(4)],
            }),
        ),
        [
            (
                "recours rejected documents of 5 X parcels within a day: X may have changed their layout "
                "(2.pdf, 3.pdf, 4.pdf, 5.pdf, 6.pdf).",
                "Look at the files. If they are proofs, accept them: recours attach CLAIM FILE --anyway --why TEXT",
            )
        ],
    ),
    (
        "internal errors",
        system_overview(recent=tallies("internal_error", 3)),
        [("3 attempts have ended in an internal error of recours since yesterday.", "See the tracebacks in the logs: grep -A 20 Traceback logs/*.log")],
    ),
    (
        "mails",
        system_overview(
            mails={
                MailState.READY: Pile(14, NOW - 30 * HOUR, overdue=12),
                MailState.HELD: Pile(1, NOW - HOUR),
                MailState.UNDECIDED: Pile(2, NOW - HOUR),
            }
        ),
        [
            ("12 emails have been waiting for the mail server since 25 Nov 2026.", "recours mail test you@example.com"),
            ("1 email has been held by the send limit (RECOURS_MAIL_BRAKE) since 16:00 UTC.", "recours mail release"),
            (
                "2 emails may not have arrived: a run died while sending them.",
                "Ask the recipients whether the emails arrived; logs/email_sender.log lists their addresses",
            ),
        ],
    ),
    ("mails that wait for the next run", system_overview(mails={MailState.READY: Pile(4, NOW - HOUR)}), []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("overview", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_every_problem_has_a_sentence_and_a_remedy(
    overview: Overview, expected: list[tuple[str, str]]
) -> None:
    overview_problems = problems(overview)
    words = WORDS["en"]
    assert [
        (words.sentence(problem, NOW), words.remedy(problem, NOW)) for problem in overview_problems
    ] == expected
    for problem in overview_problems:
        for language in ("en", "fr"):
            printed = WORDS[language].as_json(problem, NOW)
            assert set(printed) == {
                "kind", "count", "since", "until", "carrier", "facts", "amounts", "amounts_at_least", "sentence", "remedy",
            }  # fmt: skip
            assert "  " not in printed["sentence"]
            assert "{" not in printed["sentence"] + printed["remedy"]


@pytest.mark.parametrize("overview", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_check_reports_every_problem_of_the_verdict(overview: Overview) -> None:
    found = verdict(overview)
    of_worker = list(checks.schedule(WORKER, [], overview.workers[0], Localized("en")))
    lines = [*of_worker[1:], *checks.problems(found, WORDS["en"])]
    assert sum(line.state is CheckState.FAULT for line in lines) == len(found.problems)


def test_every_kind_has_its_text() -> None:
    assert set(PROBLEMS) == set(ProblemKind)


@pytest.mark.parametrize(
    ("overview", "language", "sentence"),
    [
        (system_overview(), "en", "All is well: 0 proofs today, 0 claims in progress, nothing blocked."),
        (system_overview(), "fr", "Tout va bien : 0 preuve aujourd'hui, 0 réclamation en cours, rien de bloqué."),
        (
            system_overview(backlogs=[Backlog("x", {Stage.WAITING: 33}), Backlog("y", {Stage.NEW: 1, Stage.GIVEN_UP: 8})]),
            "en",
            "All is well: 0 proofs today, 34 claims in progress, nothing blocked.",
        ),
        (
            system_overview(backlogs=WAITS, carriers=[carrier(AT_LIMIT)]),
            "en",
            "All is well: 0 proofs today, 32 claims in progress, 32 of them blocked until a limit resets or a pause ends.",
        ),
        (
            replace(system_overview(), success=success_of(tallies(None, 12), [NOW.date() - DAY, NOW.date()])),
            "en",
            "All is well: 12 proofs today, 0 claims in progress, nothing blocked.",
        ),
        (
            system_overview(backlogs=[Backlog("x", {Stage.WAITING: 10_000})]),
            "en",
            "All is well: 0 proofs today, 10,000+ claims in progress, nothing blocked.",
        ),
        (
            system_overview(backlogs=OF_CLIENTS, carriers=[carrier()], accounts=[account(1, H.PAUSED)]),
            "en",
            "All is well: 0 proofs today, 36 claims in progress, 3 of them blocked until a limit resets or a pause ends.",
        ),
        (system_overview(runs=[]), "en", "1 problem needs your attention: pod_fetch_worker has never run."),
        (
            system_overview(runs=[run(9)], carriers=[carrier(REFUSED, rejected=REFUSED)]),
            "en",
            "2 problems need your attention: pod_fetch_worker is overdue, X credentials.",
        ),
        (
            system_overview(runs=[run(9)], carriers=[carrier(REFUSED, rejected=REFUSED)]),
            "fr",
            "2 problèmes demandent votre attention : pod_fetch_worker est en retard, identifiants X.",
        ),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(overview: Overview, language: str, sentence: str) -> None:
    assert WORDS[language].verdict(verdict(overview)) == sentence


def test_a_problem_includes_the_money_in_dispute() -> None:
    overview = system_overview(carriers=[carrier(DENIED)], backlogs=OF_CLIENTS, problem_facts=SINCE)
    (problem,) = problems(overview)
    assert problem.claims.accounts == ["x"]  # its refusal pauses no client account
    assert WORDS["en"].as_json(problem, NOW)["amounts"] == {}
    denied, of_others = MoneyInDispute({"EUR": 12.5}, is_more=True), MoneyInDispute({"EUR": 1})
    money: dict[tuple[str, str], MoneyInDispute] = {
        (K.ACCOUNT_DENIED, "x"): denied,
        (K.ACCOUNT_DENIED, "y"): of_others,
    }
    (problem,) = problems(replace(overview, money=money))
    facts = WORDS["en"].as_json(problem, NOW)
    assert (facts["amounts"], facts["amounts_at_least"]) == ({"EUR": 12.5}, True)


@pytest.mark.parametrize(
    ("language", "problem", "sentence"),
    [
        (
            "fr",
            Problem(K.MAILS_WAITING, 3, NOW - 30 * HOUR),
            "3 e-mails attendent le serveur de messagerie depuis le 25/11/2026.",
        ),
        (
            "fr",
            Problem(
                K.CREDENTIALS_REJECTED,
                32,
                NOW - 6 * DAY,
                NOW + 6 * HOUR,
                "x",
                {"name": "X", "said": "Invalid Password", "source": ".env"},
            ),
            "X refuse nos identifiants (« Invalid Password », source : .env). 32 réclamations bloquées depuis le "
            "20/11/2026. Prochaine tentative à 23 h 00 UTC.",
        ),
        (
            "en",
            Problem(K.MAILS_WAITING, 1, NOW - 400 * DAY),
            "1 email has been waiting for the mail server since 22 Oct 2025.",
        ),
    ],
)
def test_times_are_written_in_the_readers_language(language: str, problem: Problem, sentence: str) -> None:
    assert WORDS[language].sentence(problem, NOW) == sentence


@pytest.mark.parametrize(
    ("recorded_text", "expected"),
    [
        ("Chronopost rejects our credentials: Invalid Password (credentials from .env)", "Invalid Password"),
        ("UPS rejects our credentials (credentials from the environment)", ""),
        ("UPS rejects our credentials", ""),
        ("GLS rejects our credentials: a: b.", "a: b"),
    ],
)
def test_the_carriers_own_words(recorded_text: str, expected: str) -> None:
    assert carrier_message(recorded_text) == expected


def test_rows_that_differ_are_described_in_both_languages() -> None:
    assert WORDS["en"].differences(Differences()) == []
    assert WORDS["en"].differences(Differences(repaired=1, owed=1200)) == [
        "The sweep over all claims had to repair 1 row that differed from its claim.",
        "The results of 1,200 claims have been missing from the service's table for more than an hour.",
    ]
    assert WORDS["fr"].differences(Differences(repaired=2)) == [
        "Le contrôle complet des réclamations a dû corriger 2 lignes qui ne correspondaient plus à leurs réclamations."
    ]
