"""What is said of each problem, and of the verdict, in English and French: one table for all who say it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from recours.core.localized import Localized
from recours.core.text import names_text
from recours.host.installation import pasteable
from recours.operations.schedule import SUBCOMMANDS
from recours.reporting.labels import author_text, quoted
from recours.reporting.problems import Problem, ProblemKind, Verdict
from recours.reporting.records import Differences

_K = ProblemKind


@dataclass(frozen=True)
class ProblemText:
    """What is said of one kind of problem.

    `remedy`: what to do, with the command that does it. `one`, `several`: the sentence, by how many things it is about.
    Markers: the facts of the problem, and {count}; {since} and {at} (its time, after a preposition or alone), {next}
    (a sentence about the next try) and {blocked} (a sentence about the claims that wait), each empty if not known.
    """

    short: str
    remedy: str
    one: str
    several: str = ""  # "": as for one


PROBLEMS: dict[str, Mapping[ProblemKind, ProblemText]] = {
    "en": {
        _K.NEVER_RAN: ProblemText(
            "{worker} has never run",
            "recours check",
            "{worker} has never run on this database. It should run every {often}.",
        ),
        _K.OVERDUE: ProblemText(
            "{worker} is overdue",
            "See whether cron, the timer or the task still starts it (recours check); then try it by hand: recours {command}",
            "{worker} has not run{since}. It should run every {often}. Is the machine off, or the schedule disabled?",
        ),
        _K.RUN_FAILED: ProblemText(
            "{worker} failed",
            "The end of its log says why: tail -n 50 logs/{worker}.log",
            "The last run of {worker} ({at}) failed with exit status {exit_status}.",
        ),
        _K.RUNS_KILLED: ProblemText(
            "killed runs of {worker}",
            "See what its log says: tail -n 50 logs/{worker}.log",
            "{count} run of {worker} never ended ({at}): it was killed, or the machine went down.",
            "{count} runs of {worker} never ended, the latest of {at}: they were killed, or the machine went down.",
        ),
        _K.CLOCK_AHEAD: ProblemText(
            "a clock that is ahead",
            "Check the time synchronisation (NTP) of each machine; docs/troubleshooting.md says how to delete these runs",
            "{count} run of {worker} began in the future ({at}): the clock of a machine is or was wrong.",
            "{count} runs of {worker} began in the future, the latest at {at}: the clock of a machine is or was wrong.",
        ),
        _K.FLEET_SILENT: ProblemText(
            "long-lived workers that stand still",
            "On each of their machines: systemctl --user status recours-worker",
            "No long-lived worker has looked for claims that are due{since}. One should every minute.",
        ),
        _K.CREDENTIALS_REJECTED: ProblemText(
            "the credentials of {name}",
            "Correct them, then: recours carriers check {carrier}",
            "{name} rejects our credentials ({quote}from {source}).{blocked}{next}",
        ),
        _K.ACCOUNT_DENIED: ProblemText(
            "the account at {name}",
            "Ask {name} to enable it, then: recours carriers check {carrier}",
            "{name} accepts our account but does not let it use this service{quoted}.{blocked}{next}",
        ),
        _K.NOT_CONFIGURED: ProblemText(
            "{name} has no credentials",
            "Set {missing} in .env, then: recours carriers check {carrier}",
            "{name} has no credentials.{blocked}",
        ),
        _K.NO_ACCOUNT: ProblemText(
            "no account at {name}",
            "recours accounts add CLIENT {carrier}, or set {missing} in .env for all clients",
            "There is no account at {name} for {clients}.{blocked}",
        ),
        _K.ACCOUNTS_REFUSED: ProblemText(
            "accounts of clients at {name}",
            "Ask the clients to correct them, then: recours accounts check",
            "{name} refuses {accounts}.{blocked}{long}",
        ),
        _K.ACCOUNTS_UNUSABLE: ProblemText(
            "credentials of clients at {name}",
            "recours accounts list",
            "The credentials of {accounts} at {name} cannot be used{quoted}.{blocked}",
        ),
        _K.CARRIER_PAUSED: ProblemText(
            "{name} is paused",
            "recours resume {carrier}",
            "{name} is paused{since}{author}.{blocked}",
        ),
        _K.OUTAGE: ProblemText(
            "{name} is unavailable",
            "recours carriers check {carrier}",
            "{name} is unavailable: no call has been answered{since}.{blocked}",
        ),
        _K.BACKLOG: ProblemText(
            "{name}'s backlog",
            "Ask {name} for more calls, then raise {setting}. What comes when: recours plan",
            "At this pace ({pace} a day) the last of {count} due claims at {name} is tried in {days} days, and {late} of them "
            "after their deadline: the quota is the limit.",
        ),
        _K.UNKNOWN_CARRIER: ProblemText(
            "claims of an unknown carrier",
            "Correct the carrier in the claims: 'recours export --csv' lists them, 'recours carriers' the names",
            "{count} claim names a carrier that recours does not know.",
            "{count} claims name a carrier that recours does not know.",
        ),
        _K.TO_CORRECT: ProblemText(
            "claims to correct",
            "The page lists them; 'recours export --csv' too. Corrected, they are tried by the next run",
            "{count} claim is not asked for until it is corrected{money}{nearest}.",
            "{count} claims are not asked for until they are corrected{money}{nearest}.",
        ),
        _K.DEADLINES: ProblemText(
            "deadlines",
            "recours why {reference}",
            "{count} claim will not be tried before its deadline: {reference}, due on {day}.",
            "{count} claims will not be tried before their deadlines; the first is {reference}, due on {day}.",
        ),
        _K.EVIDENCE: ProblemText(
            "evidence that vanishes",
            "recours why {reference}",
            "{count} claim will not be tried before its carrier forgets the parcel: {reference}, on {day} at the latest.",
            "{count} claims will not be tried before their carriers forget the parcels; the first is {reference}, on {day} at "
            "the latest.",
        ),
        _K.REFUSED_DOCUMENTS: ProblemText(
            "refused documents of {name}",
            "Look at the files. If they are proofs, say so: recours attach CLAIM FILE --anyway --why TEXT",
            "Documents of {count} parcels of {name} were refused within a day: it may have changed its layout ({files}).",
        ),
        _K.NOT_ENROLLED: ProblemText(
            "claims that are not enrolled",
            "To choose which ones are: recours enroll. To leave them all out: RECOURS_ENROLL_NEW=false",
            "{count} open claim with a tracking number is not enrolled, so no POD is fetched for it.",
            "{count} open claims with a tracking number are not enrolled, so no POD is fetched for them.",
        ),
        _K.INTERNAL_ERRORS: ProblemText(
            "internal errors",
            "grep -A 20 Traceback logs/*.log",
            "{count} attempt ended in an internal error of recours since yesterday.",
            "{count} attempts ended in an internal error of recours since yesterday.",
        ),
        _K.MAILS_WAITING: ProblemText(
            "mails that cannot be sent",
            "recours mail test you@example.com",
            "{count} mail has waited for the mail server{since}.",
            "{count} mails have waited for the mail server{since}.",
        ),
        _K.MAILS_HELD: ProblemText(
            "mails that are held",
            "recours mail release",
            "{count} mail is held by the send limit (RECOURS_MAIL_BRAKE){since}.",
            "{count} mails are held by the send limit (RECOURS_MAIL_BRAKE){since}.",
        ),
        _K.MAILS_UNDECIDED: ProblemText(
            "mails that may not have arrived",
            "Ask the recipients: logs/email_sender.log names them",
            "{count} mail may not have arrived: a run died while sending it.",
            "{count} mails may not have arrived: a run died while sending them.",
        ),
    },
    "fr": {
        _K.NEVER_RAN: ProblemText(
            "{worker} n'a jamais tourné",
            "recours check",
            "{worker} n'a jamais tourné sur cette base. Il doit tourner toutes les {often}.",
        ),
        _K.OVERDUE: ProblemText(
            "{worker} est en retard",
            "Voyez si cron, la minuterie ou la tâche le lance encore (recours check), puis essayez à la main : recours {command}",
            "{worker} n'a pas tourné{since}. Il doit tourner toutes les {often}. La machine est-elle éteinte, ou la tâche "
            "planifiée désactivée ?",
        ),
        _K.RUN_FAILED: ProblemText(
            "{worker} a échoué",
            "La fin de son journal dit pourquoi : tail -n 50 logs/{worker}.log",
            "La dernière exécution de {worker} ({at}) a échoué, code de sortie {exit_status}.",
        ),
        _K.RUNS_KILLED: ProblemText(
            "des exécutions de {worker} tuées",
            "Voyez ce qu'en dit son journal : tail -n 50 logs/{worker}.log",
            "{count} exécution de {worker} ({at}) ne s'est pas terminée : elle a été tuée, ou la machine s'est arrêtée.",
            "{count} exécutions de {worker} ne se sont pas terminées, la dernière : {at}. Elles ont été tuées, ou la "
            "machine s'est arrêtée.",
        ),
        _K.CLOCK_AHEAD: ProblemText(
            "une horloge en avance",
            "Vérifiez la synchronisation de l'heure (NTP) de chaque machine ; le manuel dit comment effacer ces exécutions",
            "{count} exécution de {worker} a commencé dans le futur ({at}) : l'horloge d'une machine est ou était fausse.",
            "{count} exécutions de {worker} ont commencé dans le futur, la dernière : {at}. L'horloge d'une machine est ou "
            "était fausse.",
        ),
        _K.FLEET_SILENT: ProblemText(
            "des processus « recours worker » à l'arrêt",
            "Sur chacune de leurs machines : systemctl --user status recours-worker",
            "Aucun processus « recours worker » n'a cherché les réclamations à traiter{since}. L'un d'eux doit le faire "
            "chaque minute.",
        ),
        _K.CREDENTIALS_REJECTED: ProblemText(
            "les identifiants {name}",
            "Corrigez-les, puis : recours carriers check {carrier}",
            "{name} refuse nos identifiants ({quote}source : {source}).{blocked}{next}",
        ),
        _K.ACCOUNT_DENIED: ProblemText(
            "le compte {name}",
            "Demandez l'accès à {name}, puis : recours carriers check {carrier}",
            "{name} reconnaît notre compte, mais ne lui ouvre pas ce service{quoted}.{blocked}{next}",
        ),
        _K.NOT_CONFIGURED: ProblemText(
            "{name} sans identifiants",
            "Renseignez {missing} dans .env, puis : recours carriers check {carrier}",
            "{name} n'a pas d'identifiants.{blocked}",
        ),
        _K.NO_ACCOUNT: ProblemText(
            "aucun compte {name}",
            "recours accounts add CLIENT {carrier}, ou renseignez {missing} dans .env pour tous les clients",
            "Aucun compte {name} pour {clients}.{blocked}",
        ),
        _K.ACCOUNTS_REFUSED: ProblemText(
            "des comptes de clients chez {name}",
            "Demandez aux clients de les corriger, puis : recours accounts check",
            "{name} refuse {accounts}.{blocked}{long}",
        ),
        _K.ACCOUNTS_UNUSABLE: ProblemText(
            "des identifiants de clients chez {name}",
            "recours accounts list",
            "Les identifiants de {accounts} chez {name} sont inutilisables.{blocked}",
        ),
        _K.CARRIER_PAUSED: ProblemText(
            "{name} en pause",
            "recours resume {carrier}",
            "{name} est en pause{since}{author}.{blocked}",
        ),
        _K.OUTAGE: ProblemText(
            "{name} indisponible",
            "recours carriers check {carrier}",
            "{name} est indisponible : aucun appel n'a reçu de réponse{since}.{blocked}",
        ),
        _K.BACKLOG: ProblemText(
            "la file d'attente {name}",
            "Demandez à {name} un quota plus élevé, puis augmentez {setting}. Pour prévoir la suite : recours plan",
            "À ce rythme ({pace} par jour), la dernière des {count} réclamations {name} à traiter passe dans {days} jours, et "
            "{late} d'entre elles après leur échéance : c'est le quota qui limite.",
        ),
        _K.UNKNOWN_CARRIER: ProblemText(
            "des réclamations au transporteur inconnu",
            "Corrigez le transporteur dans les dossiers : « recours export --csv » les liste, « recours carriers » donne les noms",
            "{count} réclamation porte un transporteur que recours ne connaît pas.",
            "{count} réclamations portent un transporteur que recours ne connaît pas.",
        ),
        _K.TO_CORRECT: ProblemText(
            "des réclamations à corriger",
            "La page les liste, « recours export --csv » aussi. Une fois corrigées, la prochaine exécution les reprend",
            "{count} réclamation attend une correction : le transporteur n'est plus interrogé{money}{nearest}.",
            "{count} réclamations attendent une correction : le transporteur n'est plus interrogé{money}{nearest}.",
        ),
        _K.DEADLINES: ProblemText(
            "des échéances",
            "recours why {reference}",
            "{count} réclamation ne sera pas traitée avant son échéance : {reference}, le {day}.",
            "{count} réclamations ne seront pas traitées avant leur échéance ; la première est {reference}, le {day}.",
        ),
        _K.EVIDENCE: ProblemText(
            "des preuves bientôt effacées",
            "recours why {reference}",
            "{count} réclamation ne sera pas traitée avant que le transporteur n'efface les données du colis : {reference}, le "
            "{day} au plus tard.",
            "{count} réclamations ne seront pas traitées avant que le transporteur n'efface les données des colis ; la "
            "première est {reference}, le {day} au plus tard.",
        ),
        _K.REFUSED_DOCUMENTS: ProblemText(
            "des documents refusés de {name}",
            "Regardez les fichiers. Si ce sont des preuves, dites-le : recours attach RÉCLAMATION FICHIER --anyway --why MOTIF",
            "Les documents de {count} colis de {name} ont été refusés en une journée : sa mise en page a peut-être changé "
            "({files}).",
        ),
        _K.NOT_ENROLLED: ProblemText(
            "des réclamations non inscrites",
            "Pour choisir lesquelles inscrire : recours enroll. Pour les laisser toutes de côté : RECOURS_ENROLL_NEW=false",
            "{count} réclamation ouverte avec un numéro de suivi n'est pas inscrite : aucune preuve n'est demandée pour elle.",
            "{count} réclamations ouvertes avec un numéro de suivi ne sont pas inscrites : aucune preuve n'est demandée pour "
            "elles.",
        ),
        _K.INTERNAL_ERRORS: ProblemText(
            "des erreurs internes",
            "grep -A 20 Traceback logs/*.log",
            "{count} tentative s'est terminée par une erreur interne de recours depuis hier.",
            "{count} tentatives se sont terminées par une erreur interne de recours depuis hier.",
        ),
        _K.MAILS_WAITING: ProblemText(
            "des courriels impossibles à envoyer",
            "recours mail test vous@example.com",
            "{count} courriel attend le serveur de courriel{since}.",
            "{count} courriels attendent le serveur de courriel{since}.",
        ),
        _K.MAILS_HELD: ProblemText(
            "des courriels retenus",
            "recours mail release",
            "{count} courriel est retenu par la limite d'envoi (RECOURS_MAIL_BRAKE){since}.",
            "{count} courriels sont retenus par la limite d'envoi (RECOURS_MAIL_BRAKE){since}.",
        ),
        _K.MAILS_UNDECIDED: ProblemText(
            "des courriels peut-être non arrivés",
            "Demandez aux destinataires : logs/email_sender.log donne leurs adresses",
            "{count} courriel n'est peut-être pas arrivé : une exécution s'est arrêtée pendant l'envoi.",
            "{count} courriels ne sont peut-être pas arrivés : une exécution s'est arrêtée pendant l'envoi.",
        ),
    },
}

VERDICT: dict[str, dict[str, str | tuple[str, str]]] = {
    "en": {
        "well": "All is well: {proofs}, {in_progress}, {blocked}.",
        "needed": ("{count} thing needs you: {things}.", "{count} things need you: {things}."),
        "proofs": ("{count} proof today", "{count} proofs today"),
        "in_progress": ("{count} claim in progress", "{count} claims in progress"),
        "money": "; in dispute: {money}",
        "nearest": "; the nearest deadline is that of {reference}, on {day}",
        "blocked": "{count} of them until a limit resets",
        "nothing_blocked": "nothing blocked",
        "claims": (" {count} claim blocked{since}.", " {count} claims blocked{since}."),
        "next": " Next try {at}.",
        "next_today": " Next try {at}.",
        "next_run": " Next try: at the next run.",
        "since": " since {at}",
        "since_today": " since {at}",
        "author": " (by {by})",
        "clients": ("{count} client ({named})", "{count} clients ({named})"),
        "accounts": ("{count} account of a client ({named})", "{count} accounts of clients ({named})"),
        "long": (" For more than a week: {named}.", " For more than a week: {named}."),
        "more": "{named} and {count} more",
        "repaired": (
            "The sweep over all claims had to repair {count} row that differed from its claim.",
            "The sweep over all claims had to repair {count} rows that differed from their claims.",
        ),
        "owed": (
            "The service's table has been without a result of {count} claim for more than an hour.",
            "The service's table has been without results of {count} claims for more than an hour.",
        ),
    },
    "fr": {
        "well": "Tout va bien : {proofs}, {in_progress}, {blocked}.",
        "needed": (
            "{count} point demande votre attention : {things}.",
            "{count} points demandent votre attention : {things}.",
        ),
        "proofs": ("{count} preuve aujourd'hui", "{count} preuves aujourd'hui"),
        "in_progress": ("{count} réclamation en cours", "{count} réclamations en cours"),
        "money": " ; montant en litige : {money}",
        "nearest": " ; la première échéance est celle de {reference}, le {day}",
        "blocked": "dont {count} jusqu'au renouvellement d'un quota",
        "nothing_blocked": "rien de bloqué",
        "claims": (" {count} réclamation bloquée{since}.", " {count} réclamations bloquées{since}."),
        "next": " Prochain essai le {at}.",
        "next_today": " Prochain essai à {at}.",
        "next_run": " Prochain essai à la prochaine exécution.",
        "since": " depuis le {at}",
        "since_today": " depuis {at}",
        "author": " (par {by})",
        "clients": ("{count} client ({named})", "{count} clients ({named})"),
        "accounts": ("{count} compte de client ({named})", "{count} comptes de clients ({named})"),
        "long": (" Depuis plus d'une semaine : {named}.", " Depuis plus d'une semaine : {named}."),
        "more": "{named} et {count} autres",
        "repaired": (
            "Le parcours de toutes les réclamations a dû corriger {count} ligne qui différait de sa réclamation.",
            "Le parcours de toutes les réclamations a dû corriger {count} lignes qui différaient de leurs réclamations.",
        ),
        "owed": (
            "Le résultat de {count} réclamation manque depuis plus d'une heure dans la table du service.",
            "Les résultats de {count} réclamations manquent depuis plus d'une heure dans la table du service.",
        ),
    },
}


class VerdictSentences(Localized):
    """Problems and verdicts in one language."""

    def verdict(self, found: Verdict) -> str:
        """The one sentence that says whether all is well."""
        if not found.is_well:
            texts = PROBLEMS[self.language]
            things = ", ".join(self._filled(texts[p.kind].short, p, found.at) for p in found.problems)
            return self._say("needed", len(found.problems), things=things)
        more = "+" if found.is_more else ""
        return self._say(
            "well",
            proofs=self._say("proofs", found.proofs_today),
            in_progress=self._say(
                "in_progress", found.in_progress, count=f"{self.number(found.in_progress)}{more}"
            ),
            blocked=self._say("blocked" if found.blocked else "nothing_blocked", found.blocked),
        )

    def differences(self, differences: Differences) -> list[str]:
        """A sentence for each way in which recours's rows and the service's do not agree; none at rest."""
        return [self._say(key, count) for key, count in asdict(differences).items() if count]

    def sentence(self, problem: Problem, now: datetime) -> str:
        """What the problem is."""
        text = PROBLEMS[self.language][problem.kind]
        is_one = not text.several or self.plural(problem.count) == "one"
        return self._filled(text.one if is_one else text.several, problem, now)

    def remedy(self, problem: Problem, now: datetime) -> str:
        """What to do: a command, or what must be done before it."""
        return pasteable(self._filled(PROBLEMS[self.language][problem.kind].remedy, problem, now))

    def as_json(self, problem: Problem, now: datetime) -> dict[str, Any]:
        """A problem for programs."""
        texts = {"sentence": self.sentence(problem, now), "remedy": self.remedy(problem, now)}
        return problem.as_facts() | texts

    def _filled(self, text: str, problem: Problem, now: datetime) -> str:
        facts, since, until = problem.facts, problem.since, problem.until
        said, money = str(facts.get("said", "")), self.sums(problem.stake.amounts)
        deadline = facts.get("deadline")
        day = self._day_of(str(deadline or facts.get("evidence_until", "")))
        quote = quoted(self.language, said)
        since_when = self._say(self._key_at("since", since, now), at=self._at(since, now)) if since else ""
        once = "" if "{since}" in text else since_when  # said already
        if until is None or until <= now:
            next_try = self._say("next_run")
        else:
            next_try = self._say(self._key_at("next", until, now), at=self._at(until, now, exact=True))
        return text.format(
            **{
                **facts,
                **{key: names_text(self.language, str(facts.get(key, ""))) for key in ("source", "missing")},
                "count": self.number(problem.count),
                "carrier": problem.carrier,
                "command": SUBCOMMANDS.get(str(facts.get("worker")), ""),
                "since": since_when,
                "at": self._at(since, now, exact=True) if since else "",
                "blocked": self._say("claims", problem.count, since=once) if problem.count else "",
                "next": next_try,
                "quote": f"{quote}, " if said else "",
                "quoted": f" ({quote})" if said else "",
                "author": self._say("author", by=author_text(self.language, f"by {facts['by']}"))
                if facts.get("by")
                else "",
                **{what: self._named(what, facts) for what in ("clients", "accounts", "long")},
                "money": self._say("money", money=money) if money else "",
                "nearest": self._say("nearest", reference=facts["reference"], day=day) if deadline else "",
                "often": self._often(int(facts.get("schedule_minutes", 0))),
                "day": day,
            }
        )

    def _named(self, what: str, facts: Mapping[str, str | int]) -> str:
        """How many of these there are, and the first of them by name; "": none."""
        named, more = facts.get(f"{what}_named", ""), int(facts.get(f"{what}_more", 0))
        if more:
            named = self._say("more", more, named=named)
        return self._say(what, int(facts[what]), named=named) if what in facts else ""

    def _often(self, minutes: int) -> str:
        if minutes % 60 or not minutes:
            return f"{minutes} min"
        return "60 min" if self.language == "fr" and minutes == 60 else f"{minutes // 60} h"  # noqa: PLR2004 (an hour)

    def _day_of(self, text: str) -> str:
        try:
            return self.day(datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text))
        except ValueError:
            return text

    def _at(self, at: datetime, now: datetime, *, exact: bool = False) -> str:
        """Of today the time, of other days the day; `exact`: both."""
        if self.is_same_day(at, now):
            return self.time(at)
        return self.minute(at) if exact else self.day(at)

    def _key_at(self, key: str, at: datetime, now: datetime) -> str:
        return f"{key}_today" if self.is_same_day(at, now) else key

    def _say(self, key: str, number: int = 0, /, **facts: object) -> str:
        return self.agree(VERDICT[self.language][key], number, **facts)
