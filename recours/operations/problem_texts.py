"""What is said of each problem, and of the verdict, in English and French: one table for all who say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recours.core.text import LocalTime, counted
from recours.operations.problems import Problem, ProblemKind, Verdict

_K = ProblemKind


@dataclass(frozen=True)
class ProblemWords:
    """The words of one kind of problem.

    `forms`: the sentence, about one and about several. `remedy`: what to do, with the command that does it.
    Markers: the facts of the problem, and {count}; {since} and {at} (its moment, after a preposition or alone), {next}
    (a sentence about the next try) and {blocked} (a sentence about the claims that wait), each empty if not known.
    """

    short: str
    forms: tuple[str, str]
    remedy: str


def _one(short: str, sentence: str, remedy: str) -> ProblemWords:
    return ProblemWords(short, (sentence, sentence), remedy)


ENGLISH: dict[ProblemKind, ProblemWords] = {
    _K.NEVER_RAN: _one(
        "{worker} has never run",
        "{worker} has never run on this database. It should run every {often}.",
        "recours check",
    ),
    _K.OVERDUE: _one(
        "{worker} is overdue",
        "{worker} has not run{since}. It should run every {often}. Is the machine off, or the schedule disabled?",
        "recours check",
    ),
    _K.RUN_FAILED: _one(
        "{worker} failed",
        "The last run of {worker} ({at}) failed with exit status {exit_status}. Its log says why.",
        "recours check",
    ),
    _K.RUNS_KILLED: ProblemWords(
        "killed runs of {worker}",
        (
            "{count} run of {worker} never ended ({at}): it was killed, or the machine went down.",
            "{count} runs of {worker} never ended, the latest of {at}: they were killed, or the machine went down.",
        ),
        "recours check",
    ),
    _K.CLOCK_AHEAD: ProblemWords(
        "a clock that is ahead",
        (
            "{count} run of {worker} began in the future ({at}): the clock of a machine is or was wrong.",
            "{count} runs of {worker} began in the future, the latest at {at}: the clock of a machine is or was wrong.",
        ),
        "Check the time synchronisation (NTP) of each machine, then: recours prune --future-runs",
    ),
    _K.CREDENTIALS_REJECTED: _one(
        "the credentials of {name}",
        "{name} rejects our credentials ({quote}from {source}).{blocked}{next}",
        "Correct them, then: recours carriers check {carrier}",
    ),
    _K.ACCOUNT_DENIED: _one(
        "the account at {name}",
        "{name} accepts our account but does not let it use this service{quoted}.{blocked}{next}",
        "Ask {name} to enable it, then: recours carriers check {carrier}",
    ),
    _K.NOT_CONFIGURED: _one(
        "{name} has no credentials",
        "{name} has no credentials.{blocked}",
        "Set {missing} in .env, then: recours carriers check {carrier}",
    ),
    _K.CARRIER_PAUSED: _one(
        "{name} is paused",
        "{name} is paused{since}{author}.{blocked}",
        "recours resume {carrier}",
    ),
    _K.OUTAGE: _one(
        "{name} is unavailable",
        "{name} is unavailable: no call has been answered{since}.{blocked}",
        "recours carriers check {carrier}",
    ),
    _K.UNKNOWN_CARRIER: ProblemWords(
        "claims of an unknown carrier",
        (
            "{count} claim names a carrier that recours does not know.",
            "{count} claims name a carrier that recours does not know.",
        ),
        "Correct the carrier in the claims: 'recours export --csv' lists them, 'recours carriers' the names",
    ),
    _K.DEADLINES: ProblemWords(
        "deadlines",
        (
            "{count} claim will not be tried before its deadline: {reference}, due on {day}.",
            "{count} claims will not be tried before their deadlines; the first is {reference}, due on {day}.",
        ),
        "recours why {reference}",
    ),
    _K.NOT_ENROLLED: ProblemWords(
        "claims that are not enrolled",
        (
            "{count} open claim with a tracking number is not enrolled, so no POD is fetched for it.",
            "{count} open claims with a tracking number are not enrolled, so no POD is fetched for them.",
        ),
        "To choose which ones are: recours enroll. To leave them all out: RECOURS_ENROLL_NEW=false",
    ),
    _K.INTERNAL_ERRORS: ProblemWords(
        "internal errors",
        (
            "{count} attempt ended in an internal error of recours since yesterday.",
            "{count} attempts ended in an internal error of recours since yesterday.",
        ),
        "grep -A 20 Traceback logs/*.log",
    ),
    _K.MAILS_WAITING: ProblemWords(
        "mails that cannot be sent",
        (
            "{count} mail has waited for the mail server{since}.",
            "{count} mails have waited for the mail server{since}.",
        ),
        "recours mail test you@example.com",
    ),
    _K.MAILS_HELD: ProblemWords(
        "mails that are held",
        (
            "{count} mail is held by the send limit (RECOURS_MAIL_BRAKE){since}.",
            "{count} mails are held by the send limit (RECOURS_MAIL_BRAKE){since}.",
        ),
        "recours mail release",
    ),
    _K.MAILS_UNDECIDED: ProblemWords(
        "mails that may not have arrived",
        (
            "{count} mail may not have arrived: a run died while sending it.",
            "{count} mails may not have arrived: a run died while sending them.",
        ),
        "Ask the recipients: logs/email_sender.log names them",
    ),
}

FRENCH: dict[ProblemKind, ProblemWords] = {
    _K.NEVER_RAN: _one(
        "{worker} n'a jamais tourné",
        "{worker} n'a jamais tourné sur cette base. Il doit tourner toutes les {often}.",
        "recours check",
    ),
    _K.OVERDUE: _one(
        "{worker} est en retard",
        "{worker} n'a pas tourné{since}. Il doit tourner toutes les {often}. La machine est-elle éteinte, ou la tâche "
        "planifiée désactivée ?",
        "recours check",
    ),
    _K.RUN_FAILED: _one(
        "{worker} a échoué",
        "La dernière exécution de {worker} ({at}) a échoué, code de sortie {exit_status}. Son journal dit pourquoi.",
        "recours check",
    ),
    _K.RUNS_KILLED: ProblemWords(
        "des exécutions de {worker} tuées",
        (
            "{count} exécution de {worker} ({at}) ne s'est pas terminée : elle a été tuée, ou la machine s'est arrêtée.",
            "{count} exécutions de {worker} ne se sont pas terminées, la dernière : {at}. Elles ont été tuées, ou la "
            "machine s'est arrêtée.",
        ),
        "recours check",
    ),
    _K.CLOCK_AHEAD: ProblemWords(
        "une horloge en avance",
        (
            "{count} exécution de {worker} a commencé dans le futur ({at}) : l'horloge d'une machine est ou était fausse.",
            "{count} exécutions de {worker} ont commencé dans le futur, la dernière : {at}. L'horloge d'une machine est ou "
            "était fausse.",
        ),
        "Vérifiez la synchronisation de l'heure (NTP) de chaque machine, puis : recours prune --future-runs",
    ),
    _K.CREDENTIALS_REJECTED: _one(
        "les identifiants {name}",
        "{name} refuse nos identifiants ({quote}source : {source}).{blocked}{next}",
        "Corrigez-les, puis : recours carriers check {carrier}",
    ),
    _K.ACCOUNT_DENIED: _one(
        "le compte {name}",
        "{name} reconnaît notre compte, mais ne lui ouvre pas ce service{quoted}.{blocked}{next}",
        "Demandez l'accès à {name}, puis : recours carriers check {carrier}",
    ),
    _K.NOT_CONFIGURED: _one(
        "{name} sans identifiants",
        "{name} n'a pas d'identifiants.{blocked}",
        "Renseignez {missing} dans .env, puis : recours carriers check {carrier}",
    ),
    _K.CARRIER_PAUSED: _one(
        "{name} en pause",
        "{name} est en pause{since}{author}.{blocked}",
        "recours resume {carrier}",
    ),
    _K.OUTAGE: _one(
        "{name} indisponible",
        "{name} est indisponible : aucun appel n'a reçu de réponse{since}.{blocked}",
        "recours carriers check {carrier}",
    ),
    _K.UNKNOWN_CARRIER: ProblemWords(
        "des réclamations au transporteur inconnu",
        (
            "{count} réclamation porte un transporteur que recours ne connaît pas.",
            "{count} réclamations portent un transporteur que recours ne connaît pas.",
        ),
        "Corrigez le transporteur dans les dossiers : « recours export --csv » les liste, « recours carriers » donne les noms",
    ),
    _K.DEADLINES: ProblemWords(
        "des échéances",
        (
            "{count} réclamation ne sera pas traitée avant son échéance : {reference}, le {day}.",
            "{count} réclamations ne seront pas traitées avant leur échéance ; la première est {reference}, le {day}.",
        ),
        "recours why {reference}",
    ),
    _K.NOT_ENROLLED: ProblemWords(
        "des réclamations non inscrites",
        (
            "{count} réclamation ouverte avec un numéro de suivi n'est pas inscrite : aucune preuve n'est demandée pour elle.",
            "{count} réclamations ouvertes avec un numéro de suivi ne sont pas inscrites : aucune preuve n'est demandée pour "
            "elles.",
        ),
        "Pour choisir lesquelles inscrire : recours enroll. Pour les laisser toutes de côté : RECOURS_ENROLL_NEW=false",
    ),
    _K.INTERNAL_ERRORS: ProblemWords(
        "des erreurs internes",
        (
            "{count} tentative s'est terminée par une erreur interne de recours depuis hier.",
            "{count} tentatives se sont terminées par une erreur interne de recours depuis hier.",
        ),
        "grep -A 20 Traceback logs/*.log",
    ),
    _K.MAILS_WAITING: ProblemWords(
        "des courriels impossibles à envoyer",
        (
            "{count} courriel attend le serveur de courriel{since}.",
            "{count} courriels attendent le serveur de courriel{since}.",
        ),
        "recours mail test vous@example.com",
    ),
    _K.MAILS_HELD: ProblemWords(
        "des courriels retenus",
        (
            "{count} courriel est retenu par la limite d'envoi (RECOURS_MAIL_BRAKE){since}.",
            "{count} courriels sont retenus par la limite d'envoi (RECOURS_MAIL_BRAKE){since}.",
        ),
        "recours mail release",
    ),
    _K.MAILS_UNDECIDED: ProblemWords(
        "des courriels peut-être non arrivés",
        (
            "{count} courriel n'est peut-être pas arrivé : une exécution s'est arrêtée pendant l'envoi.",
            "{count} courriels ne sont peut-être pas arrivés : une exécution s'est arrêtée pendant l'envoi.",
        ),
        "Demandez aux destinataires : logs/email_sender.log donne leurs adresses",
    ),
}

PROBLEMS: dict[str, Mapping[ProblemKind, ProblemWords]] = {"en": ENGLISH, "fr": FRENCH}

VERDICT: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "well": ("All is well: {proofs}, {waiting}, {blocked}.",) * 2,
        "needed": ("{count} thing needs you: {things}.", "{count} things need you: {things}."),
        "proofs": ("{count} proof today", "{count} proofs today"),
        "waiting": ("{count} claim waiting", "{count} claims waiting"),
        "blocked": ("{count} of them until a limit resets", "{count} of them until a limit resets"),
        "nothing_blocked": ("nothing blocked",) * 2,
        "claims": (" {count} claim blocked{since}.", " {count} claims blocked{since}."),
        "next": (" Next try {moment}.",) * 2,
        "next_run": (" Next try: at the next run.",) * 2,
        "since": (" since {moment}",) * 2,
        "author": (" (by {by})",) * 2,
    },
    "fr": {
        "well": ("Tout va bien : {proofs}, {waiting}, {blocked}.",) * 2,
        "needed": (
            "{count} point demande votre attention : {things}.",
            "{count} points demandent votre attention : {things}.",
        ),
        "proofs": ("{count} preuve aujourd'hui", "{count} preuves aujourd'hui"),
        "waiting": ("{count} réclamation en attente", "{count} réclamations en attente"),
        "blocked": (
            "dont {count} jusqu'au renouvellement d'un quota",
            "dont {count} jusqu'au renouvellement d'un quota",
        ),
        "nothing_blocked": ("rien de bloqué",) * 2,
        "claims": (" {count} réclamation bloquée{since}.", " {count} réclamations bloquées{since}."),
        "next": (" Prochain essai le {moment}.",) * 2,
        "next_run": (" Prochain essai à la prochaine exécution.",) * 2,
        "since": (" depuis le {moment}",) * 2,
        "author": (" (par {by})",) * 2,
    },
}


@dataclass(frozen=True)
class VerdictWords:
    """Tells problems and verdicts in one language; `local` turns a moment into the time that people read."""

    language: str
    local: LocalTime

    # ---------------------------------------------------------------- all of it

    def verdict(self, found: Verdict) -> str:
        """The one sentence that says whether all is well."""
        if not found.is_well:
            things = ", ".join(self._filled(self._words(p).short, p, found.at) for p in found.problems)
            return self._say("needed", len(found.problems), things=things)
        more = "+" if found.is_more else ""
        blocked = self._say("blocked", found.blocked) if found.blocked else self._say("nothing_blocked")
        return self._say(
            "well",
            proofs=self._say("proofs", found.proofs_today),
            waiting=self._say("waiting", found.waiting, count=f"{found.waiting}{more}"),
            blocked=blocked,
        )

    def sentence(self, problem: Problem, now: datetime) -> str:
        """What the problem is."""
        form = int(counted(self.language, ("0", "1"), problem.count))
        return self._filled(self._words(problem).forms[form], problem, now)

    def remedy(self, problem: Problem, now: datetime) -> str:
        """What to do: a command, or what must be done before it."""
        return self._filled(self._words(problem).remedy, problem, now)

    def as_json(self, problem: Problem, now: datetime) -> dict[str, Any]:
        """A problem for programs."""
        return {
            **problem.as_facts(),
            "sentence": self.sentence(problem, now),
            "remedy": self.remedy(problem, now),
        }

    # ---------------------------------------------------------------- its parts

    def _words(self, problem: Problem) -> ProblemWords:
        return PROBLEMS[self.language][problem.kind]

    def _filled(self, text: str, problem: Problem, now: datetime) -> str:
        facts = problem.facts
        said = str(facts.get("said", ""))
        quote = f"« {said} »" if self.language == "fr" else f'"{said}"'
        since = self._say("since", moment=self.moment(problem.since, now)) if problem.since else ""
        once = "" if "{since}" in text else since  # said already
        return text.format(
            **{
                **facts,
                "count": problem.count,
                "carrier": problem.carrier,
                "since": since,
                "at": self.moment(problem.since, now, exact=True) if problem.since else "",
                "blocked": self._say("claims", problem.count, since=once) if problem.count else "",
                "next": self._next(problem, now),
                "quote": f"{quote}, " if said else "",
                "quoted": f" ({quote})" if said else "",
                "author": self._say("author", by=facts["by"]) if facts.get("by") else "",
                "often": self._often(facts.get("schedule_minutes", 0)),
                "day": self._day_of(facts.get("deadline", "")),
            }
        )

    def _next(self, problem: Problem, now: datetime) -> str:
        if problem.until is None or problem.until <= now:
            return self._say("next_run")
        return self._say("next", moment=self.moment(problem.until, now, exact=True))

    def _often(self, minutes: object) -> str:
        whole = int(str(minutes))
        if whole % 60 or not whole:
            return f"{whole} min"
        return "60 min" if self.language == "fr" and whole == 60 else f"{whole // 60} h"  # noqa: PLR2004 (an hour)

    def _day_of(self, text: object) -> str:
        try:
            day = datetime.fromisoformat(str(text))
        except ValueError:
            return str(text)
        return self._day(day, with_year=True)

    def moment(self, moment: datetime, now: datetime, *, exact: bool = False) -> str:
        """A moment for people: of today the time, of other days the day; `exact`: both."""
        there, here = self.local(moment), self.local(now)
        is_today = there.date() == here.date()
        if self.language == "fr":
            time = f"{there:%H} h {there:%M}"
            day = self._day(there, with_year=True)
            return f"{day} à {time}" if exact or is_today else day
        day = self._day(there, with_year=there.year != here.year)
        time = f"{there:%H:%M %Z}".strip()
        if is_today:
            return time
        return f"{day} {time}" if exact else day

    def _day(self, day: datetime, *, with_year: bool) -> str:
        if self.language == "fr":
            return f"{day:%d/%m/%Y}"
        return f"{day.day} {day:%b %Y}" if with_year else f"{day.day} {day:%b}"

    def _say(self, key: str, number: int = 0, /, **facts: object) -> str:
        return counted(self.language, VERDICT[self.language][key], number, **facts)
