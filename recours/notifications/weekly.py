"""The weekly report as a mail, in French and English, out of its facts (`recours.operations.weekly.report`).

Its chart is made of table cells: it shows where images are blocked, and the text beside each bar says the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from recours.core.errors import ErrorKind
from recours.core.text import Texts, clean, zone_name
from recours.installation import pasteable
from recours.notifications.render import TEXTS, Branding, Rendered, from_templates
from recours.operations.labels import HIGH_LIMIT, KINDS, quoted, without_last_attempt
from recours.operations.problem_texts import VerdictSentences
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
    """Something that needs a person, in texts, with what it is about."""

    title: str
    lines: Sequence[str] = ()


def render_report(facts: Mapping[str, Any], language: str, head: Branding) -> Rendered:
    """The mail. Foreign text in the facts was cleaned when they were gathered, and is escaped by the template."""
    texts, of_mails = Texts(language, REPORT_TEXTS[language]), Texts(language, TEXTS[language])
    week, this, needed = _number_of(facts["week"]), facts["weeks"][-1], hands_needed(facts)
    percent = _percent(this)
    subject = texts(
        "subject" if percent is not None else "subject_nothing",
        week=week,
        percent=_shown(percent or 0.0, texts),
    )
    if needed:
        subject += texts.counted("subject_hands", needed)
    first, last = (f"{date.fromisoformat(facts[key]):{texts('day')}}" for key in ("from", "to"))
    values: dict[str, Any] = {
        "subject": clean(subject, _LONGEST_SUBJECT),
        "language": language,
        "title": texts("title", week=week),
        "span": texts("span", first=first, last=last),
        "bars": [_bar(week, texts, is_this=week is this) for week in facts["weeks"]],
        "comparison": _comparison(facts["weeks"], texts),
        "left": texts.counted("left", this["left"]) if this["left"] else "",
        "without_last_attempt": without_last_attempt(
            language,
            facts.get("without_last_attempt", 0),
            is_more=facts.get("without_last_attempt_is_more", False),
        ),
        "runs": [(worker["worker"], _runs(worker, texts)) for worker in facts["workers"]],
        "errors": [
            (_kind(error["kind"], texts), error["carrier"], error["count"], error["before"])
            for error in facts["errors"]
        ],
        "usage": [_usage(row, texts) for row in facts["usage"]],
        # Facts that an earlier version kept have none.
        "returns": [(row["carrier"], _return(row, texts)) for row in facts.get("returns", ())],
        "high_limits": [_high_limit(row, texts) for row in facts.get("high_limits", ())],
        "custody": texts("custody", **end) if (end := facts.get("custody")) and end["sequence"] else "",
        "hands": [_point(hand, texts, facts, head) for hand in hands(facts)],
        "texts": texts,
        "service": head.service or of_mails("unknown_service"),
        "automatic": of_mails("automatic"),
        "colon": "\N{NO-BREAK SPACE}:" if language == "fr" else ":",
    }
    return from_templates("weekly", values)


def _kind(kind: str, texts: Texts) -> str:
    return KINDS[texts.language][ErrorKind(kind)] if kind in set(ErrorKind) else kind


def _number_of(label: str) -> str:
    """`6` of `2026-W06`."""
    return label.partition("-W")[2].lstrip("0")


# ---------------------------------------------------------------- the rates


def _percent(*weeks: Mapping[str, Any]) -> float | None:
    success = sum(week["success"] for week in weeks)
    tried = success + sum(week["failed"] for week in weeks)
    return round(100 * success / tried, 1) if tried else None


def _shown(percent: float, texts: Texts) -> str:
    return texts("percent", number=_decimal(percent, texts))


def _decimal(number: float, texts: Texts) -> str:
    return f"{number:.1f}".replace(".", texts("decimal"))


def _bar(week: Mapping[str, Any], texts: Texts, *, is_this: bool) -> _Bar:
    percent = _percent(week)
    value = texts("nothing_tried")
    if percent is not None:
        value = f"{_shown(percent, texts)} ({week['success']}/{week['success'] + week['failed']})"
    filled = _part(percent or 0.0, _TEXT_BAR)
    return _Bar(
        label=texts("week", week=_number_of(week["week"])),
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


def _comparison(weeks: Sequence[Mapping[str, Any]], texts: Texts) -> str:
    *before, this = weeks
    now, then = _percent(this), _percent(*before)
    if then is None:
        return texts("no_comparison")
    if now is None:
        return ""
    points = round(now - then, 1)
    if points == 0:
        return texts("same", percent=_shown(then, texts))
    key, shown = "better" if points > 0 else "worse", _decimal(abs(points), texts)
    return texts.counted(key, points, count=shown, percent=_shown(then, texts))


# ---------------------------------------------------------------- the rest


def _runs(worker: Mapping[str, Any], texts: Texts) -> str:
    if not worker["runs"]:
        return texts("none_ran")
    others = [
        texts.counted(f"ended_{how}", worker[how]) for how in ("failed", "died", "stopped") if worker.get(how)
    ]
    return ", ".join([texts.counted("ran", worker["runs"]), *(others or [texts("all_well")])])


def _usage(row: Mapping[str, Any], texts: Texts) -> tuple[str, str, bool]:
    """Whose limit, how far it was used, and whether it was used up."""
    what = row["calls"] and texts.of("calls_", row["calls"])
    count, _, unit = row["window"].rpartition(" ")
    window = texts.of("window_", unit, count=count)
    told = texts.counted("calls", row["used"], most=row["most"], limit=row["limit"], window=window)
    full = f", {texts.counted('full', row['full'])}" if row["full"] else ""
    return f"{row['carrier']} ({what})" if what else row["carrier"], told + full, bool(row["full"])


def _return(row: Mapping[str, Any], texts: Texts) -> str:
    """`12 proofs with 30 calls, 2.5 for each; 6 for claims that gave up; in dispute: 1 234,50 EUR`."""
    told = texts.counted("proofs", row["proofs"], calls=row["calls"])
    if row["calls_per_proof"] is not None:
        told += texts("for_each", number=_decimal(row["calls_per_proof"], texts))
    if row["calls_in_vain"]:
        told += texts("in_vain", calls=row["calls_in_vain"])
    money = ", ".join(
        f"{_money(amount, texts)} {currency}".strip() for currency, amount in row["secured"].items()
    )
    return told + (texts("secured", money=money) if money else "")


def _money(amount: float, texts: Texts) -> str:
    whole, _, cents = f"{amount:,.2f}".partition(".")
    return whole.replace(",", texts("thousands")) + texts("decimal") + cents


def _high_limit(row: Mapping[str, Any], texts: Texts) -> str:
    count, _, unit = row["window"].rpartition(" ")
    limit = f"{row['limit']} / {texts.of('window_', unit, count=count)}"
    return HIGH_LIMIT[texts.language].format(
        carrier=row["carrier"],
        windows=row["refused_in"],
        limit=limit,
        least=row["refused_after"],
        setting=row["setting"],
    )


def _point(hand: Hand, texts: Texts, facts: Mapping[str, Any], head: Branding) -> _Point:
    about = hand.about
    if hand.what == "problem":
        # What the verdict of `recours status` says at that time, in the same words.
        verdict = VerdictSentences(texts.language, head.zone)
        at, problem = datetime.fromisoformat(facts["at"]), problem_of(about)
        return _Point(verdict.sentence(problem, at), [verdict.remedy(problem, at)])
    if hand.what == "closed":  # a carrier that takes no call
        again = _minute(datetime.fromisoformat(about["until"]), texts, head.zone) if about["until"] else ""
        key, reason = "account" if about["account"] else "closed", about["reason"]
        reason = reason if texts.language == "en" else quoted(texts.language, reason)
        told = texts(key, carrier=about["carrier"], reason=reason)
        return _Point(told, [texts("tried_again", at=again)] if again else [])
    if hand.what == "did_not_run":
        return _Point(texts("did_not_run", worker=about["worker"]))
    if hand.what in ("runs_failed", "runs_died"):
        these = about[hand.what.removeprefix("runs_")]
        return _Point(texts.counted(hand.what, these, worker=about["worker"], runs=about["runs"]))
    return _Point(pasteable(texts.counted(f"hand_{hand.what}", hand.count)), _claims(hand, texts, head.zone))


def _claims(hand: Hand, texts: Texts, zone: tzinfo) -> list[str]:
    """The first of the claims that it is about, if it is about claims."""
    near = hand.what == "deadlines"
    claims = hand.about.get("claims", ())
    lines = [_near(claim, texts, zone) if near else _given_up(claim, texts) for claim in claims]
    more = hand.count - len(lines) if lines else 0
    return [*lines, texts.counted("more", more)] if more else lines


def _near(claim: Mapping[str, Any], texts: Texts, zone: tzinfo) -> str:
    """`CLM-1, Chronopost: 10 Feb 2026, not delivered yet, one last attempt on 09 Feb 2026 18:00 CET, 30 h before the deadline`."""
    if not claim["deadline"]:
        return _claim(claim, _kinds(claim, texts), texts)
    deadline = date.fromisoformat(claim["deadline"])
    said = []
    if last := claim.get("last_attempt"):
        at = datetime.fromisoformat(last)
        end = datetime.combine(deadline + timedelta(days=1), time(), zone)
        hours = round((end.astimezone(UTC) - at.astimezone(UTC)) / timedelta(hours=1))
        said = [texts("last_attempt", at=_minute(at, texts, zone), hours=hours)]
    return _claim(claim, [f"{deadline:{texts('day')}}", *_kinds(claim, texts), *said], texts)


def _minute(at: datetime, texts: Texts, zone: tzinfo) -> str:
    """`09 Feb 2026 18:00 CET`."""
    there = at.astimezone(zone)
    return f"{there:{texts('day')} {texts('time')}} {zone_name(there)}"


def _given_up(claim: Mapping[str, Any], texts: Texts) -> str:
    """`CLM-1, Chronopost: not delivered yet, after a last attempt before its deadline`."""
    said = [texts("after_last_attempt")] if claim.get("last_attempt_made") else []
    return _claim(claim, [*_kinds(claim, texts), *said], texts)


def _kinds(claim: Mapping[str, Any], texts: Texts) -> list[str]:
    return [_kind(claim["kind"], texts)] if claim["kind"] else []


def _claim(claim: Mapping[str, Any], what: Sequence[str], texts: Texts) -> str:
    colon = "\N{NO-BREAK SPACE}:" if texts.language == "fr" else ":"
    about = f"{colon} {', '.join(what)}" if what else ""
    return f"{claim['reference']}, {claim['carrier']}{about}"


# ---------------------------------------------------------------- what it says

# `day` is as in strftime.
REPORT_TEXTS: dict[str, dict[str, Any]] = {
    "fr": {
        "subject": "Preuves de livraison, semaine {week} : {percent} obtenues",
        "subject_nothing": "Preuves de livraison, semaine {week} : aucun essai",
        "subject_hands": ", {count} point{s} à regarder",
        "title": "Preuves de livraison : la semaine {week}",
        "span": "Du {first} au {last}",
        "day": "%d/%m/%Y",
        "time": "à %H h %M",
        "last_attempt": "une dernière tentative est prévue le {at}, {hours} h avant la date limite",
        "after_last_attempt": "après une dernière tentative avant la date limite",
        "decimal": ",",
        "percent": "{number} %",
        "nothing_tried": "aucun essai",
        "rate": "Taux de réussite",
        "rate_means": "Part des essais qui ont rapporté une preuve de livraison.",
        "this_week": "Cette semaine",
        "better": "{count} point{s} de mieux que les quatre semaines précédentes ({percent}).",
        "worse": "{count} point{s} de moins que les quatre semaines précédentes ({percent}).",
        "same": "Comme les quatre semaines précédentes ({percent}).",
        "no_comparison": "Rien à comparer : aucun essai dans les quatre semaines précédentes.",
        "week": "Semaine {week}",
        "left": (
            "{count} essai de plus n'a pas compté : quota, compte ou réseau.",
            "{count} essais de plus n'ont pas compté : quota, compte ou réseau.",
        ),
        "runs": "Exécutions",
        "ran": "{count} exécution{s}",
        "all_well": "toutes terminées normalement",
        "ended_failed": "{count} en échec",
        "ended_died": "{count} sans fin",
        "ended_stopped": "{count} arrêtée{s} avant la fin",
        "none_ran": "aucune exécution de la semaine",
        "errors": "Erreurs qui reviennent",
        "no_errors": "Aucune erreur n'est revenue.",
        "error": "Erreur",
        "count": "Nombre",
        "before": "Semaine d'avant",
        "usage": "Appels et quotas",
        "custody": "Chaîne de conservation : le dernier enregistrement est le n° {sequence}, son empreinte {hash}. Conservez ce courrier : il prouvera que rien n'a été réécrit jusque-là.",
        "no_usage": "Aucun appel compté cette semaine.",
        "calls": "{count} appel{s} ; au plus {most} sur {limit} par {window}",
        "full": "quota épuisé {count} fois",
        "returns": "Ce que les appels ont rapporté",
        "proofs": "{count} preuve{s} pour {calls} appels",
        "for_each": ", soit {number} par preuve",
        "in_vain": " ; {calls} pour des dossiers abandonnés depuis",
        "secured": " ; montants en litige couverts : {money}",
        "thousands": "\N{NO-BREAK SPACE}",
        "hands": "Ce qui demande votre attention",
        "no_hands": "Rien : tout suit son cours.",
        "did_not_run": "{worker} : aucune exécution de la semaine, la tâche planifiée est-elle active ?",
        "runs_failed": (
            "{worker} : {count} exécution sur {runs} a échoué, son journal dit pourquoi",
            "{worker} : {count} exécutions sur {runs} ont échoué, son journal dit pourquoi",
        ),
        "runs_died": "{worker} : {count} exécution{s} sur {runs} sans fin, tuée{s} ou arrêtée{s} avec la machine",
        "hand_given_up": "{count} dossier{s} abandonné{s} cette semaine",
        "hand_unproven": (
            "{count} dossier a reçu cette semaine une preuve qui ne suffit pas dans son litige ; pour savoir ce qui manque : recours why",
            "{count} dossiers ont reçu cette semaine une preuve qui ne suffit pas dans leur litige ; pour savoir ce qui manque : recours why",
        ),
        "hand_deadlines": (
            "{count} dossier attend encore, à moins de 7 jours de son échéance",
            "{count} dossiers attendent encore, à moins de 7 jours de leur échéance",
        ),
        "hand_held": (
            "{count} courriel retenu : « recours mail release » l'envoie",
            "{count} courriels retenus : « recours mail release » les envoie",
        ),
        "hand_undecided": (
            "{count} courriel dont on ne sait s'il est arrivé (logs/email_sender.log)",
            "{count} courriels dont on ne sait s'ils sont arrivés (logs/email_sender.log)",
        ),
        "hand_waiting_mails": (
            "{count} courriel attend le serveur de courriel",
            "{count} courriels attendent le serveur de courriel",
        ),
        "more": "et {count} autre{s}",
        "account": "Compte {carrier} : {reason}",
        "closed": "{carrier} ne prend pas d'appel : {reason}",
        "tried_again": "nouvel essai : {at}",
        "window_day": "jour",
        "window_hour": "heure",
        "window_seconds": "{count} secondes",
        "calls_tracking": "suivi",
        "calls_pod": "preuve",
        "calls_token": "jeton",
    },
    "en": {
        "subject": "Proofs of delivery, week {week}: {percent} obtained",
        "subject_nothing": "Proofs of delivery, week {week}: nothing tried",
        "subject_hands": ", {count} thing{s} to look at",
        "title": "Proofs of delivery: week {week}",
        "span": "From {first} to {last}",
        "day": "%d %b %Y",
        "time": "%H:%M",
        "last_attempt": "one last attempt on {at}, {hours} h before the deadline",
        "after_last_attempt": "after a last attempt before its deadline",
        "decimal": ".",
        "percent": "{number}%",
        "nothing_tried": "nothing tried",
        "rate": "Success rate",
        "rate_means": "The part of the attempts that brought a proof of delivery.",
        "this_week": "This week",
        "better": "{count} point{s} better than the four weeks before ({percent}).",
        "worse": "{count} point{s} worse than the four weeks before ({percent}).",
        "same": "As in the four weeks before ({percent}).",
        "no_comparison": "Nothing to compare with: no attempt in the four weeks before.",
        "week": "Week {week}",
        "left": "{count} more attempt{s} did not count: quota, account or network.",
        "runs": "Runs",
        "ran": "{count} run{s}",
        "all_well": "all went well",
        "ended_failed": "{count} failed",
        "ended_died": "{count} never ended",
        "ended_stopped": "{count} stopped",
        "none_ran": "no run in this week",
        "errors": "Errors that recur",
        "no_errors": "No error came twice.",
        "error": "Error",
        "count": "Count",
        "before": "Week before",
        "usage": "Calls and quotas",
        "custody": "Chain of custody: the last record is {sequence}, its hash {hash}. Keep this mail: it shows later that nothing up to there was written anew.",
        "no_usage": "No call was counted this week.",
        "calls": "{count} call{s}; at most {most} of {limit} per {window}",
        "full": "used up {count} time{s}",
        "returns": "What calls brought",
        "proofs": "{count} proof{s} with {calls} calls",
        "for_each": ", {number} for each",
        "in_vain": "; {calls} for claims that have given up since",
        "secured": "; amounts in dispute secured: {money}",
        "thousands": ",",
        "hands": "What needs you",
        "no_hands": "Nothing: everything is taking its course.",
        "did_not_run": "{worker}: no run in this week: is the scheduled job enabled?",
        "runs_failed": "{worker}: {count} run{s} of {runs} failed, its log says why",
        "runs_died": (
            "{worker}: {count} run of {runs} never ended, it was killed or the machine went down",
            "{worker}: {count} runs of {runs} never ended, they were killed or the machine went down",
        ),
        "hand_given_up": "{count} claim{s} given up this week",
        "hand_unproven": (
            "{count} claim got a proof this week that is not enough in its dispute; to see what is missing: recours why CLAIM",
            "{count} claims got a proof this week that is not enough in their dispute; to see what is missing: recours why CLAIM",
        ),
        "hand_deadlines": (
            "{count} claim still waits, less than 7 days before its deadline",
            "{count} claims still wait, less than 7 days before their deadline",
        ),
        "hand_held": (
            "{count} mail held: 'recours mail release' sends it",
            "{count} mails held: 'recours mail release' sends them",
        ),
        "hand_undecided": (
            "{count} mail that may or may not have arrived (logs/email_sender.log)",
            "{count} mails that may or may not have arrived (logs/email_sender.log)",
        ),
        "hand_waiting_mails": (
            "{count} mail waits for the mail server",
            "{count} mails wait for the mail server",
        ),
        "more": "and {count} more",
        "account": "The account at {carrier}: {reason}",
        "closed": "{carrier} takes no call: {reason}",
        "tried_again": "tried again: {at}",
        "window_day": "day",
        "window_hour": "hour",
        "window_seconds": "{count} seconds",
        "calls_tracking": "tracking",
        "calls_pod": "proof",
        "calls_token": "token",
    },
}
