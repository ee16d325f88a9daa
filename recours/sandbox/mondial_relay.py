"""Simulates Mondial Relay's tracking service.

Sources: the service's WSDL, the STAT table of the carrier's own shop module, public clients, and a published real
answer. The carrier issues no proof of delivery, so every scenario of a delivered parcel has the same answer.

Inferred, without a source: The STAT and the text for a returned parcel are guesses. Another brand's parcel is unknown
(94). A number in another format has STAT 24. A wrong signature has STAT 97, whether or not the brand exists. Faults
look like those of ASP.NET, and an error may have a text in Libelle01.

Only the operation that a fetch needs is simulated; the others return faults.

Requests do not contain the private key. `has_credentials` verifies that the signature was made with it.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from recours.sandbox import soap
from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question
from recours.sandbox.scenarios import ParcelState, Scenario, french_time
from recours.sandbox.soap import elements

PATH = "/Web_Services.asmx"
NAMESPACE = "http://www.mondialrelay.fr/webservice/"
OPERATION = "WSI2_TracingColisDetaille"

_PARAMETERS = ("Enseigne", "Expedition", "Langue", "Security")
# The format of each parameter, and the STAT for a value in another format.
_RULES = (
    ("Enseigne", r".+", "2"),
    ("Enseigne", r"[0-9A-Z]{2}[0-9A-Z]{6}", "1"),
    ("Expedition", r"[0-9]{8}", "24"),
    ("Langue", r"[A-Z]{2}", "72"),
    ("Security", r"[0-9A-F]{32}", "97"),
)

_STATS = {
    Scenario.UNKNOWN: "94",
    Scenario.NOT_OURS: "94",
    Scenario.AUTH_REFUSED: "97",
    Scenario.SYSTEM_ERROR: "98",
}
_DELIVERED = "82"
_ON_ITS_WAY = "81"
_DENIED = ("95", "96")  # used alternately

# Text and place of an event, and its time before the last event.
_ON_THE_WAY = (
    ("Données reçues", "", timedelta(days=2)),
    ("Prise en charge par Mondial Relay", "LESQUIN", timedelta(days=1, hours=15)),
    ("Colis en cours d'acheminement", "LILLE", timedelta(hours=9)),
    ("Disponible au Point Relais", "LILLE", timedelta(hours=3, minutes=19)),
)
_HANDED_OVER = ("Colis livré au destinataire", "LILLE", timedelta())
_SENT_BACK = ("Colis retourné à l'expéditeur", "LESQUIN", timedelta())


class MondialRelay(soap.SoapCarrier):
    key = "mondial_relay"
    paths = (PATH,)
    number_form = "{digits}{serial:06d}"
    credentials = ("MONDIAL_RELAY_ENSEIGNE", "MONDIAL_RELAY_PRIVATE_KEY")
    tracks_for_all = False
    faults: ClassVar[Mapping[Scenario, str]] = {
        Scenario.FAULT_CLIENT: "Server was unable to read request.",
        Scenario.FAULT_SERVER: "Server was unable to process request.",
    }

    def read(self, request: HttpRequest) -> Question:
        _, values, _ = soap.SoapReader(NAMESPACE, {OPERATION: _PARAMETERS}, _unreadable).read(request)
        for name, form, status in _RULES:
            if not re.fullmatch(form, values[name]):
                raise BadRequestError(_answer(status))
        return Question(
            OPERATION,
            values["Expedition"],
            tracking=True,
            credentials=(values["Enseigne"], ""),
            details={
                "signed": "".join(values[name] for name in _PARAMETERS[:-1]),
                "security": values["Security"],
            },
        )

    def has_credentials(self, question: Question, account: str, password: str) -> bool:
        """Return whether the brand belongs to this account and the signature was made with its key."""
        signed = (question.details["signed"] + password).encode()
        fits = hashlib.md5(signed, usedforsecurity=False).hexdigest().upper() == question.details["security"]
        return fits and question.account == _brand_of(account)

    def settings(self, account: str, password: str) -> dict[str, str]:
        """A brand of eight characters, derived from the account, and its private key."""
        return super().settings(_brand_of(account), password)

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        scenario = state.scenario
        if scenario is Scenario.ACCOUNT_DENIED:
            return _answer(state.alternate(_DENIED))
        return _answer(_STATS[scenario]) if scenario in _STATS else super().refusal(question, state)

    def good(self, question: Question, state: ParcelState) -> Answer:
        """The events, oldest first. A parcel in transit does not have the event of its arrival at the relay."""
        del question
        delivered = state.is_delivered
        passed = _ON_THE_WAY if delivered else _ON_THE_WAY[:-1]
        events = [_event(*event) for event in state.history(passed, _HANDED_OVER, [_SENT_BACK])]
        text = "Colis livré" if delivered else "Colis en cours de traitement"
        status = _DELIVERED if delivered else _ON_ITS_WAY
        return _answer(status, text, ("TABAC DE LA GARE", "012345"), "".join(events))


def _brand_of(account: str) -> str:
    return f"TS{account[-6:]:0>6}"


def _unreadable(reason: str) -> BadRequestError:
    return BadRequestError(soap.fault("soap:Client", f"Server was unable to read request. ---> {reason}"))


def _answer(status: str, text: str = "", relay: tuple[str, str] = ("", ""), events: str = "") -> Answer:
    """An answer with this STAT. The HTTP status is always 200."""
    name, number = relay
    fields = [
        ("STAT", status),
        ("Libelle01", text),
        ("Relais_Libelle", name),
        ("Relais_Num", number),
        ("Libelle02", ""),
    ]
    return soap.response(OPERATION, NAMESPACE, f"{elements(fields)}<Tracing>{events}</Tracing>")


def _event(label: str, place: str, at: datetime) -> str:
    when = french_time(at)
    fields = [
        ("Libelle", label),
        ("Date", f"{when:%d/%m/%y}"),
        ("Heure", f"{when:%H:%M}"),
        ("Emplacement", place),
        ("Relais_Num", "012345" if place else ""),
        ("Relais_Pays", "FR" if place else ""),
    ]
    return f"<ret_WSI2_sub_TracingColisDetaille>{elements(fields)}</ret_WSI2_sub_TracingColisDetaille>"
