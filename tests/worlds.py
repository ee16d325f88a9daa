"""Worlds in which something may need the operator, each with the assessment of a person who knew only the facts.

The assessments were written before the code of the verdict and are independent of it. An assessment lists every problem
that needs the operator, with its kind, the carrier and the number of claims. recours must report nothing else.
"""

from dataclasses import dataclass, field
from typing import Any

CHRONOPOST, UPS, COLISSIMO = "chronopost", "ups", "colissimo"


@dataclass(frozen=True)
class Claims:
    """Several identical claims. `deadline_days`: from now, or None for no deadline. `columns`: of recours's rows."""

    count: int
    carrier: str = CHRONOPOST
    deadline_days: int | None = None
    amount: float = 10.0
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """A carrier's answers about some parcels, `hours` ago. `kind` is None for a proof, `calls` 0 for no connection."""

    carrier: str
    parcels: tuple[int, ...]
    hours: tuple[float, ...]
    kind: str | None
    http_status: int | None = None
    calls: int = 1


@dataclass(frozen=True)
class Check:
    """A run of `recours carriers check`. For the `verdict` "not_tried", `kind` is the kind of failure."""

    carrier: str
    hours: float
    verdict: str = "accepted"
    kind: str | None = None


@dataclass(frozen=True)
class World:
    """`assessment`: kind of problem, carrier, number of claims. `money`: the amount in dispute by kind of problem."""

    story: str
    assessment: frozenset[tuple[str, str, int]] = frozenset()
    claims: tuple[Claims, ...] = ()
    answers: tuple[Answers, ...] = ()
    checks: tuple[Check, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    refused: str = ""  # the carrier that rejects our credentials
    failed_run: bool = False
    money: dict[str, float] = field(default_factory=dict)


WAITING = {"stage": "waiting", "kind": "not_delivered_yet", "retries_used": 1}
SETTLED = {"stage": "settled", "kind": "invalid_tracking", "retries_used": 1}
GIVEN_UP_WRONG = {"stage": "given_up", "kind": "invalid_tracking", "retries_used": 4}
GIVEN_UP = {"stage": "given_up", "kind": "timeout", "retries_used": 4}
ALL_DAY = tuple(range(1, 24))
OF_HOURS = tuple(range(1, 6))

WORLDS = {
    "quiet": World(
        "Twenty claims wait for their next attempt; deadlines are a month away; proofs came this morning.",
        claims=(Claims(20, deadline_days=30, columns=WAITING),),
        answers=(Answers(CHRONOPOST, (1, 2, 3), (2,), None),),
    ),
    "three sick parcels": World(
        "For two days Colissimo was asked about three parcels only, and answered HTTP 500 each time: it is not Colissimo.",
        claims=(Claims(3, COLISSIMO, 30, columns=WAITING),),
        answers=(
            Answers(COLISSIMO, (50, 51, 52), (60,), None),
            Answers(COLISSIMO, (1, 2, 3), (47, 40, 23, 8, 2), "server_error", 500),
        ),
    ),
    "an outage": World(
        "UPS has given no answer about eight different parcels for five hours.",
        frozenset({("outage", UPS, 8)}),
        claims=(Claims(8, UPS, 30, columns=WAITING),),
        answers=(
            Answers(UPS, (50,), (7,), None),
            Answers(UPS, tuple(range(1, 9)), OF_HOURS, "timeout"),
        ),
    ),
    "an outage that a good check ended": World(
        "The same, and half an hour ago 'recours carriers check' was answered.",
        claims=(Claims(8, UPS, 30, columns=WAITING),),
        answers=(Answers(UPS, tuple(range(1, 9)), OF_HOURS, "timeout"),),
        checks=(Check(UPS, 0.5),),
    ),
    "an outage that an answer ended": World(
        "The same, and UPS has just said of another parcel that it is not delivered yet.",
        claims=(Claims(8, UPS, 30, columns=WAITING),),
        answers=(
            Answers(UPS, tuple(range(1, 9)), OF_HOURS, "timeout"),
            Answers(UPS, (9,), (0.2,), "not_delivered_yet"),
        ),
    ),
    "out since a moment": World(
        "UPS gave no answer about eight parcels a quarter of an hour ago: the next runs will tell.",
        claims=(Claims(8, UPS, 30, columns=WAITING),),
        answers=(Answers(UPS, tuple(range(1, 9)), (0.3, 0.2), "server_error", 503),),
    ),
    "unreachable, with one claim": World(
        "The only claim at UPS is due. For a day no connection to UPS could be made; a check could not either.",
        frozenset({("outage", UPS, 1)}),
        claims=(Claims(1, UPS, 30, columns={"stage": "ready", "kind": None}),),
        answers=(Answers(UPS, (1,), ALL_DAY, "network", calls=0),),
        checks=(Check(UPS, 0.5, "not_tried", "network"),),
    ),
    "wrong numbers": World(
        "300 claims were imported with invalid numbers; the deadline of 47 of them is in three days.",
        frozenset({("to_correct", "", 300), ("deadlines", "", 47)}),
        claims=(
            Claims(253, deadline_days=40, amount=10.0, columns=SETTLED),
            Claims(47, deadline_days=3, amount=20.0, columns=SETTLED),
            Claims(15, deadline_days=30, columns=WAITING),
        ),
        money={"to_correct": 253 * 10 + 47 * 20, "deadlines": 47 * 20},
    ),
    "wrong numbers, a week later": World(
        "The retries of 300 wrong numbers are over. Corrected, their proofs can still be had: 290 have a month left, 10 are "
        "over. A claim given up because of an outage misses its deadline too, unless somebody has it start over.",
        frozenset({("to_correct", "", 290), ("deadlines", "", 1)}),
        claims=(
            Claims(290, deadline_days=30, columns=GIVEN_UP_WRONG),
            Claims(10, deadline_days=-2, columns=GIVEN_UP_WRONG),
            Claims(1, deadline_days=4, columns=GIVEN_UP),
            Claims(9, deadline_days=30, columns=GIVEN_UP),
        ),
    ),
    "a changed password": World(
        "Chronopost rejects our password; twelve claims wait for it. UPS is fine.",
        frozenset({("credentials_rejected", CHRONOPOST, 12)}),
        claims=(
            Claims(12, deadline_days=30, columns=WAITING),
            Claims(5, UPS, 30, columns=WAITING),
        ),
        answers=(Answers(CHRONOPOST, (1, 2), (30, 6), "auth_failed"), Answers(UPS, (20,), (2,), None)),
        refused=CHRONOPOST,
    ),
    "a backlog": World(
        "400 claims are due at Chronopost, which allows ten calls a day: the last one's turn comes in 40 days, and the "
        "deadlines are in twenty.",
        frozenset({("backlog", CHRONOPOST, 400)}),
        claims=(Claims(400, deadline_days=20, columns={"stage": "ready"}),),
        settings={"QUOTA_CHRONOPOST": "10/day"},
    ),
    "batches that are full": World(
        "750 failed claims are due, and their deadline ends in eleven hours. The scheduler tries 30 in an hour.",
        frozenset({("deadlines", "", 420)}),
        claims=(Claims(750, deadline_days=0, columns={"stage": "ready"}),),
        settings={"QUOTA_CHRONOPOST": "100000/day"},
    ),
    "a backlog that nobody waits for": World(
        "The same quota and thirty claims, whose deadlines are in two months; and the disk was full at the last run.",
        frozenset({("run_failed", "", 1)}),
        claims=(Claims(30, deadline_days=60, columns={"stage": "ready"}),),
        settings={"QUOTA_CHRONOPOST": "10/day"},
        failed_run=True,
    ),
}
