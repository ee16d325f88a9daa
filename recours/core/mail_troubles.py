"""Why a mail did not go out, or perhaps did, in English and French.

The English phrase is what is recorded: see `RecordedPhrase`.
"""

from recours.core.recorded_phrases import RecordedPhrase


class MailTrouble(RecordedPhrase):
    """`{where}`: the server; `{said}`: what it said, or the system."""

    # fmt: off
    REFUSES_RECIPIENT = ("the server refuses the recipient: {said}",
        "le serveur refuse le destinataire : « {said} »")
    REFUSES_MESSAGE = ("the server refuses the message: {said}",
        "le serveur refuse le message : « {said} »")
    REFUSES_US = ("the server refuses us: {said}",
        "le serveur refuse nos envois : « {said} »")
    TOO_LARGE = ("the server takes no message larger than {size} bytes",
        "le serveur n'accepte aucun message de plus de {size} octets")
    LINE_BROKE = ("the line broke after the message was given away ({said})",
        "la connexion a été coupée après la remise du message (« {said} »)")
    RUN_DIED = ("the run died while sending it",
        "l'exécution s'est arrêtée pendant l'envoi")
    RUN_ENDED = ("the run was to end",
        "l'exécution devait se terminer")
    MENDED = ("its claims were mended meanwhile",
        "les réclamations ont été corrigées entre-temps")
    ACCEPTED_AGAIN = ("the account is accepted again",
        "le compte est de nouveau accepté")
    BROKE_CONNECTION = ("The mail server {where} broke the connection ({said})",
        "Le serveur de courriel {where} a coupé la connexion (« {said} »)")
    TAKES_NO_MORE = ("The mail server {where} takes no more: {said}",
        "Le serveur de courriel {where} n'accepte plus rien : « {said} »")
    NO_HOST = ("The mail server {where} cannot be used: that, or this machine's own name, is not the name of a host",
        "Le serveur de courriel {where} est inutilisable : son nom, ou celui de cette machine, n'est pas valable")
    REFUSES_LOGIN = ("The mail server {where} refuses the login of {user}: {said}",
        "Le serveur de courriel {where} refuse l'identifiant {user} : « {said} »")
    NOT_OFFERED = ("The mail server {where} does not offer what is asked of it: {said}",
        "Le serveur de courriel {where} n'offre pas ce qui lui est demandé : « {said} »")
    INSECURE = ("The mail server {where} cannot be reached securely: {said}",
        "Connexion sécurisée impossible avec le serveur de courriel {where} : « {said} »")
    UNUSABLE = ("The mail server {where} cannot be used: {said}",
        "Le serveur de courriel {where} est inutilisable : « {said} »")
    REFUSES_SENDER = ("The mail server refuses the sender {sender}: {said}",
        "Le serveur de courriel refuse l'expéditeur {sender} : « {said} »")
    NO_SENDER = ("There is no address to send from: SMTP_FROM is not set, nor smtp_from in system_settings",
        "Aucune adresse d'expédition : ni SMTP_FROM ni « smtp_from » dans « system_settings » ne sont renseignés")
    # fmt: on


trouble_text = MailTrouble.text
trouble_in = MailTrouble.translated
