"""Colissimo: tracking and proof of delivery with the credentials of a contract, JSON over HTTP.

Sources: the carrier's own shop modules (WooCommerce, Magento 2), the recorded exchanges of the public client roulier,
the carrier's "API DOCUMENTS" v0.0.8 and "Timeline tracking WS" v2.3 of 2021, and an older table of tracking codes.
Nothing was tested against the live services.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from recours.carriers import answers, json_api
from recours.carriers.answers import PARIS, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import Client, add_delivery, further_evidence
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.quota import Capability
from recours.core.sentences import Sentence

SPEC = CarrierSpec(
    key="colissimo",
    name="Colissimo",
    spellings=("Colissimo International", "Colissimo France", "So Colissimo", "Coliposte"),
    limits={None: "1000/day@Europe/Paris"},  # our choice; the carrier publishes no limit
    credentials=(("COLISSIMO_LOGIN", "COLISSIMO_PASSWORD"), ("COLISSIMO_API_KEY",)),
    base_url="https://ws.colissimo.fr",
    # S10, or a format that starts with 6A, 6C, 8Q and others. Some products have a digit in second place.
    number_form=re.compile(rf"[0-9][A-Z0-9][0-9]{{11}}|{answers.S10.pattern}"),
    number_example="6A12345678900",
    calls={Capability.TRACKING: 1, Capability.POD: 2},  # more documents only if calls are left
    sample_number="6A00000000000",
    check_digit_fits=answers.s10_fits,
)

_TIMELINE = "/tracking-timeline-ws/rest/tracking/timelineCompany"
_DOCUMENTS = "/api-document/rest/documents"
_DOCUMENT = "/api-document/rest/document"
_LANGUAGE = "fr_FR"

# ---------------------------------------------------------------- tables of the tracking

# Event codes. Source, unless stated otherwise: the list of 320 codes with labels in the carrier's own WooCommerce
# module (lpc_colissimo_status.php). We chose each meaning by the French label. 16 more codes, including COMCFM and
# LIVREO, and the meaning of CHGCFM are from an older table with labels in a public client (AnyBlok).
CODES = answers.status_table(
    {
        # "Livré": delivered to a person at the recipient's address or named in the order. LIVBPO: their PO box.
        ParcelStatus.DELIVERED: "LIVACC LIVBAL LIVBPO LIVCFM LIVCGA LIVDIV LIVGAR LIVRCA LIVRCC LIVRTI LIVVOI",
        # Back at its sender, or sent back under another number and without further events (SCCEXP). The label of LIVVPC
        # says "delivered", but the carrier's Magento module treats it as a delivery to the mail-order sender.
        ParcelStatus.RETURNED: "LIVEXP LIVREO LIVVPC SCCEXP",
        # On its way back, or soon will be: "retourné à l'expéditeur", "sera retourné", "renvoyé". The parcel may still
        # be redirected.
        ParcelStatus.GOING_BACK: """
            AACEDI ECHANN ECHCEX ECHDID ECHMQT ECHNCF FENRET PABRET RCDABS RCDCPE RCDDES RCDDOC RCDNPA
            RCDPDS RCDREA RCDREL RCDRET REFALI REFCEX REFDEX RENALI RENAVA RENBEC RENDES RENDIA RENDID
            RENDIV RENDOC RENEDI RENEMB RENEXP RENHER RENNPA RENOUV RENRPE RENRPP RENSHD RENSNC RENSRB
            RENTAR RENTAX RENXXX SOLREI SOLREO
        """,
        # "Saisi par les autorités douanières, il ne sera pas livré".
        ParcelStatus.SEIZED: "SOLDDR",
        # "Le contenu est prohibé, il ne pourra pas être livré".
        ParcelStatus.PROHIBITED: "DOUPRO RSTPRO",
        # "Pris en charge par La Poste"; PCHCFM is from the older table.
        ParcelStatus.ACCEPTED: "AECCOU AECPRE ECHCLI PCHCEI PCHCFM",
        # On its way, held, or awaiting collection, but not delivered yet.
        ParcelStatus.ON_ITS_WAY: """
            AACALI AARAVI AARBPR AARBRX AARCFM AARDES AARDOU AARDVY AAREXP AARIMP AARJPO AARREL AARREX
            AARRLX AARRTG AARTER AARTRA ACKNAD AEC AEC128 AECCFM AECEXC AECEXP AECIMP AECIND AECMAN
            AECPIS AECPNC AECS3C AECSEC AECTRC AECTRI CHGCFM COMCFM DCHCFM DCHDDT DEPCDR DEPGUI
            DEPHLD DEPIMP DEPREL DEPSIO DOUAGV DOUCOI DOUCOM DOUCRR DOUDDI DOUDDM DOUDOU DOUDVR DOUEOR
            DOUEXI DOUEXP DOUFAC DOUFCI DOUFCM DOUIDD DOUIIR DOUNIR DOUPAR DOURES DOUTAX DOUVIS ECHCFM
            EMLCFM ENEAVA ENEDAF ENEDOC ENEMQT ENENCF EXPCFM FENDES LIVAVI LIVCIT LIVREL LIVRLI
            MLVARS MLVEXP MLVIMP MLVTRA MLVTRD NADDES PABDES PCH128 PCHBOR PCHCEX PCHCLI
            PCHDFT PCHDIS PCHEXC PCHEXP PCHEXT PCHIMP PCHIND PCHINJ PCHJPO PCHMAN PCHMQT PCHPDS PCHPIS
            PCHPNC PCHPRE PCHREC PCHREN PCHS3C PCHSEC PCHSVI PCHTRI PRELIV QDICFM RCDDVY RDVABS RDVAIN
            RDVCFM RDVCR1 RDVCR2 RDVCR3 RDVDEM RDVINC RDVINS RDVLDF RDVMA1 RDVMA2 RDVMA3 RDVPRI RDVREP
            RDVSEC RDVTER RECALI REFCDS REFDDS REFINS REFISO RENACO RENACP RENAEP RENAIN RENAPR RENARV
            RENAVI RENCAD RENCRV RENDET RENECO RENFCO RENGUI RENINC RENLNA RENNRV RENPPL RENRDV RENREF
            RENREL RENRES RENREX RENRPR RENVOL RSDBPI RSDCNI RSDCNS RSDNRV RSDREL RSTACP RSTAVI RSTBRT
            RSTCAD RSTDIF RSTNCG RSTRES RSTTAF RSTZNL
        """,
        # The label is empty or "Non affiché", or does not say whether the parcel will move on: an incident (AARLIB,
        # SOL...), a case with customer service, a new number (SCCDES), or a delivery that the module does not treat as
        # a delivery (LIVRDV). These codes do not show a delivery.
        ParcelStatus.UNCLEAR: """
            AARALI AAREXC AARLIB AARREM ACDBRS ACDNPL ACDPNT ACPINF ACPINT AECCLI AECPDS ANNULE AVOEXT
            CCDSUP COMLDF COMLNA CRBREC CRBTRT DIFDIL DOUANN DOUFTD DSCCLO DSCIND DSCMAJ DSCOUV ECHCNS
            ECHRCC ECHREL EDIMQT EDINCG EMADFT EMLCAD EMLRES EMLVAL ENECAD ENECNS ENEFCO ENEFMA ENEPRE
            ENEREL ENERES EPCCFM EPCCOM EPCMQT EPCREL FENLIB IGNORE INVEXT LCDECP LCDEXP LCDPAE LCDSUP
            LCQENC LCQENV LCQNEC LCQNEM LCQPER LCQREF LIVECH LIVRDV MLVDFT NADNOK PABLIB PCHECH PREAVI
            PRELIZ QINDIV QINEXP QINNCF RDVANN REFLIB REFREN REFSTP REMTRA RENCND RENNRZ RENSCR RENSRV
            RENVLM RSDANO RSDINS RSDMQT RSTEMP RSTREF RSTTRI SCCDES SCCDID SCLBRI SCLSCL SOLDOC SOLMAR
            SOLMQD SOLMQT SOLVOL TEMTEM TRAINT WCDAVA WCDENR
        """,
    }
)

_OK = "0"
_ARRIVED = ("5", "STEP_STATUS_ACTIVE")  # the "delivered" step, according to three sources

# Products without a signature, from the carrier's own module. That answers contain the product, and the name of its
# field, are inferred from the carrier's shipping service.
PRODUCTS_WITHOUT_SIGNATURE = frozenset({"DOM", "COM", "COLD"})

# status[0].code. Sources: 105 was recorded; 101, 103, 104 are from an old document, 202 from one third party; 201 and
# 1000 are inferred.
TIMELINE_CODES: dict[str, Meaning] = {
    "101": Sentence.NUMBER_REJECTED,
    "103": Sentence.PARCEL_TOO_OLD,
    "104": Sentence.PARCEL_NOT_OURS,
    "105": Sentence.NUMBER_UNKNOWN,
    "201": Sentence.CREDENTIALS_REJECTED,
    "202": Sentence.SERVICE_DENIED,
    "1000": Sentence.CARRIER_ERROR,
}

# ---------------------------------------------------------------- tables of the documents

_GOOD = "000"
_BODY_INVALID = "005"

# errors[].code (recorded). It is more specific than errorCode, in which 999 can mean anything.
INNER_CODES: dict[str, Meaning] = {
    "144": Sentence.PARCEL_NOT_OURS,
    "150": Sentence.NUMBER_REJECTED,
    "153": Sentence.NUMBER_UNKNOWN,
}
# errorCode. Sources: 001 and 005 were recorded; 002: the carrier's document; 003: three sources; 004: two sources.
DOCUMENT_CODES: dict[str, Meaning] = {
    "001": Sentence.NUMBER_UNKNOWN,
    "002": Sentence.NUMBER_UNKNOWN,
    "003": Sentence.PROOF_PENDING,
    "004": Sentence.CREDENTIALS_REJECTED,
    _BODY_INVALID: Sentence.NUMBER_REJECTED,
}
# documentType, with its rank: a lower rank is a better proof. Both shop modules show SIGNATURE as the proof.
RANKS = {"SIGNATURE": 0, "DELIVERY_CERTIFICATE": 1, "PHOTO": 2, "PICTURE": 2}
_PHOTOS = ("PHOTO", "PICTURE")

# HTTP statuses of both services, used without a known code. 401, 403, 413: from the carrier's list for documents.
_NOT_READ: dict[int, Meaning] = dict.fromkeys((400, 413), Sentence.REQUEST_REJECTED)

_LONGEST_PATH = 1000  # characters of a path from an answer that is sent back


class Listed(NamedTuple):
    """An available document. `path` and `uuid` are untrusted and only sent back to the carrier."""

    path: str | None
    uuid: str | None
    type: str = "SIGNATURE"
    at: datetime | None = None  # aware UTC


class Colissimo(Client):
    spec = SPEC
    denies_by_parcel = True

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        # The service expects the credentials in the same object as the number.
        content = {**_credential(self.settings), "parcelNumber": number, "lang": _LANGUAGE}
        return parse_tracking(session.call(Capability.TRACKING, json_api.post(_TIMELINE, content)), number)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Call `documents`, then `document` for the best document listed and, if calls are left, for the others."""
        content = {"credential": _credential(self.settings), "cab": number, "lang": _LANGUAGE}
        answer = session.call(Capability.POD, json_api.post(_DOCUMENTS, content))
        listed = parse_documents(answer, number)
        if isinstance(listed, Failure):
            return listed
        session.credentials_accepted()
        best, *other_documents = listed
        if delivery.at is None:
            delivery = replace(delivery, at=best.at)
            session.delivery_known(delivery)
        answer = session.call(Capability.POD, document_request(number, best, self.settings))
        outcome = parse_document(answer, delivery, best)
        for other in other_documents:
            if not isinstance(outcome, Retrieved):
                break
            further = further_evidence(session, document_request(number, other, self.settings))
            outcome = outcome.with_pieces_of(parse_document(further, delivery, other) if further else None)
        return add_delivery(outcome, delivery)


def document_request(number: str, listed: Listed, settings: Mapping[str, str]) -> Request:
    """A `document` call, which returns the bytes. It accepts any content type, because the sources specify none."""
    content = {"credential": _credential(settings), "lang": _LANGUAGE, "cab": number}
    place = {"path": listed.path, "uuid": listed.uuid}
    return json_api.post(_DOCUMENT, content | place, {"Accept": "*/*"})


def _credential(settings: Mapping[str, str]) -> dict[str, str]:
    if settings.get("COLISSIMO_LOGIN") and settings.get("COLISSIMO_PASSWORD"):
        return {"login": settings["COLISSIMO_LOGIN"], "password": settings["COLISSIMO_PASSWORD"]}
    return {"apiKey": settings["COLISSIMO_API_KEY"]}


# ---------------------------------------------------------------- answers of the tracking


def parse_tracking(answer: Response, number: str) -> Delivery | Failure:
    """The delivery, or a failure. It has no signatory, because the consignee is only the person on the label."""
    tree = json_api.tree(answer.body)
    status = json_api.items(tree, "status")
    code = json_api.text(status, 0, "code")
    if code == _OK and answer.is_ok:
        return _parcel_result(json_api.at(tree, "parcel"), answer, number)
    carrier_text = json_api.text(status, 0, "message") or _error_text(tree)
    return _error(answer, TIMELINE_CODES, None if code == _OK else code, carrier_text)


def _parcel_result(parcel: Any, answer: Response, number: str) -> Delivery | Failure:
    steps = [step for step in json_api.items(parcel, "step") if json_api.text(step, "stepId")]
    arrived = [s for s in steps if (json_api.text(s, "stepId"), json_api.text(s, "status")) == _ARRIVED]
    # The service lists the newest event first.
    events = [_scan(e) for e in reversed(json_api.items(parcel, "event")) if json_api.text(e, "code")]
    if not events and not steps:
        return answers.unreadable(SPEC.name, answer)
    # The steps are less specific than the events, so they are used only if no event reports a delivery.
    if not events:
        events = [_step(step) for step in steps if json_api.text(step, "status") == _ARRIVED[1]]
    elif arrived and not any(event.status is ParcelStatus.DELIVERED for event in events):
        events.insert(0, _step(arrived[0]))
    own = json_api.text(parcel, "parcelNumber")
    shipment = Shipment(numbers=(own,) if own else (), scans=tuple(events))
    outcome = answers.handover(SPEC.name, number, [shipment], answer, CODES)
    if isinstance(outcome, Failure):
        return outcome
    at = outcome.scan.at or _time(json_api.at(arrived, 0))
    delivery = outcome.delivery(at, place=json_api.text(outcome.scan.body, "siteName"))
    if json_api.first_text(parcel, "productCode", "service.productCode") in PRODUCTS_WITHOUT_SIGNATURE:
        return Failure.of(Sentence.PROOF_UNSIGNED, SPEC.name, None, answer.status, delivery=delivery)
    return delivery


def _scan(event: Any) -> Scan:
    return Scan.of(
        event, json_api.text(event, "code"), CODES, _time(event), json_api.text(event, "labelLong")
    )


def _step(step: Any) -> Scan:
    label = json_api.first_text(step, "labelLong", "labelShort")
    is_last = json_api.text(step, "stepId") == _ARRIVED[0]
    return Scan(status=ParcelStatus.DELIVERED if is_last else None, at=_time(step), label=label)


def _time(dated: Any) -> datetime | None:
    """The time of an event or step. It has no offset and is assumed to be French (inferred)."""
    return answers.parse_time(json_api.text(dated, "date"), PARIS)


# ---------------------------------------------------------------- answers of the documents


def parse_documents(answer: Response, number: str) -> list[Listed] | Failure:
    """The latest document of each type for a delivered parcel, best type first, or why documents are missing."""
    tree = json_api.tree(answer.body)
    if json_api.text(tree, "errorCode") != _GOOD or not answer.is_ok:
        return _refusal(tree, answer)
    if not isinstance(json_api.at(tree, "documents"), list | dict | None):
        return answers.unreadable(SPEC.name, answer)
    entries = json_api.items(tree, "documents")
    ours = [e for e in entries if answers.same_number(json_api.text(e, "cab") or number, number)]
    if entries and not ours:
        return answers.about_another(SPEC.name, answer)
    documents = [listed for entry in ours if (listed := _listed(entry))]
    latest = {one.type: one for one in sorted(documents, key=lambda one: one.at or answers.NEVER)}
    # Without the product in the answer, we cannot tell whether a proof will follow.
    return sorted(latest.values(), key=lambda listed: RANKS[listed.type]) or answers.failure_of(
        SPEC.name, DOCUMENT_CODES["003"], answer
    )


def _listed(entry: Any) -> Listed | None:
    """The document of an entry, or None if the entry is not a proof or does not say how to request the document."""
    of_type = json_api.text(entry, "documentType") or ""
    path, uuid = (_usable(json_api.at(entry, name)) for name in ("path", "uuid"))
    if of_type not in RANKS or not (path or uuid):
        return None
    return Listed(path, uuid, of_type, answers.parse_time(json_api.text(entry, "eventDate"), PARIS))


def _usable(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_PATH else None


def parse_document(answer: Response, delivery: Delivery, listed: Listed) -> Outcome:
    """The document's bytes as received, or a failure for JSON or a web page."""
    if answer.is_ok and not _is_service_message(answer):
        kind = EvidenceKind.PHOTO if listed.type in _PHOTOS else EvidenceKind.LETTER
        return Retrieved.single(answer.body, delivery, "colissimo document", kind=kind)
    return _refusal(json_api.tree(answer.body), answer)


def _is_service_message(answer: Response) -> bool:
    kind = (answer.headers.get("Content-Type") or "").lower()
    start = answer.body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "json" in kind or "html" in kind or start in (b"", b"{", b"[", b"<")


def _refusal(tree: Any, answer: Response) -> Failure:
    """The failure for an error of the documents service, by its codes or else by its HTTP status."""
    code = json_api.text(tree, "errorCode")
    carrier_text = _error_text(tree)
    inner = list(filter(None, (json_api.text(error, "code") for error in json_api.items(tree, "errors"))))
    meaning = next((INNER_CODES[text] for text in inner if text in INNER_CODES), None)
    if meaning is not None:
        return answers.failure_of(SPEC.name, meaning, answer, carrier_text)
    strange = " / ".join([code or "none", *inner[:3]])
    # If the service rejects the body for a reason other than the number, the mistake is ours.
    if code in DOCUMENT_CODES and not (code == _BODY_INVALID and inner):
        failure = answers.failure_of(SPEC.name, DOCUMENT_CODES[code], answer, carrier_text)
        return answers.report_code(failure, SPEC.name, answer, strange, carrier_text) if inner else failure
    if not inner and code in (None, _GOOD):
        return _error(answer, {}, json_api.first_text(tree, "messages.id"), carrier_text)
    return _error(answer, {}, strange, carrier_text)


# ---------------------------------------------------------------- answers of both services


def _error(
    answer: Response, codes: Mapping[str, Meaning], code: str | None, carrier_text: str | None
) -> Failure:
    statuses = answers.ACCOUNT_STATUSES | ({} if code else _NOT_READ)
    return answers.error(SPEC.name, answer, codes, statuses, code, carrier_text)


def _error_text(tree: Any) -> str | None:
    """The text of an error in any of the known formats."""
    return json_api.first_text(
        tree, "errors.message", "errorLabel", "messages.messageContent", "message", "error"
    )
