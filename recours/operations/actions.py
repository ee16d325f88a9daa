"""What a person does to claims, carriers, accounts and mails, said in their language."""

from dataclasses import dataclass
from typing import Any

from recours.core.errors import ErrorKind
from recours.operations.results import RecoursError

LONGEST_WHY = 300
MOST_CLAIMS = 5000  # of one action


@dataclass(frozen=True)
class ActionResult:
    """What came of an action. `subject`: the reference of a claim, or the key of a carrier or an account.

    `is_done`: False: nothing was changed, and `sentence` says why; of a check, that the carrier did not accept the credentials.
    """

    subject: str
    sentence: str
    is_done: bool = True


@dataclass(frozen=True)
class AccountResult(ActionResult):
    """An account at a carrier, and what one call showed of it. `client_id`: None: the house's."""

    client_id: Any = None
    carrier: str = ""  # as people write it
    accepted: bool | None = None  # by the carrier; None: it was not asked, or did not say
    kind: ErrorKind | None = None  # of what is in the way; None: nothing is
    error: str | None = None  # what the carrier said, or what kept it from being asked


class CorrectRequestError(RecoursError):
    """What was asked for cannot be done as it was asked: correct it."""


SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "reopened": "{reference} starts over: the next run asks the carrier.",
        "excluded": "{reference}: excluded; no run works on it.",
        "detached": "{reference}: the proof was taken back and is kept as {path}; runs look for another one.",
        "detached_next": "{reference}: the proof was taken back and is kept as {path}; the best of the others counts.",
        "enrolled": "{reference}: enrolled; the fetch worker's next run asks the carrier.",
        "corrected": "{reference}: corrected; the next run starts over with it.",
        "doubtful": "{reference}: corrected; the next run starts over with it. The check digit of {number} does not fit: is it mistyped?",
        "paused": "{carrier} is paused until someone resumes it. Claims stay due, and no attempt is used.",
        "paused_again": "{carrier} was paused already; the reason is the new one.",
        "others_go_on": "Its claims that are asked of {others} go on.",
        "resumed": "{carrier} resumed: the next run calls it.",
        "still_closed": "{carrier} resumed. It takes no call yet: {reason}.",
        "not_paused": "{carrier} was not paused; nothing was changed.",
        "closed_otherwise": "{carrier} was not paused; nothing was changed. It takes no call: {reason}.",
        "refusal_lifted": "The pause that a refusal had left is lifted.",
        "limits_changed": "{client} at {carrier}: limits {limits}.",
        "limits_default": "{client} at {carrier}: the carrier's limits.",
        "account_kept": "The credentials of {client} at {carrier} are kept; the next run asks with them.",
        "account_removed": "{client} at {carrier}: removed. Its claims are asked with the house's account, if there is one.",
        "released": "{count} mails released: the next run sends them.",
        "released_one": "1 mail released: the next run sends it.",
        "none_held": "No mail is held.",
        "no_address": "'{text}' is not one mail address, such as someone@example.com.",
        "no_mail_server": "No mail server is set: SMTP_HOST, or smtp_host in the table system_settings.",
        "mail_not_sent": "Not sent: {error}.",
        "mail_sent": "E-mail to {address} accepted by {server} (from {sender}, {security}).",
        "no_encryption": "no encryption",
    },
    "fr": {
        "reopened": "{reference} : nouvel essai, le transporteur est interrogé à la prochaine exécution.",
        "excluded": "{reference} : exclue, aucune exécution ne s'en occupe plus.",
        "detached": "{reference} : la preuve est retirée et conservée sous {path} ; les exécutions en cherchent une autre.",
        "detached_next": "{reference} : la preuve est retirée et conservée sous {path} ; la meilleure des autres compte.",
        "enrolled": "{reference} : prise en charge, le transporteur est interrogé à la prochaine exécution.",
        "corrected": "{reference} : corrigée, la recherche repart de zéro à la prochaine exécution.",
        "doubtful": "{reference} : corrigée, la recherche repart de zéro à la prochaine exécution. La clé de contrôle de {number} ne correspond pas : faute de frappe ?",
        "paused": "{carrier} est en pause jusqu'à sa reprise. Les réclamations restent à traiter, aucune tentative n'est comptée.",
        "paused_again": "{carrier} était déjà en pause ; le motif est remplacé.",
        "others_go_on": "Ses réclamations qui passent par {others} ne sont pas en pause.",
        "resumed": "{carrier} reprend : la prochaine exécution l'interroge.",
        "still_closed": "{carrier} reprend, mais ne peut pas encore être interrogé : {reason}.",
        "not_paused": "{carrier} n'était pas en pause ; rien n'a été modifié.",
        "closed_otherwise": "{carrier} n'était pas en pause ; rien n'a été modifié. Il ne peut pas être interrogé : {reason}.",
        "refusal_lifted": "La pause due à un refus est levée.",
        "limits_changed": "{client} chez {carrier} : limites {limits}.",
        "limits_default": "{client} chez {carrier} : limites du transporteur.",
        "account_kept": "Les identifiants de {client} chez {carrier} sont enregistrés ; la prochaine exécution les utilise.",
        "account_removed": "{client} chez {carrier} : compte supprimé. Ses réclamations passent par le compte de la maison, s'il existe.",
        "released": "{count} courriels libérés : la prochaine exécution les envoie.",
        "released_one": "1 courriel libéré : la prochaine exécution l'envoie.",
        "none_held": "Aucun courriel n'est retenu.",
        "no_address": "« {text} » n'est pas une adresse de courriel, telle que someone@example.com.",
        "no_mail_server": "Aucun serveur de courriel n'est réglé : SMTP_HOST, ou smtp_host dans la table system_settings.",
        "mail_not_sent": "Pas envoyé. Réponse du serveur de courriel : « {error} ».",
        "mail_sent": "Courriel pour {address} accepté par {server} (de {sender}, {security}).",
        "no_encryption": "sans chiffrement",
    },
}
