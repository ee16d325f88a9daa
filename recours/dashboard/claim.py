"""The page of one claim: its state and the reason, details, proof, history and actions."""

from datetime import date
from pathlib import PurePath
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER, HTTP_404_NOT_FOUND

from recours.admin.results import ResultSentences
from recours.core.accounts import carrier_of
from recours.core.actions import author_and_reason
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, deadline_end
from recours.core.errors import ErrorKind, is_persistent
from recours.core.evidence import DocumentFlaw, EvidenceKind
from recours.core.outcome import PROOF_KINDS, RecordedEvidence
from recours.core.position import Position, Standing, Why
from recours.core.text import clean
from recours.core.translations import translate
from recours.dashboard.claims import TONES
from recours.dashboard.documents import LARGEST, MOST_PAGES, Document, NoDocument, find_document
from recours.dashboard.history import History
from recours.dashboard.texts import CLAIM_STATUSES, DISPUTES
from recours.dashboard.visit import Notice, Visit, actions_of, change_parameters, do_now
from recours.database.client_accounts import Contact
from recours.host.installation import quoted_word, readable
from recours.reporting.advice import possible_actions
from recours.reporting.claim_reports import explanation_of
from recours.reporting.claim_status import ClaimStatus
from recours.reporting.evidence import KIND_NAMES, piece_text, source_text
from recours.reporting.explain import Explanation
from recours.reporting.labels import quoted, reason_of
from recours.reporting.records import ListedClaim
from recours.runs.attempt import known_failure
from recours.runs.source import unknown_claim


def find(visit: Visit) -> Response:
    """Redirect a search in the page header to the claim with this reference, or to the list of matching claims."""
    text = visit.query.get("text", "").strip()
    for reference in dict.fromkeys((text, text.upper())):
        if visit.reports.records.find(reference):
            return RedirectResponse(address_of(reference), HTTP_303_SEE_OTHER)
    matching = change_parameters("/claims", QueryParams(), text=text or None)
    return RedirectResponse(matching, HTTP_303_SEE_OTHER)


def address_of(reference: str) -> str:
    return change_parameters("/claim", QueryParams(), reference=reference)


def show(visit: Visit) -> Response:
    reference = visit.query.get("reference", "")
    app = visit.app
    texts = visit.texts
    explanation = explanation_of(app, reference, language=texts.language)
    if explanation is None:
        return _unknown(visit, reference)
    listed = explanation.listed
    claim = explanation.claim
    facts = explanation.facts
    position = explanation.position
    status = explanation.status
    pieces = facts.evidence.pieces
    chosen = visit.query.get("piece", "")
    document = find_document(listed, pieces, chosen, visit.settings.pod_dir)
    rows = [_piece(visit, piece, listed, chosen) for piece in pieces]
    history = History(texts, app.catalog)
    return visit.page(
        "claim.html",
        claim=claim,
        reference=clean(claim.reference, 100),
        carrier=clean(explanation.carrier or claim.carrier_name, 60),
        state=status,
        tone=TONES.get(position.standing, "warn" if position.refusal else ""),
        closing=_closing(visit, claim, position, status.carrier),
        advice=_advice(explanation),
        facts=_facts(visit, listed, position, status),
        document=document if isinstance(document, Document) else None,
        absent=document if isinstance(document, NoDocument) and (listed.pod_url or chosen) else None,
        absent_reason=DocumentFlaw.translated(texts.language, document.detail)
        if isinstance(document, NoDocument)
        else "",
        chosen=chosen,
        most_pages=MOST_PAGES,
        pieces=rows,
        has_evidence=any(piece.refused is None for piece in pieces),
        heading=next(
            (piece["kind"] for piece in rows if chosen and piece["is_shown"]), texts("Proof of delivery")
        ),
        entries=history.entries(facts.attempts, facts.messages, facts.changes),
        actions=_actions(visit, claim, position) if visit.visitor.may_act else [],
        names=app.catalog.names,
        kinds={kind.value: texts(KIND_NAMES[kind]) for kind in PROOF_KINDS},
        largest_mb=LARGEST // 2**20,
        today=visit.today,
    )


def _unknown(visit: Visit, reference: str) -> Response:
    sentences = ResultSentences(visit.texts.language, visit.settings.policy.zone)
    refused = unknown_claim(visit.app.claims, reference)
    near = refused.suggestion
    return visit.page(
        "no_claim.html",
        HTTP_404_NOT_FOUND,
        sentence=str(sentences.refused(refused)),
        near=near,
        address=address_of(near) if near else "",
    )


def _advice(explanation: Explanation) -> list[str]:
    """What to do. Commands for this claim are left out, because the page has buttons for them."""
    refusal = explanation.position.refusal
    reference = explanation.claim.reference
    if refusal and refusal.stopped:
        return []
    return [readable(clean(line, 500)) for line in explanation.advice if quoted_word(reference) not in line]


def _closing(visit: Visit, claim: Claim, position: Position, carrier: str) -> str:
    """The recorded reason why the carrier cannot be called; "" if it can."""
    texts = visit.texts
    refusal = position.refusal
    if refusal is None:
        return ""
    queue = visit.app.queue()
    key = claim.account_key
    if refusal.stopped and (stop := queue.status(carrier_of(key)).stopped or queue.status(key).stopped):
        who, why = author_and_reason(clean(stop.why or "", 400))
        because = f" ({quoted(texts.language, why)})" if why else ""
        if stop.until:
            at = texts.minute(stop.until)
            return texts("Paused until {at} by {who}{why}.", at=at, who=texts.who(who), why=because)
        return texts(
            "Paused since {at} by {who}{why}.", at=texts.minute(stop.at), who=texts.who(who), why=because
        )
    reason = clean(reason_of(texts.language, refusal, carrier), 500).rstrip(".")
    return f"{reason[:1].upper()}{reason[1:]}."


def _facts(
    visit: Visit, listed: ListedClaim, position: Position, status: ClaimStatus
) -> list[tuple[str, str, str]]:
    """The details of a claim, each with its name, value and link ("": no link)."""
    claim = listed.claim
    texts = visit.texts
    client = visit.app.clients.contacts([claim.client_id]).get(claim.client_id, Contact())
    next_try = texts.minute(status.next_try_at) if status.next_try_at else texts.in_context("attempt", "none")
    if status.not_before:
        next_try = texts("not before {day}", day=texts.weekday(status.not_before))
    facts = [
        (texts("Carrier"), status.carrier or texts("unknown carrier")),
        (texts("Tracking number"), claim.number or texts("none")),
        (texts("Client"), " · ".join(filter(None, client)) or claim.client_text or ""),
        (texts("Order"), listed.order),
        (texts("Recipient"), listed.customer),
        (texts("Amount"), texts.money(claim.amount, listed.currency) if claim.amount else ""),
        (texts("Dispute"), texts.label(DISPUTES, listed.dispute) if listed.dispute else ""),
        (texts("Deadline"), _deadline(visit, claim)),
        (
            texts("Carrier keeps the data until"),
            texts.day(status.evidence_until) if status.evidence_until else "",
        ),
        (texts("Claim status"), texts.label(CLAIM_STATUSES, (claim.claim_status or "").lower())),
        (texts("Created"), texts.day(claim.created_at) if claim.created_at else ""),
        (texts.in_context("time", "Fetched"), texts.minute(listed.fetched_at) if listed.fetched_at else ""),
    ]
    if position.standing is not Standing.FETCHED:
        retries = texts(
            "{used} of {most}", used=claim.retries_counted, most=visit.settings.policy.max_retries
        )
        facts += [
            (texts("Retries used"), retries),
            (texts("Next attempt"), next_try),
            (texts("Who can act"), texts.actor(status.actor) if status.actor else ""),
        ]
    else:
        facts.append((texts("Signed by"), status.signatory or ""))
    facts.append((texts("Unreadable values"), ", ".join(claim.unreadable)))
    links = {texts("Client"): change_parameters("/claims", QueryParams(), client=claim.client_id)}
    return [(name, clean(value, 200), links.get(name, "")) for name, value in facts if value]


def _deadline(visit: Visit, claim: Claim) -> str:
    texts = visit.texts
    if claim.deadline is None:
        return texts.in_context("deadline", "none")
    end = deadline_end(claim.deadline, visit.settings.policy.zone)
    if end <= visit.now:
        return texts("{day} (passed)", day=texts.day(claim.deadline))
    return f"{texts.day(claim.deadline)} ({texts.ago(end, visit.now)})"


def _piece(visit: Visit, piece: RecordedEvidence, listed: ListedClaim, chosen: str) -> dict[str, Any]:
    """A row of the evidence. `about`: its time and source; `is_proof`: whether it is more than a tracking record."""
    texts = visit.texts
    language = visit.texts.language
    source = clean(source_text(piece, language), 100)
    return {
        "kind": translate(language, KIND_NAMES[piece.kind]).capitalize(),
        "shows": clean(piece_text(piece, texts), 500),
        "about": f"{texts.minute(piece.obtained_at)} · {source}",
        "name": clean(PurePath(piece.path).name, 120),
        "digest": piece.sha256,
        "is_refused": piece.refused is not None,
        "is_shown": piece.sha256 == chosen if chosen else piece.path == listed.pod_url,
        "is_proof": piece.kind in PROOF_KINDS,
    }


# The order of the buttons after the first button, which is the action that the claim needs most.
_ACTIONS = ("fetch", "correct", "reopen", "enroll", "attach", "exclude", "pause", "resume")
# Persistent errors that can be solved by attaching other evidence. Other persistent errors need a correction.
_NEED_EVIDENCE = frozenset({ErrorKind.POD_NEVER_AVAILABLE, ErrorKind.RETURNED_TO_SENDER})


def _actions(visit: Visit, claim: Claim, position: Position) -> list[tuple[str, str]]:
    """The possible actions, each with the class of its button. The action that the claim needs most is first."""
    app = visit.app
    possible = possible_actions(claim, position, app.catalog, visit.settings.policy)
    if position.refusal and position.refusal.stopped:
        possible -= {"fetch"}
    if claim.carrier and position.standing is not Standing.IN_HAND:
        possible |= {"resume" if app.queue().status(claim.carrier).stopped else "pause"}
    needed = _most_needed(claim, position, app.catalog)
    in_order = sorted(possible, key=lambda action: (action != needed, _ACTIONS.index(action)))
    return [(action, "main" if action == needed else "") for action in in_order]


def _most_needed(claim: Claim, position: Position, catalog: Catalog) -> str:
    """The action that the claim needs most; "" if it has its proof."""
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ""
    if position.why is Why.LEFT_ALONE:
        return "enroll"
    kind = position.state.kind or position.kind  # the claim's own error takes precedence over the account's
    is_given_up = position.standing is Standing.GIVEN_UP
    if known_failure(claim, catalog) or (kind and is_persistent(kind, last_retry=is_given_up)):
        return "attach" if kind in _NEED_EVIDENCE else "correct"
    return "resume" if position.refusal and position.refusal.stopped else "fetch"


def correct(visit: Visit) -> Response:
    """Correct the claim; empty fields change nothing."""
    reference = visit.field("reference")
    number = visit.field("number") or None
    carrier = visit.field("carrier") or None
    return do_now(visit, lambda actions: actions.correct(reference, number=number, carrier=carrier))


def attach(visit: Visit) -> Response:
    texts = visit.texts
    name, content = visit.upload(LARGEST)
    day = visit.field("at")
    if len(content) > LARGEST:
        text = texts("{file} is larger than {mb} MB.", file=clean(name, 100), mb=LARGEST // 2**20)
        return visit.back(Notice(text, is_good=False))
    try:
        at = date.fromisoformat(day) if day else None
    except ValueError:
        return visit.back(Notice(texts("'{text}' is not a date.", text=clean(day, 40)), is_good=False))
    kind = visit.field("kind")
    result = actions_of(visit).attach(
        visit.field("reference"),
        content,
        name,
        kind=EvidenceKind(kind) if kind in PROOF_KINDS else EvidenceKind.LETTER,
        signed_by=visit.field("signed_by") or None,
        at=at,
    )
    return visit.back(Notice(result.sentence))


def accept(visit: Visit) -> Response:
    """Accept a refused file as a proof."""
    reference = visit.field("reference")
    sha256 = visit.field("piece")
    why = visit.field("why")
    return visit.back(Notice(actions_of(visit).accept(reference, sha256, why).sentence))


def detach(visit: Visit) -> Response:
    reference = visit.field("reference")
    sha256 = visit.field("piece")
    why = visit.field("why")
    return do_now(visit, lambda actions: actions.detach(reference, sha256, why))
