"""All texts for French readers are French, except quotations: a carrier's own words, a command, a name."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from recours.accounts.health import AccountHealth, ListedAccount
from recours.accounts.rules import AccountCheck, CheckVerdict
from recours.core.accounts import ClientAccount
from recours.core.claim import Claim, Stage, State
from recours.core.errors import ErrorKind
from recours.core.localized import Localized
from recours.core.pauses import Blocked, Refusal
from recours.core.position import Evidence, Position, Standing, Why
from recours.core.sentences import OF_CLIENT, Sentence, SentenceParts, sentence
from recours.reporting.advice import advice
from recours.reporting.claim_status import StatusSentences
from recours.reporting.labels import account_reason, check_error, evidence_text, explain_or_quote, reason_of
from recours.reporting.plan import day_in_line_text
from recours.reporting.problems import Problem, ProblemKind, Verdict, VerdictSentences
from recours.reporting.records import ListedClaim
from tests.french import not_french

NOW = datetime(2026, 11, 26, 13, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)
REFERENCE, CARRIER = "CLM-1", "Chronopost"
ENGLISH = "The password was wrong"  # as a carrier may say it


# ---------------------------------------------------------------- the check for English words


UNSET = "CHRONOPOST_ACCOUNT and CHRONOPOST_PASSWORD, or CHRONOPOST_KEY"  # as the settings have it


def test_english_words_are_found_unless_they_are_quoted() -> None:
    words = not_french({f"Refusé : « {ENGLISH} », voir recours carriers check ups", f"Refusé : {ENGLISH}"})
    assert words["wrong"] == words["The"] == {f"Refusé : {ENGLISH}"}


# ---------------------------------------------------------------- texts


CARRIER_SENTENCES = [
    SentenceParts(key, CARRIER, UNSET if words and key is Sentence.NOT_CONFIGURED else words, client)
    for key, words, client in product(Sentence, ("", ENGLISH), ("", "shop@example.com"))
]
# Round brackets contain a day, a place, an example, or a carrier's text about the parcel.
_IN_BRACKETS = re.compile(r"\([^)]*\)")


def test_every_reason_is_french() -> None:
    texts = {sentence("fr", parts) for parts in CARRIER_SENTENCES}
    texts |= {
        sentence("fr", parts, to_client=True)
        for parts in CARRIER_SENTENCES
        if parts.key in OF_CLIENT.values()
    }
    texts |= {explain_or_quote("fr", None, kind, ENGLISH) for kind in (*ErrorKind, None)}
    assert not_french({_IN_BRACKETS.sub("", text) for text in texts}) == {}


REFUSALS = [
    Refusal(why, ENGLISH, until, kind=kind, stopped=stopped, explanation=explanation)
    for why, until, kind, stopped, explanation in product(
        Blocked,
        (None, LATER),
        ErrorKind,
        (False, True),
        (None, SentenceParts(Sentence.UNAVAILABLE, CARRIER, ENGLISH)),
    )
]


def test_every_refusal_of_a_call_is_french() -> None:
    assert not_french({reason_of("fr", refusal, CARRIER) for refusal in REFUSALS}) == {}


def test_a_carrier_that_a_run_stops_calling_is_not_called_paused() -> None:
    failed = Refusal(Blocked.CARRIER, "failed 10 times in a row", kind=ErrorKind.SERVER_ERROR)
    assert reason_of("fr", failed, CARRIER) == "Chronopost : transporteur indisponible"
    paused = Refusal(Blocked.CARRIER, "paused by anna", stopped=True)
    assert reason_of("fr", paused, CARRIER) == "Chronopost a été mis en pause manuellement"


def statuses() -> Iterator[str]:
    sentences = StatusSentences("fr")
    turns = (None, LATER.date())
    refusals = [None, *REFUSALS[::7]]
    for standing, why, is_due, number in product(Standing, Why, (False, True), (None, "XY1")):
        for kind, refusal, turn in zip(ErrorKind, refusals, turns * 13, strict=False):
            claim = Claim(
                1, REFERENCE, carrier_name=CARRIER, carrier="chronopost", number=number, error_text=ENGLISH
            )
            claim = replace(claim, state=State(stage=Stage.WAITING, kind=kind, next_at=LATER))
            where = Position(
                standing, claim.state, why, LATER, kind, refusal=refusal, is_due=is_due, is_last=is_due
            )
            where = replace(where, evidence=Evidence(LATER, is_over=is_due, counts=True))
            listed = ListedClaim(claim, fetched_at=NOW)
            yield sentences.status(
                listed, where, carrier=CARRIER, asked_count=3, not_before=turn, now=NOW
            ).sentence


def test_every_status_sentence_is_in_french() -> None:
    texts = set(statuses())
    assert len(texts) > 100
    assert not_french(texts) == {}


def test_every_advice_is_french() -> None:
    texts: set[str] = set()
    for why, kind, stage, is_refused in product(Why, (None, *ErrorKind), Stage, (False, True)):
        claim = Claim(
            1,
            REFERENCE,
            client_id=5,
            client_text="5",
            carrier_name=CARRIER,
            carrier="chronopost",
            account=int(is_refused),
        )
        where = Position(
            Standing.WAITING, State(stage=stage), why, kind=kind, refusal=REFUSALS[-1] if is_refused else None
        )
        for (carrier, client), possible in product(
            ((CARRIER, ""), ("", "shop@example.com")), (frozenset(), {"enroll", "fetch", "reopen"})
        ):
            texts |= set(advice("fr", claim, where, carrier, client, possible))
    assert len(texts) > 30
    assert not_french({text.removesuffix(".") for text in texts}) == {}


FACTS: dict[str, str | int] = {
    "worker": "pod_fetch_worker", "schedule_minutes": 60, "exit_status": 1, "name": CARRIER, "said": ENGLISH,
    "source": "the environment and .env", "missing": UNSET,
    "by": "anna", "reference": REFERENCE, "deadline": "2026-12-01",
    "clients": 2, "clients_named": "a@shop.example", "clients_more": 1, "accounts": 1, "accounts_named": "client 5",
    "long": 1, "long_named": "client 5", "files": REFERENCE, "days": 78, "late": 900, "pace": 51, "setting": "QUOTA_CHRONOPOST",
}  # fmt: skip


def problems() -> Iterator[Problem]:
    for kind, count, since, until in product(
        ProblemKind, (1, 2, 12_000), (None, NOW - timedelta(hours=1), NOW - timedelta(days=9)), (None, LATER)
    ):
        yield Problem(kind, count, since, until, "chronopost", FACTS)


def test_every_problem_and_its_remedy_is_french() -> None:
    sentences = VerdictSentences("fr")
    texts = {
        text
        for problem in problems()
        for text in (sentences.sentence(problem, NOW), sentences.remedy(problem, NOW))
    }
    assert not_french({text.replace("anna", "") for text in texts}) == {}


def test_the_verdict_is_french() -> None:
    sentences = VerdictSentences("fr")
    verdicts = [
        Verdict(NOW, list({problem.kind: problem for problem in problems()}.values()), 0, 0, 0),
        *(Verdict(NOW, (), n, n, n, is_more=bool(n)) for n in (0, 1, 2000)),
    ]
    assert not_french({sentences.verdict(verdict) for verdict in verdicts}) == {}


def test_the_health_and_the_checks_of_accounts_are_french() -> None:
    account = ClientAccount(1, 5, "chronopost", None, NOW, "anna", NOW)
    recorded_reason = f"Chronopost rejects the credentials of client 5: {ENGLISH}"
    whys = (None, ENGLISH, recorded_reason)
    texts = {
        account_reason("fr", ListedAccount(account, health, why, until))
        for health, why, until in product(AccountHealth, whys, (None, LATER))
    }
    assert f"« {ENGLISH} »" in texts
    for verdict, parts in product(CheckVerdict, (None, *CARRIER_SENTENCES)):
        texts.add(_IN_BRACKETS.sub("", check_error("fr", AccountCheck(verdict, None, ENGLISH, parts))))
    assert not_french(texts) == {}


def test_a_place_in_line_and_the_end_of_evidence_are_french() -> None:
    french = Localized("fr")
    texts = {day_in_line_text(french, (NOW + timedelta(days=n)).date(), NOW) for n in range(3)}
    texts |= {evidence_text(french, Evidence(LATER, over, counts=True), CARRIER) for over in (False, True)}
    assert not_french(texts) == {}
