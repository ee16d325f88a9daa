"""What the page says, in English and French; kinds of error and stages have theirs in `recours.operations.labels`."""

from datetime import timedelta
from typing import Any

from recours.core.errors import Actor, ErrorKind
from recours.core.pauses import Refusal
from recours.core.text import Texts
from recours.operations.labels import ACTORS, CLOSINGS, KINDS, STANDING
from recours.operations.position import Standing, closing_of

_DAYS_FROM_HOURS = 48

# In English and in French.
_ROWS: dict[str, tuple[Any, Any]] = {
    "title": ("Proofs of delivery", "Preuves de livraison"),
    "language": ("Language", "Langue"),
    "view": ("View", "Vue"),
    "overview": ("Overview", "Aperçu"),
    "claims": ("Claims", "Réclamations"),
    "refresh": ("Refresh", "Actualiser"),
    "as_of": ("As of {at}", "État à {at}"),
    "again": ("Try again", "Réessayer"),
    "no_settings": (
        "The settings cannot be used; the page works again once they are corrected.",
        "Les réglages sont inutilisables ; la page remarche dès qu'ils sont corrigés.",
    ),
    "no_database": (
        "The database cannot be used at the moment. The page works again when it is back.",
        "La base de données est inutilisable pour le moment. La page remarche dès son retour.",
    ),
    "needs_password": (
        "Reached by this address, the page needs a password: set RECOURS_DASHBOARD_PASSWORD_HASH to what 'recours dashboard --hash-password' prints. On its own machine it opens without, at 127.0.0.1.",
        "À cette adresse, la page demande un mot de passe : donnez à RECOURS_DASHBOARD_PASSWORD_HASH ce qu'affiche « recours dashboard --hash-password ». Sur sa propre machine, elle s'ouvre sans, à 127.0.0.1.",
    ),
    "password": ("Password", "Mot de passe"),
    "enter": ("Enter", "Entrer"),
    "wrong": ("That is not the password.", "Ce n'est pas le bon mot de passe."),
    "slow_down": (
        "Too many wrong passwords: try again in {seconds} s.",
        "Trop de mots de passe erronés : réessayez dans {seconds} s.",
    ),
    "days": ("Days", "Jours"),
    "last_days": ("{count} days", "{count} jours"),
    "success_rate": ("Success rate", "Taux de réussite"),
    "fetched": ("Fetched", "Obtenues"),
    "due": ("Due now", "À traiter"),
    "waiting": ("Waiting", "En attente"),
    "given_up": ("Given up", "Abandonnées"),
    "oldest": ("Oldest since", "Plus ancienne"),
    "day_letter": ("d", "j"),
    "mails_waiting": ("Mails waiting", "Courriels à envoyer"),
    "pod_retry_scheduler": ("Retry scheduler", "Relances"),
    "pod_fetch_worker": ("Fetch worker", "Nouvelles demandes"),
    "pod_retry_scheduler --claim": ("Asked for by hand", "Demandées à la main"),
    "fine": ("OK", "OK"),
    "running": ("running", "en cours"),
    "failed_run": ("last run failed", "dernière exécution en échec"),
    "overdue": ("overdue", "en retard"),
    "never_ran": ("never ran", "jamais lancé"),
    "last_run": ("last run {at}", "dernière le {at}"),
    "carrier_closed_until": ("{reason} (until {until}).", "{reason} (jusqu'au {until})."),
    "by_day": ("Success by day", "Réussite par jour"),
    "by_carrier": ("Success by carrier", "Réussite par transporteur"),
    "by_retry": ("Success by attempt", "Réussite par tentative"),
    "first_fetch": ("first", "1re demande"),
    "by_kind": ("Errors by kind", "Erreurs par nature"),
    "quotas": ("Calls used", "Appels utilisés"),
    "backlog": ("Backlog by carrier", "En cours par transporteur"),
    "forecast": ("Backlog, the next {hours} hours", "En cours, les {hours} prochaines heures"),
    "forecast_show": ("Show the forecast", "Montrer la prévision"),
    "forecast_wait": ("Simulating the upcoming runs …", "Simulation des prochaines exécutions …"),
    "forecast_means": (
        "What is still due after each run, if no try brings a document.",
        "Ce qui reste à traiter après chaque exécution, si aucun essai n'aboutit.",
    ),
    "forecast_stopped": (
        "{worker} has stopped running, so no run of it is foreseen.",
        "{worker} ne tourne plus : aucune de ses exécutions n'est prévue.",
    ),
    "success": ("fetched", "obtenues"),
    "failed": ("failed", "échecs"),
    "left": ("deferred", "reportées"),
    "used": ("used", "utilisés"),
    "held": ("held", "réservés"),
    "free": ("left", "restants"),
    "no_attempts": ("No attempt in these days.", "Aucune tentative ces jours-là."),
    "no_backlog": ("Nothing is waiting.", "Rien n'est en attente."),
    "no_quotas": ("No carrier has credentials yet.", "Aucun transporteur n'a d'identifiants."),
    "runs": ("Runs", "Exécutions"),
    "no_runs": ("No run yet.", "Aucune exécution pour le moment."),
    "run_worker": ("Worker", "Programme"),
    "run_started": ("Started", "Début"),
    "run_duration": ("Seconds", "Secondes"),
    "run_total": ("Tried", "Essayées"),
    "run_success": ("Fetched", "Obtenues"),
    "run_failed": ("Failed", "Échecs"),
    "run_status": ("Ended", "Fin"),
    "run_done": ("done", "terminée"),
    "run_open": ("under way", "en cours"),
    "run_failed_status": ("failed ({status})", "échouée ({status})"),
    "run_stopped": ("stopped ({status})", "arrêtée ({status})"),
    "status": ("Status", "Statut"),
    "stage": ("Stage", "Étape"),
    "carrier": ("Carrier", "Transporteur"),
    "search": ("Reference or number begins with", "Référence ou numéro commençant par"),
    "status_": ("none", "aucun"),
    "status_pending": ("pending", "demandée"),
    "status_fetching": ("fetching", "recherche externe"),
    "status_failed": ("failed", "échec"),
    "status_success": ("success", "obtenue"),
    "status_not_available": ("not available", "indisponible"),
    "status_manual": ("manual", "à la main"),
    "no_carrier": ("unknown carrier", "transporteur inconnu"),
    "found_more": ("more than {count} claims", "plus de {count} réclamations"),
    "found_none": ("No claim fits.", "Aucune réclamation ne correspond."),
    "page_of": ("Page {page} of {pages}", "Page {page} sur {pages}"),
    "previous": ("Previous", "Précédente"),
    "next": ("Next", "Suivante"),
    "all_on_page": ("All on this page", "Toutes sur cette page"),
    "open": ("Open", "Ouvrir"),
    "retry_selected": ("Retry selected ({count})", "Relancer la sélection ({count})"),
    "retry_none": ("Retry selected", "Relancer la sélection"),
    "export": ("Export as CSV", "Exporter en CSV"),
    "export_help": (
        "What the filter shows, up to {count} claims.",
        "Ce que montre le filtre, jusqu'à {count} réclamations.",
    ),
    "next_try": ("next try {at}", "prochain essai {at}"),
    "last_attempt": ("one last attempt {at}", "dernière tentative {at}"),
    "next_try_at": ("Next try", "Prochain essai"),
    "no_next_try": ("none", "aucun"),
    "who_can_act": ("Who can act", "Qui peut agir"),
    "signed_by": ("signed by {who}", "signée par {who}"),
    "number": ("Tracking number", "Numéro de suivi"),
    "no_number": ("none", "aucun"),
    "attempts": ("Attempts", "Tentatives"),
    "deadline": ("Deadline", "Échéance"),
    "claim_status": ("Claim status", "Statut de la réclamation"),
    "back": ("Back to the claims", "Retour aux réclamations"),
    "fetch_now": ("Fetch now", "Interroger le transporteur"),
    "fetch_help": (
        "Asks the carrier now, within its quota, whatever the backoff.",
        "Interroge le transporteur maintenant, dans la limite de son quota, quel que soit le calendrier.",
    ),
    "fetching": ("The carrier is asked …", "Le transporteur est interrogé …"),
    "progress": ("{done} of {total} asked", "{done} sur {total} demandées"),
    "results_of": ("{fetched} of {total} fetched", "{fetched} sur {total} obtenues"),
    "pod": ("Proof of delivery", "Preuve de livraison"),
    "download": ("Download", "Télécharger"),
    "pod_elsewhere": (
        "The document was stored by other software and is not opened here:",
        "Le document a été déposé par un autre logiciel et n'est pas ouvert ici :",
    ),
    "pod_missing": (
        "The document is not where the claim says: {name}.",
        "Le document n'est pas là où la réclamation le dit : {name}.",
    ),
    "pod_unreadable": ("The document cannot be read: {reason}.", "Le document est illisible : {reason}."),
    "pod_too_large": (
        "The document is too large to be shown here.",
        "Le document est trop volumineux pour être montré ici.",
    ),
    "pod_no_document": (
        "What lies there is no document: {reason}.",
        "Ce qui se trouve là n'est pas un document : {reason}.",
    ),
    "pod_not_shown": (
        "Browsers do not show this kind of document: download it.",
        "Les navigateurs n'affichent pas ce type de document : téléchargez-le.",
    ),
    "pod_html": (
        "A web page as the carrier sent it, shown without scripts and without network.",
        "Une page web telle que le transporteur l'a envoyée, montrée sans scripts et sans réseau.",
    ),
    "timeline": ("Timeline", "Historique"),
    "no_timeline": ("Nothing happened yet.", "Rien ne s'est encore passé."),
    "attempt_first": ("First fetch", "Première demande"),
    "attempt_last": ("Last attempt", "Dernière tentative"),
    "attempt_sample": ("Sample", "Sondage"),
    "attempt_retry": ("Attempt {number}", "Tentative {number}"),
    "outcome_success": ("the proof was fetched", "la preuve a été obtenue"),
    "outcome_failed": ("failed", "échec"),
    "outcome_tracked": (
        "the parcel was tracked after its proof had come",
        "colis suivi après l'arrivée de la preuve",
    ),
    "outcome_sampled": (
        "no proof, the claim stays given up",
        "toujours pas de preuve, le dossier reste abandonné",
    ),
    "outcome_left": ("deferred, no attempt used", "reportée, aucune tentative comptée"),
    "mail": ("Mail", "Courriel"),
    "event_pod_failed": (
        "to the client: no proof of delivery",
        "le client est informé qu'aucune preuve n'est venue",
    ),
    "event_pod_retrieved": (
        "to the client: the proof of delivery is there",
        "le client est informé que la preuve est là",
    ),
    "event_gave_up": ("to the operator: the claim was given up", "l'exploitant est informé de l'abandon"),
    "event_expired": (
        "to the operator: the claim was given up, its deadline had long passed",
        "abandonnée : échéance dépassée depuis longtemps",
    ),
    "event_account_fault": (
        "to the operator: the carrier's account",
        "l'exploitant est informé au sujet du compte",
    ),
    "event_run_fault": (
        "to the operator: recours itself failed",
        "l'exploitant est informé d'une erreur interne de recours",
    ),
    "event_weekly_report": (
        "to the operator: the weekly report",
        "l'exploitant reçoit le rapport de la semaine",
    ),
    "told_not_yet": ("not written yet", "pas encore écrit"),
    "told_mail": ("written", "écrit"),
    "mail_ready": ("waits for the mail server", "attend le serveur de courriel"),
    "mail_held": ("held, until it is released", "retenu, jusqu'à ce qu'on le libère"),
    "mail_sending": ("being sent", "en cours d'envoi"),
    "mail_sent": ("sent to {who}", "envoyé à {who}"),
    "mail_failed": ("refused", "refusé"),
    "mail_cancelled": ("cancelled", "annulé"),
    "mail_undecided": ("perhaps sent", "peut-être envoyé"),
    # About a count.
    "unended": (
        (
            "{count} run never ended: it was stopped or killed.",
            "{count} runs never ended: they were stopped or killed.",
        ),
        "{count} exécution{s} sans fin : arrêtée{s} ou tuée{s}.",
    ),
    "forecast_late": (
        (
            "{count} claim passes its deadline, or loses its evidence, before it is tried.",
            "{count} claims pass their deadline, or lose their evidence, before they are tried.",
        ),
        (
            "{count} réclamation dépasse son échéance, ou perd sa preuve, avant d'être traitée.",
            "{count} réclamations dépassent leur échéance, ou perdent leur preuve, avant d'être traitées.",
        ),
    ),
    "left_alone": (
        (
            "{count} claim is left to a newer version of recours, or until 'recours init-db' widens the tables. 'recours status' says more.",
            "{count} claims are left to a newer version of recours, or until 'recours init-db' widens the tables. 'recours status' says more.",
        ),
        (
            "{count} réclamation est laissée à une version plus récente de recours, ou attend que « recours init-db » élargisse les tables. « recours status » en dit plus.",
            "{count} réclamations sont laissées à une version plus récente de recours, ou attendent que « recours init-db » élargisse les tables. « recours status » en dit plus.",
        ),
    ),
    "found": ("{count} claim{s}", "{count} réclamation{s}"),
    "calls": ("{count} call{s}, {seconds} s", "{count} appel{s}, {seconds} s"),
}
TEXTS: dict[str, dict[str, Any]] = {
    language: {key: row[place] for key, row in _ROWS.items()} for place, language in enumerate(("en", "fr"))
}


class PageTexts(Texts):
    def __init__(self, language: str) -> None:
        super().__init__(language, TEXTS[language])

    def counted(self, key: str, count: float, /, **facts: Any) -> str:
        return super().counted(key, count, **{"count": self.number(count)} | facts)

    def kind(self, kind: str) -> str:
        return KINDS[self.language][ErrorKind(kind)] if kind in set(ErrorKind) else kind

    def stage(self, stage: str) -> str:
        return STANDING[self.language][Standing(stage)]

    def actor(self, actor: Actor) -> str:
        return ACTORS[self.language][actor]

    def closing(self, refusal: Refusal, carrier: str) -> str:
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
