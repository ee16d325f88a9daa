"""The weekly report as a mail, out of its facts (`recours.operations.weekly.report`).

Its chart is made of table cells: it shows where images are blocked, and the text beside each bar says the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from recours.core.text import clean, counted
from recours.notifications.render import Branding, Rendered, environment
from recours.notifications.texts import WORDS
from recours.notifications.weekly_texts import REPORT_WORDS, ReportWords
from recours.operations.problem_texts import VerdictWords
from recours.operations.problems import problem_of
from recours.operations.weekly import Hand, hands, hands_needed

_LONGEST_SUBJECT = 150
_TEXT_BAR = 20  # signs


@dataclass(frozen=True)
class _Bar:
    """A week in the chart. `width`: percent of the whole; `drawn`: the same for a plain text."""

    label: str
    width: int
    value: str
    is_this: bool
    drawn: str


@dataclass(frozen=True)
class _Point:
    """Something that needs a hand, in words, with what it is about."""

    title: str
    lines: Sequence[str] = ()


def render_report(facts: Mapping[str, Any], language: str, head: Branding) -> Rendered:
    """The mail. Foreign text in the facts was cleaned when they were gathered, and is escaped by the template."""
    words = REPORT_WORDS[language]
    subject = clean(_subject(facts, words), _LONGEST_SUBJECT)
    first, last = (f"{date.fromisoformat(facts[key]):{words.day}}" for key in ("from", "to"))
    values: dict[str, Any] = {
        "subject": subject,
        "language": language,
        "title": words.title.format(week=_number_of(facts["week"])),
        "span": words.span.format(first=first, last=last),
        "bars": [_bar(week, words, is_this=week is facts["weeks"][-1]) for week in facts["weeks"]],
        "comparison": _comparison(facts["weeks"], words),
        "left": counted(language, words.left, facts["weeks"][-1]["left"])
        if facts["weeks"][-1]["left"]
        else "",
        "runs": [(worker["worker"], _runs(worker, words)) for worker in facts["workers"]],
        "errors": [
            (words.kinds.get(error["kind"], error["kind"]), error["carrier"], error["count"], error["before"])
            for error in facts["errors"]
        ],
        "usage": [_usage(row, words) for row in facts["usage"]],
        "hands": [_point(hand, words, facts, head) for hand in hands(facts)],
        "words": words,
        "mail_words": WORDS[language],
        "service": head.service or WORDS[language].unknown_service,
        "colon": "\N{NO-BREAK SPACE}:" if language == "fr" else ":",
    }
    texts = environment()
    return Rendered(
        subject,
        texts.get_template("weekly.txt.j2").render(values),
        texts.get_template("weekly.html.j2").render(values),
    )


def _subject(facts: Mapping[str, Any], words: ReportWords) -> str:
    week, percent = _number_of(facts["week"]), _percent(facts["weeks"][-1])
    told = words.subject_nothing if percent is None else words.subject
    needed = hands_needed(facts)
    more = counted(words.language, words.subject_hands, needed) if needed else ""
    return told.format(week=week, percent=_shown(percent or 0.0, words)) + more


def _number_of(label: str) -> str:
    """`6` of `2026-W06`."""
    return label.partition("-W")[2].lstrip("0")


# ---------------------------------------------------------------- the rates


def _percent(*weeks: Mapping[str, Any]) -> float | None:
    success = sum(week["success"] for week in weeks)
    tried = success + sum(week["failed"] for week in weeks)
    return round(100 * success / tried, 1) if tried else None


def _shown(percent: float, words: ReportWords) -> str:
    return words.percent.format(number=_decimal(percent, words))


def _decimal(number: float, words: ReportWords) -> str:
    return f"{number:.1f}".replace(".", words.decimal)


def _bar(week: Mapping[str, Any], words: ReportWords, *, is_this: bool) -> _Bar:
    percent = _percent(week)
    value = words.nothing_tried
    if percent is not None:
        value = f"{_shown(percent, words)} ({week['success']}/{week['success'] + week['failed']})"
    filled = _part(percent or 0.0, _TEXT_BAR)
    return _Bar(
        label=words.week.format(week=_number_of(week["week"])),
        width=_part(percent or 0.0, 100),
        value=value,
        is_this=is_this,
        drawn="#" * filled + "." * (_TEXT_BAR - filled),
    )


def _part(percent: float, whole: int) -> int:
    """So much of a bar. Only nothing is drawn as nothing, and only all as all."""
    if percent in (0.0, 100.0):
        return whole if percent else 0
    return min(max(round(percent * whole / 100), 1), whole - 1)


def _comparison(weeks: Sequence[Mapping[str, Any]], words: ReportWords) -> str:
    *before, this = weeks
    now, then = _percent(this), _percent(*before)
    if then is None:
        return words.no_comparison
    if now is None:
        return ""
    points = round(now - then, 1)
    if points == 0:
        return words.same.format(percent=_shown(then, words))
    forms, shown = words.better if points > 0 else words.worse, _decimal(abs(points), words)
    return counted(words.language, forms, points, count=shown, percent=_shown(then, words))


# ---------------------------------------------------------------- the rest


def _runs(worker: Mapping[str, Any], words: ReportWords) -> str:
    if not worker["runs"]:
        return words.none_ran
    ways = {"failed": words.failed, "died": words.died, "stopped": words.stopped}
    others = [counted(words.language, forms, worker[key]) for key, forms in ways.items() if worker.get(key)]
    return ", ".join([counted(words.language, words.ran, worker["runs"]), *(others or [words.all_well])])


def _usage(row: Mapping[str, Any], words: ReportWords) -> tuple[str, str, bool]:
    """Whose limit, how far it was used, and whether it was used up."""
    what = words.capabilities.get(row["calls"], row["calls"])
    count, _, unit = row["window"].rpartition(" ")
    window = words.windows.get(unit, unit).format(count=count)
    most = {"most": row["most"], "limit": row["limit"], "window": window}
    told = counted(words.language, words.calls, row["used"], **most)
    full = f", {counted(words.language, words.full, row['full'])}" if row["full"] else ""
    return f"{row['carrier']} ({what})" if what else row["carrier"], told + full, bool(row["full"])


def _point(hand: Hand, words: ReportWords, facts: Mapping[str, Any], head: Branding) -> _Point:
    about = hand.about
    if hand.what == "problem":
        return _problem(about, words, datetime.fromisoformat(facts["at"]), head)
    if hand.what == "closed":
        return _closed(about, words)
    if hand.what == "did_not_run":
        return _Point(words.did_not_run.format(worker=about["worker"]))
    if hand.what in ("runs_failed", "runs_died"):
        runs, these = about["runs"], about[hand.what.removeprefix("runs_")]
        return _Point(
            counted(words.language, words.of_runs[hand.what], these, worker=about["worker"], runs=runs)
        )
    return _Point(counted(words.language, words.hands_of[hand.what], hand.count), _claims(hand, words))


def _problem(kept: Mapping[str, Any], words: ReportWords, at: datetime, head: Branding) -> _Point:
    """What the verdict of `recours status` says at that moment, in the same words."""
    told, problem = (
        VerdictWords(words.language, lambda moment: moment.astimezone(head.zone)),
        problem_of(kept),
    )
    return _Point(told.sentence(problem, at), [told.remedy(problem, at)])


def _closed(closed: Mapping[str, Any], words: ReportWords) -> _Point:
    """A carrier that takes no call."""
    told = words.account if closed["account"] else words.closed
    lines = []
    if closed["until"]:
        moment = f"{datetime.fromisoformat(closed['until']):{words.day} %H:%M}"
        lines = [words.tried_again.format(moment=moment)]
    return _Point(told.format(carrier=closed["carrier"], reason=closed["reason"]), lines)


def _claims(hand: Hand, words: ReportWords) -> list[str]:
    """The first of the claims that it is about, if it is about claims."""
    lines = [
        _claim(claim, words, with_deadline=hand.what == "deadlines") for claim in hand.about.get("claims", ())
    ]
    more = hand.count - len(lines) if lines else 0
    return [*lines, counted(words.language, words.more, more)] if more else lines


def _claim(claim: Mapping[str, Any], words: ReportWords, *, with_deadline: bool) -> str:
    """`CLM-1, Chronopost: 10/02/2026, not delivered yet`."""
    colon = "\N{NO-BREAK SPACE}:" if words.language == "fr" else ":"
    deadline = f"{date.fromisoformat(claim['deadline']):{words.day}}" if claim["deadline"] else ""
    what = [deadline] if with_deadline and deadline else []
    what += [words.kinds.get(claim["kind"], claim["kind"])] if claim["kind"] else []
    about = f"{colon} {', '.join(what)}" if what else ""
    return f"{claim['reference']}, {claim['carrier']}{about}"
