"""Mails."""

from typing import Any

ROWS: dict[str, tuple[Any, Any]] = {
    "mails_held": (
        (
            "{count} mail is held: one run had more mails to clients than RECOURS_MAIL_BRAKE allows.",
            "{count} mails are held: one run had more mails to clients than RECOURS_MAIL_BRAKE allows.",
        ),
        (
            "{count} courriel est retenu : une exécution en avait plus pour les clients que RECOURS_MAIL_BRAKE n'en permet.",
            "{count} courriels sont retenus : une exécution en avait plus pour les clients que RECOURS_MAIL_BRAKE n'en permet.",
        ),
    ),
    "release": ("Release them", "Les libérer"),
    "mails_waiting_title": ("Not sent yet", "Pas encore envoyés"),
    "mails_latest": ("Written last", "Derniers écrits"),
    "mails_none": ("No mail waits.", "Aucun courriel n'attend."),
    "mails_never": ("No mail was written yet.", "Aucun courriel n'a encore été écrit."),
    "mails_more": ("The {count} oldest are shown.", "Les {count} plus anciens sont montrés."),
    "mail_to": ("To", "À"),
    "mail_subject": ("Subject", "Objet"),
    "mail_state": ("State", "État"),
    "mail_written": ("Written", "Écrit"),
    "mail_ended": ("Ended", "Terminé"),
    "mail_tries": ("Tries", "Essais"),
    "mail_error": ("What the server said", "Réponse du serveur"),
    "mail_state_ready": ("waits for the mail server", "attend le serveur"),
    "mail_state_held": ("held", "retenu"),
    "mail_state_sending": ("being sent", "envoi en cours"),
    "mail_state_sent": ("sent", "envoyé"),
    "mail_state_failed": ("refused", "refusé"),
    "mail_state_cancelled": ("cancelled", "annulé"),
    "mail_state_undecided": ("perhaps sent", "peut-être envoyé"),
    "mail_as_text": ("As plain text", "En texte brut"),
    "mail_as_page": ("As it is read", "Tel qu'il est lu"),
    # On trial.
    "previews_title": ("How mails look", "Aperçu des courriels"),
    "mail_kind": ("Kind", "Nature"),
    "mail_kind_pod_failed": (
        "To the client: no proof of delivery",
        "Au client : aucune preuve de livraison",
    ),
    "mail_kind_pod_retrieved": (
        "To the client: the proof of delivery is there",
        "Au client : la preuve de livraison est là",
    ),
    "mail_kind_account_refused": (
        "To the client: the carrier refuses their account",
        "Au client : le transporteur refuse son compte",
    ),
    "mail_kind_operator_summary": ("To you: what needs a look", "À vous : ce qui est à vérifier"),
    "mail_kind_weekly_report": ("To you: the weekly report", "À vous : le rapport de la semaine"),
    "preview_in": ("Language", "Langue"),
    "preview_of": ("{kind} ({language})", "{kind} ({language})"),
    "preview_means": ("A preview: nothing is sent.", "Un aperçu : rien n'est envoyé."),
    "preview_of_example": (
        "A preview with a made-up claim: nothing is sent.",
        "Un aperçu avec une réclamation inventée : rien n'est envoyé.",
    ),
    "report_send": ("Send the report now", "Envoyer le rapport maintenant"),
    "mail_test_title": ("Try the mail server", "Essayer le serveur de courriel"),
    "mail_test": ("Send a test mail", "Envoyer un courriel d'essai"),
    "mails_back": ("All mails", "Tous les courriels"),
}
