"""What the page says, in English and French; kinds of error and stages have their words in `recours.operations.labels`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from recours.core.errors import Actor, ErrorKind
from recours.core.text import counted
from recours.operations.api_results import Standing
from recours.operations.labels import ACTORS, CLOSINGS, KINDS, STANDING
from recours.operations.position import closing_of
from recours.runs.ports import Refusal

_DAYS_FROM_HOURS = 48

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Proofs of delivery",
        "language": "Language",
        "view": "View",
        "overview": "Overview",
        "claims": "Claims",
        "refresh": "Refresh",
        "as_of": "As of {at}",
        "again": "Try again",
        "no_settings": "The settings cannot be used; the page works again once they are corrected.",
        "no_database": "The database cannot be used at the moment. The page works again when it is back.",
        "needs_password": "Reached by this address, the page needs a password: set RECOURS_DASHBOARD_PASSWORD_HASH to what "
        "'recours dashboard --hash-password' prints. On its own machine it opens without, at 127.0.0.1.",
        "password": "Password",
        "enter": "Enter",
        "wrong": "That is not the password.",
        "slow_down": "Too many wrong passwords: try again in {seconds} s.",
        "days": "Days",
        "last_days": "{count} days",
        "success_rate": "Success rate",
        "fetched": "Fetched",
        "due": "Due now",
        "waiting": "Waiting",
        "given_up": "Given up",
        "oldest": "Oldest since",
        "day_letter": "d",
        "mails_waiting": "Mails waiting",
        "pod_retry_scheduler": "Retry scheduler",
        "pod_fetch_worker": "Fetch worker",
        "pod_retry_scheduler --claim": "Asked for by hand",
        "fine": "OK",
        "running": "running",
        "failed_run": "last run failed",
        "overdue": "overdue",
        "never_ran": "never ran",
        "last_run": "last run {at}",
        "carrier_closed_until": "{reason} (until {until}).",
        "by_day": "Success by day",
        "by_carrier": "Success by carrier",
        "by_turn": "Success by attempt",
        "first_fetch": "first",
        "by_kind": "Errors by kind",
        "quotas": "Calls used",
        "backlog": "Backlog by carrier",
        "forecast": "Backlog, the next {hours} hours",
        "forecast_show": "Show the forecast",
        "forecast_wait": "Simulating the upcoming runs …",
        "forecast_means": "What is still due after each run, if no try brings a document.",
        "forecast_stopped": "{worker} has stopped running, so no run of it is foreseen.",
        "success": "fetched",
        "failed": "failed",
        "left": "deferred",
        "used": "used",
        "held": "held",
        "free": "left",
        "no_attempts": "No attempt in these days.",
        "no_backlog": "Nothing is waiting.",
        "no_quotas": "No carrier has credentials yet.",
        "runs": "Runs",
        "no_runs": "No run yet.",
        "run_worker": "Worker",
        "run_started": "Started",
        "run_duration": "Seconds",
        "run_total": "Tried",
        "run_success": "Fetched",
        "run_failed": "Failed",
        "run_status": "Ended",
        "run_done": "done",
        "run_open": "under way",
        "run_failed_status": "failed ({status})",
        "run_stopped": "stopped ({status})",
        "status": "Status",
        "stage": "Stage",
        "carrier": "Carrier",
        "search": "Reference or number begins with",
        "status_": "none",
        "status_pending": "pending",
        "status_fetching": "fetching",
        "status_failed": "failed",
        "status_success": "success",
        "status_not_available": "not available",
        "status_manual": "manual",
        "no_carrier": "unknown carrier",
        "found_more": "more than {count} claims",
        "found_none": "No claim fits.",
        "page_of": "Page {page} of {pages}",
        "previous": "Previous",
        "next": "Next",
        "all_on_page": "All on this page",
        "open": "Open",
        "retry_selected": "Retry selected ({count})",
        "retry_none": "Retry selected",
        "export": "Export as CSV",
        "export_help": "What the filter shows, up to {count} claims.",
        "next_try": "next try {at}",
        "next_try_at": "Next try",
        "no_next_try": "none",
        "who_can_act": "Who can act",
        "signed_by": "signed by {who}",
        "number": "Tracking number",
        "no_number": "none",
        "attempts": "Attempts",
        "deadline": "Deadline",
        "claim_status": "Claim status",
        "back": "Back to the claims",
        "fetch_now": "Fetch now",
        "fetch_help": "Asks the carrier now, within its quota, whatever the timetable.",
        "fetching": "The carrier is asked …",
        "progress": "{done} of {total} asked",
        "results_of": "{fetched} of {total} fetched",
        "pod": "Proof of delivery",
        "download": "Download",
        "pod_elsewhere": "The document was stored by other software and is not opened here:",
        "pod_missing": "The document is not where the claim says: {name}.",
        "pod_unreadable": "The document cannot be read: {reason}.",
        "pod_too_large": "The document is too large to be shown here.",
        "pod_no_document": "What lies there is no document: {reason}.",
        "pod_not_shown": "Browsers do not show this kind of document: download it.",
        "pod_html": "A web page as the carrier sent it, shown without scripts and without network.",
        "timeline": "Timeline",
        "no_timeline": "Nothing happened yet.",
        "attempt_first": "First fetch",
        "attempt_turn": "Attempt {turn}",
        "outcome_success": "the proof was fetched",
        "outcome_failed": "failed",
        "outcome_left": "deferred, no attempt used",
        "mail": "Mail",
        "event_pod_failed": "to the client: no proof of delivery",
        "event_pod_retrieved": "to the client: the proof of delivery is there",
        "event_gave_up": "to the operator: the claim was given up",
        "event_expired": "to the operator: the claim was given up, its deadline had long passed",
        "event_account_fault": "to the operator: the carrier's account",
        "event_run_fault": "to the operator: recours itself failed",
        "event_weekly_report": "to the operator: the weekly report",
        "told_not_yet": "not written yet",
        "told_mail": "written",
        "mail_ready": "waits for the mail server",
        "mail_held": "held, until it is released",
        "mail_sending": "being sent",
        "mail_sent": "sent to {who}",
        "mail_failed": "refused",
        "mail_cancelled": "cancelled",
        "mail_undecided": "perhaps sent",
    },
    "fr": {
        "title": "Preuves de livraison",
        "language": "Langue",
        "view": "Vue",
        "overview": "Aperçu",
        "claims": "Réclamations",
        "refresh": "Actualiser",
        "as_of": "État à {at}",
        "again": "Réessayer",
        "no_settings": "Les réglages sont inutilisables ; la page remarche dès qu'ils sont corrigés.",
        "no_database": "La base de données est inutilisable pour le moment. La page remarche dès son retour.",
        "needs_password": "À cette adresse, la page demande un mot de passe : donnez à RECOURS_DASHBOARD_PASSWORD_HASH ce "
        "qu'affiche « recours dashboard --hash-password ». Sur sa propre machine, elle s'ouvre sans, à 127.0.0.1.",
        "password": "Mot de passe",
        "enter": "Entrer",
        "wrong": "Ce n'est pas le bon mot de passe.",
        "slow_down": "Trop de mots de passe erronés : réessayez dans {seconds} s.",
        "days": "Jours",
        "last_days": "{count} jours",
        "success_rate": "Taux de réussite",
        "fetched": "Obtenues",
        "due": "À traiter",
        "waiting": "En attente",
        "given_up": "Abandonnées",
        "oldest": "Plus ancienne",
        "day_letter": "j",
        "mails_waiting": "Courriels à envoyer",
        "pod_retry_scheduler": "Relances",
        "pod_fetch_worker": "Nouvelles demandes",
        "pod_retry_scheduler --claim": "Demandées à la main",
        "fine": "OK",
        "running": "en cours",
        "failed_run": "dernière exécution en échec",
        "overdue": "en retard",
        "never_ran": "jamais lancé",
        "last_run": "dernière le {at}",
        "carrier_closed_until": "{reason} (jusqu'au {until}).",
        "by_day": "Réussite par jour",
        "by_carrier": "Réussite par transporteur",
        "by_turn": "Réussite par tentative",
        "first_fetch": "1re demande",
        "by_kind": "Erreurs par nature",
        "quotas": "Appels utilisés",
        "backlog": "En cours par transporteur",
        "forecast": "En cours, les {hours} prochaines heures",
        "forecast_show": "Montrer la prévision",
        "forecast_wait": "Simulation des prochaines exécutions …",
        "forecast_means": "Ce qui reste à traiter après chaque exécution, si aucun essai n'aboutit.",
        "forecast_stopped": "{worker} ne tourne plus : aucune de ses exécutions n'est prévue.",
        "success": "obtenues",
        "failed": "échecs",
        "left": "reportées",
        "used": "utilisés",
        "held": "réservés",
        "free": "restants",
        "no_attempts": "Aucune tentative ces jours-là.",
        "no_backlog": "Rien n'est en attente.",
        "no_quotas": "Aucun transporteur n'a d'identifiants.",
        "runs": "Exécutions",
        "no_runs": "Aucune exécution pour le moment.",
        "run_worker": "Programme",
        "run_started": "Début",
        "run_duration": "Secondes",
        "run_total": "Essayées",
        "run_success": "Obtenues",
        "run_failed": "Échecs",
        "run_status": "Fin",
        "run_done": "terminée",
        "run_open": "en cours",
        "run_failed_status": "échouée ({status})",
        "run_stopped": "arrêtée ({status})",
        "status": "Statut",
        "stage": "Étape",
        "carrier": "Transporteur",
        "search": "Référence ou numéro commençant par",
        "status_": "aucun",
        "status_pending": "demandée",
        "status_fetching": "recherche externe",
        "status_failed": "échec",
        "status_success": "obtenue",
        "status_not_available": "indisponible",
        "status_manual": "à la main",
        "no_carrier": "transporteur inconnu",
        "found_more": "plus de {count} réclamations",
        "found_none": "Aucune réclamation ne correspond.",
        "page_of": "Page {page} sur {pages}",
        "previous": "Précédente",
        "next": "Suivante",
        "all_on_page": "Toutes sur cette page",
        "open": "Ouvrir",
        "retry_selected": "Relancer la sélection ({count})",
        "retry_none": "Relancer la sélection",
        "export": "Exporter en CSV",
        "export_help": "Ce que montre le filtre, jusqu'à {count} réclamations.",
        "next_try": "prochain essai {at}",
        "next_try_at": "Prochain essai",
        "no_next_try": "aucun",
        "who_can_act": "Qui peut agir",
        "signed_by": "signée par {who}",
        "number": "Numéro de suivi",
        "no_number": "aucun",
        "attempts": "Tentatives",
        "deadline": "Échéance",
        "claim_status": "Statut de la réclamation",
        "back": "Retour aux réclamations",
        "fetch_now": "Interroger le transporteur",
        "fetch_help": "Interroge le transporteur maintenant, dans la limite de son quota, quel que soit le calendrier.",
        "fetching": "Le transporteur est interrogé …",
        "progress": "{done} sur {total} demandées",
        "results_of": "{fetched} sur {total} obtenues",
        "pod": "Preuve de livraison",
        "download": "Télécharger",
        "pod_elsewhere": "Le document a été déposé par un autre logiciel et n'est pas ouvert ici :",
        "pod_missing": "Le document n'est pas là où la réclamation le dit : {name}.",
        "pod_unreadable": "Le document est illisible : {reason}.",
        "pod_too_large": "Le document est trop volumineux pour être montré ici.",
        "pod_no_document": "Ce qui se trouve là n'est pas un document : {reason}.",
        "pod_not_shown": "Les navigateurs n'affichent pas ce type de document : téléchargez-le.",
        "pod_html": "Une page web telle que le transporteur l'a envoyée, montrée sans scripts et sans réseau.",
        "timeline": "Historique",
        "no_timeline": "Rien ne s'est encore passé.",
        "attempt_first": "Première demande",
        "attempt_turn": "Tentative {turn}",
        "outcome_success": "la preuve a été obtenue",
        "outcome_failed": "échec",
        "outcome_left": "reportée, aucune tentative comptée",
        "mail": "Courriel",
        "event_pod_failed": "le client est informé qu'aucune preuve n'est venue",
        "event_pod_retrieved": "le client est informé que la preuve est là",
        "event_gave_up": "l'exploitant est informé de l'abandon",
        "event_expired": "abandonnée : échéance dépassée depuis longtemps",
        "event_account_fault": "l'exploitant est informé au sujet du compte",
        "event_run_fault": "l'exploitant est informé d'une erreur interne de recours",
        "event_weekly_report": "l'exploitant reçoit le rapport de la semaine",
        "told_not_yet": "pas encore écrit",
        "told_mail": "écrit",
        "mail_ready": "attend le serveur de courriel",
        "mail_held": "retenu, jusqu'à ce qu'on le libère",
        "mail_sending": "en cours d'envoi",
        "mail_sent": "envoyé à {who}",
        "mail_failed": "refusé",
        "mail_cancelled": "annulé",
        "mail_undecided": "peut-être envoyé",
    },
}


# About a count: for one, and for several.
COUNTED: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "unended": (
            "{count} run never ended: it was stopped or killed.",
            "{count} runs never ended: they were stopped or killed.",
        ),
        "forecast_late": (
            "{count} claim passes its deadline before it is tried.",
            "{count} claims pass their deadline before they are tried.",
        ),
        "left_alone": (
            "{count} claim is left to a newer version of recours, or until 'recours init-db' widens the tables. 'recours "
            "status' says more.",
            "{count} claims are left to a newer version of recours, or until 'recours init-db' widens the tables. 'recours "
            "status' says more.",
        ),
        "found": ("{count} claim", "{count} claims"),
        "calls": ("{count} call, {seconds} s", "{count} calls, {seconds} s"),
    },
    "fr": {
        "unended": (
            "{count} exécution sans fin : arrêtée ou tuée.",
            "{count} exécutions sans fin : arrêtées ou tuées.",
        ),
        "forecast_late": (
            "{count} réclamation dépasse son échéance avant d'être traitée.",
            "{count} réclamations dépassent leur échéance avant d'être traitées.",
        ),
        "left_alone": (
            "{count} réclamation est laissée à une version plus récente de recours, ou attend que « recours init-db » "
            "élargisse les tables. « recours status » en dit plus.",
            "{count} réclamations sont laissées à une version plus récente de recours, ou attendent que « recours init-db » "
            "élargisse les tables. « recours status » en dit plus.",
        ),
        "found": ("{count} réclamation", "{count} réclamations"),
        "calls": ("{count} appel, {seconds} s", "{count} appels, {seconds} s"),
    },
}


@dataclass(frozen=True)
class PageTexts:
    """The texts of one language."""

    language: str

    @property
    def _texts(self) -> Mapping[str, str]:
        return TEXTS[self.language]

    def __call__(self, key: str, **facts: Any) -> str:
        return self._texts[key].format(**facts)

    def counted(self, key: str, count: int, **facts: Any) -> str:
        """The text of that key about a count."""
        return counted(self.language, COUNTED[self.language][key], count, count=self.number(count), **facts)

    def of(self, prefix: str, value: str) -> str:
        """The text of a value that the database holds; a value that is not ours stands for itself."""
        return self._texts.get(f"{prefix}{value}", value)

    def kind(self, kind: str) -> str:
        return KINDS[self.language][ErrorKind(kind)] if kind in set(ErrorKind) else kind

    def stage(self, stage: str) -> str:
        """A stage, or where a claim stands."""
        return STANDING[self.language][Standing(stage)]

    def actor(self, actor: Actor) -> str:
        return ACTORS[self.language][actor]

    def closing(self, refusal: Refusal, carrier: str) -> str:
        """Why a carrier takes no call."""
        return CLOSINGS[self.language][closing_of(refusal)].format(carrier=carrier)

    def number(self, number: float) -> str:
        """A number with its thousands apart, as the language writes it."""
        apart = f"{number:,}"
        return apart.replace(",", "\u202f").replace(".", ",") if self.language == "fr" else apart

    def age(self, span: timedelta) -> str:
        """How long ago something was, in hours or days."""
        hours = span.total_seconds() / 3600
        if hours < _DAYS_FROM_HOURS:
            return f"{max(hours, 0):.0f}\u202fh"
        return f"{self.number(round(hours / 24))}\u202f{self('day_letter')}"

    def percent(self, percent: float | None) -> str:
        """A percentage, or a dash."""
        if percent is None:
            return "–"
        return f"{self.number(percent)}\u202f%" if self.language == "fr" else f"{percent}%"
