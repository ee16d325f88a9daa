"""What the page says, in English and French; kinds of error and stages have theirs in `recours.operations.labels`."""

from collections.abc import Mapping
from typing import Any

from recours.core.errors import Actor, ErrorKind
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.dashboard.phrases import carriers, claim, claims, forecast, mails, overview
from recours.operations.labels import ACTORS, CLOSINGS, KINDS, STANDING, person_named
from recours.operations.position import Standing, closing_of

# In English and in French.
_ROWS: dict[str, tuple[Any, Any]] = {
    "title": ("Proofs of delivery", "Preuves de livraison"),
    "language": ("Language", "Langue"),
    "view": ("View", "Vue"),
    "overview": ("Overview", "Aperçu"),
    "claims": ("Claims", "Réclamations"),
    "carriers": ("Carriers", "Transporteurs"),
    "mails": ("Mails", "Courriels"),
    "skip": ("Skip to the content", "Aller au contenu"),
    "leave": ("Log out", "Se déconnecter"),
    "visitor_operator": ("operator", "opérateur"),  # the record's name for those who gave none
    "role_viewer": ("may look, not act", "peut consulter, pas agir"),
    "role_operator": ("may act", "peut agir"),
    "only_operators": (
        "Only operators may do that: RECOURS_PAGE_OPERATORS names them.",
        "Seuls les exploitants peuvent faire cela : RECOURS_PAGE_OPERATORS les nomme.",
    ),
    "not_named": (
        "The page cannot tell who you are: it is reached through the proxy that signs people in.",
        "La page ne sait pas qui vous êtes : on l'atteint par le proxy qui identifie les personnes.",
    ),
    "no_such_page": ("There is no such page.", "Cette page n'existe pas."),
    "refused": ("That was refused.", "Cela a été refusé."),
    "times_in": ("Times are those of {zone}.", "Les heures sont celles du fuseau {zone}."),
    "refresh": ("Refresh", "Actualiser"),
    "as_of": ("As of {at}", "État au {at}"),
    "find": ("Search", "Chercher"),
    "cancel": ("Cancel", "Annuler"),
    "actions": ("Actions", "Actions"),
    "pause": ("Pause", "Mettre en pause"),
    "pause_title": ("Pause {carrier}", "Mettre {carrier} en pause"),
    "reopen": ("Reopen", "Rouvrir"),
    "enroll": ("Enroll", "Prendre en charge"),
    "exclude": ("Exclude", "Exclure"),
    "reference": ("Reference", "Référence"),
    "amount": ("Amount", "Montant"),
    "reason": ("Reason", "Motif"),
    "again": ("Try again", "Réessayer"),
    "no_settings": (
        "The settings cannot be used; the page works again once they are corrected.",
        "Les réglages sont inutilisables ; la page remarche dès qu'ils sont corrigés.",
    ),
    "no_database": (
        "The database cannot be used at the moment. The page works again when it is back.",
        "La base de données est inutilisable pour le moment. La page remarche dès son retour.",
    ),
    "unprotected": (
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
    "last_weeks": ("{weeks} weeks", "{weeks} semaines"),
    "success_rate": ("Success rate", "Taux de réussite"),
    "fetched": ("Fetched", "Obtenues"),
    "due": ("Due now", "À traiter"),
    "waiting": ("Waiting", "En attente"),
    "given_up": ("Given up", "Abandonnées"),
    "mails_waiting": ("Mails waiting", "Courriels à envoyer"),
    "pod_retry_scheduler": ("Retry scheduler", "Relances"),
    "pod_fetch_worker": ("Fetch worker", "Nouvelles demandes"),
    "pod_retry_scheduler --claim": ("Asked for by hand", "Demandées à la main"),
    "fine": ("OK", "OK"),
    "running": ("running", "en cours"),
    "failed_run": ("last run failed", "dernière exécution en échec"),
    "overdue": ("overdue", "en retard"),
    "never_ran": ("never ran", "jamais lancé"),
    "last_run": ("last run {at}", "dernière : {at}"),
    "carrier_closed_until": ("{reason} (until {until}).", "{reason} (jusqu'à {until})."),
    "by_day": ("Success by day", "Réussite par jour"),
    "by_carrier": ("Success by carrier", "Réussite par transporteur"),
    "by_retry": ("Success by attempt", "Réussite par tentative"),
    "first_fetch": ("first", "1re demande"),
    "by_kind": ("Errors by kind", "Erreurs par nature"),
    "quotas": ("Calls used", "Appels utilisés"),
    "backlog": ("Backlog by carrier", "En cours par transporteur"),
    "forecast": ("Forecast", "Prévision"),
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
    "own_account": ("the client's own account", "compte du client"),
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
    "found_none": ("No claim fits.", "Aucune réclamation ne correspond."),
    "page_of": ("Page {page} of {pages}", "Page {page} sur {pages}"),
    "previous": ("Previous", "Précédente"),
    "next": ("Next", "Suivante"),
    "open": ("Open", "Ouvrir"),
    "export": ("Export as CSV", "Exporter en CSV"),
    "next_try_at": ("Next try", "Prochain essai"),
    "no_next_try": ("none", "aucun"),
    "who_can_act": ("Who can act", "Qui peut agir"),
    "signed_by": ("signed by {who}", "signée par {who}"),
    "evidence": ("Evidence", "Éléments de preuve"),
    "number": ("Tracking number", "Numéro de suivi"),
    "no_number": ("none", "aucun"),
    "deadline": ("Deadline", "Échéance"),
    "claim_status": ("Claim status", "Statut de la réclamation"),
    "back": ("Back to the claims", "Retour aux réclamations"),
    "fetch_now": ("Fetch now", "Interroger le transporteur"),
    "done_of": ("Done with {done} of {total}.", "Fait pour {done} sur {total}."),
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
    "no_timeline": ("Nothing happened yet.", "Rien ne s'est encore passé."),
    "attempt_first": ("First fetch", "Première demande"),
    "attempt_last": ("Last attempt", "Dernière tentative"),
    "attempt_sample": ("Sample", "Sondage"),
    "attempt_by_hand": ("By hand", "À la main"),
    "outcome_attached": ("a proof was attached", "une preuve a été jointe"),
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
    "event_account_refused": (
        "to the client: the carrier refuses their account",
        "le client est informé que le transporteur refuse son compte",
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
    "calls": ("{count} call{s}, {seconds} s", "{count} appel{s}, {seconds} s"),
}
_OF_VIEWS = tuple(view.ROWS for view in (overview, claims, claim, carriers, mails, forecast))
TEXTS: dict[str, dict[str, Any]] = {
    language: {key: row[place] for rows in (_ROWS, *_OF_VIEWS) for key, row in rows.items()}
    for place, language in enumerate(("en", "fr"))
}


class PageTexts(Localized):
    """What the page says in one language, by keys, with markers in braces; and times, in one zone."""

    def __call__(self, key: str, /, **facts: Any) -> str:
        return str(TEXTS[self.language][key]).format(**facts)

    def sums(self, amounts: Mapping[str, float]) -> str:
        """Money in several currencies; "": none."""
        return " + ".join(self.money(amount, currency) for currency, amount in amounts.items())

    def counted(self, key: str, count: float, /, **facts: Any) -> str:
        """A text about a count."""
        return self.agree(TEXTS[self.language][key], count, **facts)

    def of(self, prefix: str, value: str, /, **facts: Any) -> str:
        """The text of a stored value; one that this version does not know stands for itself."""
        return self(prefix + value, **facts) if prefix + value in TEXTS[self.language] else value

    def name_of(self, language: str) -> str:
        """What a language calls itself."""
        return {"fr": "Français", "en": "English"}[language]

    def kind(self, kind: str) -> str:
        return KINDS[self.language][ErrorKind(kind)] if kind in set(ErrorKind) else kind

    def stage(self, stage: str) -> str:
        return STANDING[self.language][Standing(stage)]

    def actor(self, actor: Actor) -> str:
        return ACTORS[self.language][actor]

    def who(self, by: str) -> str:
        """Who did something."""
        return person_named(self.language, by)

    def closing(self, refusal: Refusal, carrier: str) -> str:
        return CLOSINGS[self.language][closing_of(refusal)].format(carrier=carrier)
