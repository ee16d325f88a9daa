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
    "mails_back": ("All mails", "Tous les courriels"),
}
