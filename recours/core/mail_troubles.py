"""Why a mail did not go out, or perhaps did, in English and French.

The English phrase is what is recorded: see `recours.core.recorded_phrases`.
"""

from enum import StrEnum

from recours.core.recorded_phrases import RecordedPhrases


class MailTrouble(StrEnum):
    """`{where}`: the server; `{said}`: what it said, or the system."""

    REFUSES_RECIPIENT = "refuses_recipient"
    REFUSES_MESSAGE = "refuses_message"
    REFUSES_US = "refuses_us"
    TOO_LARGE = "too_large"
    LINE_BROKE = "line_broke"
    RUN_DIED = "run_died"
    RUN_ENDED = "run_ended"
    MENDED = "mended"
    ACCEPTED_AGAIN = "accepted_again"
    BROKE_CONNECTION = "broke_connection"
    TAKES_NO_MORE = "takes_no_more"
    NO_HOST = "no_host"
    REFUSES_LOGIN = "refuses_login"
    NOT_OFFERED = "not_offered"
    INSECURE = "insecure"
    UNUSABLE = "unusable"
    REFUSES_SENDER = "refuses_sender"
    NO_SENDER = "no_sender"


_F = MailTrouble
TEXTS: dict[str, dict[MailTrouble, str]] = {
    "en": {
        _F.REFUSES_RECIPIENT: "the server refuses the recipient: {said}",
        _F.REFUSES_MESSAGE: "the server refuses the message: {said}",
        _F.REFUSES_US: "the server refuses us: {said}",
        _F.TOO_LARGE: "the server takes no message larger than {size} bytes",
        _F.LINE_BROKE: "the line broke after the message was given away ({said})",
        _F.RUN_DIED: "the run died while sending it",
        _F.RUN_ENDED: "the run was to end",
        _F.MENDED: "its claims were mended meanwhile",
        _F.ACCEPTED_AGAIN: "the account is accepted again",
        _F.BROKE_CONNECTION: "The mail server {where} broke the connection ({said})",
        _F.TAKES_NO_MORE: "The mail server {where} takes no more: {said}",
        _F.NO_HOST: "The mail server {where} cannot be used: that, or this machine's own name, is not the name of a host",
        _F.REFUSES_LOGIN: "The mail server {where} refuses the login of {user}: {said}",
        _F.NOT_OFFERED: "The mail server {where} does not offer what is asked of it: {said}",
        _F.INSECURE: "The mail server {where} cannot be reached securely: {said}",
        _F.UNUSABLE: "The mail server {where} cannot be used: {said}",
        _F.REFUSES_SENDER: "The mail server refuses the sender {sender}: {said}",
        _F.NO_SENDER: "There is no address to send from: SMTP_FROM is not set, nor smtp_from in system_settings",
    },
    "fr": {
        _F.REFUSES_RECIPIENT: "le serveur refuse le destinataire : « {said} »",
        _F.REFUSES_MESSAGE: "le serveur refuse le message : « {said} »",
        _F.REFUSES_US: "le serveur refuse nos envois : « {said} »",
        _F.TOO_LARGE: "le serveur n'accepte aucun message de plus de {size} octets",
        _F.LINE_BROKE: "la connexion a été coupée après la remise du message (« {said} »)",
        _F.RUN_DIED: "l'exécution s'est arrêtée pendant l'envoi",
        _F.RUN_ENDED: "l'exécution devait se terminer",
        _F.MENDED: "les réclamations ont été corrigées entre-temps",
        _F.ACCEPTED_AGAIN: "le compte est de nouveau accepté",
        _F.BROKE_CONNECTION: "Le serveur de courriel {where} a coupé la connexion (« {said} »)",
        _F.TAKES_NO_MORE: "Le serveur de courriel {where} n'accepte plus rien : « {said} »",
        _F.NO_HOST: "Le serveur de courriel {where} est inutilisable : son nom, ou celui de cette machine, n'est pas valable",
        _F.REFUSES_LOGIN: "Le serveur de courriel {where} refuse l'identifiant {user} : « {said} »",
        _F.NOT_OFFERED: "Le serveur de courriel {where} n'offre pas ce qui lui est demandé : « {said} »",
        _F.INSECURE: "Connexion sécurisée impossible avec le serveur de courriel {where} : « {said} »",
        _F.UNUSABLE: "Le serveur de courriel {where} est inutilisable : « {said} »",
        _F.REFUSES_SENDER: "Le serveur de courriel refuse l'expéditeur {sender} : « {said} »",
        _F.NO_SENDER: "Aucune adresse d'expédition : ni SMTP_FROM ni « smtp_from » dans « system_settings » ne sont renseignés",
    },
}  # fmt: skip

_PHRASES = RecordedPhrases(TEXTS)
trouble_text, trouble_in = _PHRASES.text, _PHRASES.told
