"""One claim: where it stands, its proof, what happened to it, and a button to fetch it now."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html import escape
from pathlib import Path

import streamlit as st
import streamlit.components.v1 as components

from recours.core.claim import FetchStatus
from recours.core.outcome import NotADocumentError
from recours.core.sentences import sentence
from recours.core.text import clean
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit, plainly, show_job, when
from recours.documents.evidence import media_type_of
from recours.logs import local
from recours.operations.labels import quoted
from recours.operations.position import Standing
from recours.operations.records import ListedClaim, Message, PastAttempt
from recours.operations.results import ResultSentences
from recours.runs.source import unknown_claim
from recours.wiring.one_claim import status_of
from recours.wiring.operations import Operations

# ---------------------------------------------------------------- the document


LARGEST = 20_000_000  # bytes: no larger answer is taken from a carrier either

# In force for the frame and whatever stands in it: nothing is loaded, and it leads nowhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-src 'none'"


class Absent(StrEnum):
    """Why there is nothing to show; each is the key of a text."""

    ELSEWHERE = "pod_elsewhere"
    MISSING = "pod_missing"
    UNREADABLE = "pod_unreadable"
    TOO_LARGE = "pod_too_large"
    NO_DOCUMENT = "pod_no_document"


@dataclass(frozen=True)
class Document:
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class NoDocument:
    why: Absent
    detail: str = ""


def read_document(pod_url: str, folder: Path) -> Document | NoDocument:
    """The document that a claim points to.

    Other software writes `pod_url` too: what does not lie in the folder of the documents, links followed, is not opened.
    """
    try:
        path = Path(pod_url)
        real = path.resolve(strict=False)
        if not (path.is_absolute() and real.is_relative_to(folder.resolve())):
            return NoDocument(Absent.ELSEWHERE, pod_url)
        if not real.is_file():
            return NoDocument(Absent.MISSING, path.name)
        if real.stat().st_size > LARGEST:
            return NoDocument(Absent.TOO_LARGE)
        content = real.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a name that cannot be one
        return NoDocument(Absent.UNREADABLE, getattr(error, "strerror", None) or type(error).__name__)
    try:
        return Document(real.name, media_type_of(content, html=real.suffix == ".html"), content)
    except NotADocumentError as finding:
        return NoDocument(Absent.NO_DOCUMENT, str(finding))


def sandboxed(page: bytes, height: int) -> str:
    """HTML that shows a foreign page in a frame without scripts, forms, network access or our page's rights."""
    shown = escape(page.decode("utf-8", "replace"), quote=True)
    return (
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<style>body{margin:0}</style>"
        f'<iframe sandbox="" referrerpolicy="no-referrer" title="POD" srcdoc="{shown}" '
        f'style="width:100%;height:{height}px;border:0;background:#fff"></iframe>'
    )


# ---------------------------------------------------------------- the claim


_HEIGHT = 640  # pixels, of a document


def show(operations: Operations, visit: Visit, reference: str, texts: PageTexts) -> None:
    st.button(texts("back"), key="back", icon=":material/arrow_back:", on_click=_back, args=(visit,))
    listed = operations.records.find(reference)
    if listed is None:
        refused = ResultSentences(texts.language, local).refused(unknown_claim(operations.claims, reference))
        st.error(plainly(refused))
        return
    st.subheader(plainly(reference, 100), divider="gray", anchor=False)
    _standing(operations, visit, listed, texts)
    show_job(visit, texts)
    if listed.pod_url:
        _document(operations, listed.pod_url, texts)
    st.subheader(texts("timeline"), divider="gray", anchor=False)
    _timeline(operations, listed, texts)


def _back(visit: Visit) -> None:
    visit.forget_job()
    st.query_params.pop("claim", None)


def _standing(operations: Operations, visit: Visit, listed: ListedClaim, texts: PageTexts) -> None:
    claim = listed.claim
    status = status_of(operations, listed, ResultSentences(texts.language, local))
    at = status.expected_at or status.next_try_at
    st.markdown(plainly(status.sentence, 1000))
    facts = {
        texts("carrier"): status.carrier or texts("no_carrier"),
        texts("number"): claim.number or texts("no_number"),
        texts("stage"): texts.stage(status.stage),
        texts("attempts"): texts.number(status.attempts),
        texts("deadline"): claim.deadline.isoformat() if claim.deadline else "",
        texts("next_try_at"): when(at) if at else texts("no_next_try"),
        texts("who_can_act"): texts.actor(status.actor) if status.actor else "",
        texts("claim_status"): claim.claim_status or "",
    }
    st.markdown("  \n".join(f"{name}: **{plainly(value, 100)}**" for name, value in facts.items() if value))
    if claim.fetch_status != FetchStatus.SUCCESS:
        st.button(
            texts("fetch_now"),
            key="fetch-now",
            type="primary",
            help=texts("fetch_help"),
            disabled=visit.is_busy or status.stage is Standing.IN_HAND,
            on_click=visit.fetch,
            args=([claim.reference], texts.language),
        )


# ---------------------------------------------------------------- the document


def _document(operations: Operations, pod_url: str, texts: PageTexts) -> None:
    st.subheader(texts("pod"), divider="gray", anchor=False)
    found = read_document(pod_url, operations.settings.pod_dir)
    if isinstance(found, NoDocument):
        detail = plainly(found.detail)
        st.warning(texts(found.why, name=detail, reason=detail))
        if found.why is Absent.ELSEWHERE:
            st.text(clean(pod_url, 500))
        return
    st.download_button(
        texts("download"),
        found.content,
        file_name=found.name,
        mime=found.media_type,
        on_click="ignore",
        key="pod",
    )
    if found.media_type == "application/pdf":
        st.pdf(found.content, height=_HEIGHT)
    elif found.media_type == "text/html":
        st.caption(texts("pod_html"))
        components.html(sandboxed(found.content, _HEIGHT), height=_HEIGHT)
    elif found.media_type in ("image/png", "image/jpeg", "image/gif"):
        st.image(found.content, alt=texts("pod"))
    else:
        st.caption(texts("pod_not_shown"))


# ---------------------------------------------------------------- what happened


@dataclass(frozen=True)
class _Entry:
    at: datetime
    title: str
    lines: list[str]


def _timeline(operations: Operations, listed: ListedClaim, texts: PageTexts) -> None:
    entries = [
        _attempt(attempt, operations, texts) for attempt in operations.records.attempts(listed.claim.id)
    ]
    entries += [_message(message, texts) for message in operations.records.messages(listed.claim.id)]
    if not entries:
        st.caption(texts("no_timeline"))
    for entry in sorted(entries, key=lambda entry: entry.at, reverse=True):
        with st.container(border=True, gap="xsmall"):
            st.markdown(f":small[{when(entry.at)}]  \n{entry.title}")
            for line in entry.lines:
                st.caption(line)


def _attempt(attempt: PastAttempt, operations: Operations, texts: PageTexts) -> _Entry:
    retry = texts("attempt_retry", number=attempt.retry) if attempt.retry else texts("attempt_first")
    if attempt.is_last or attempt.is_sample:
        retry = texts("attempt_last" if attempt.is_last else "attempt_sample")
    sign = {"success": "✅", "failed": "❌"}.get(attempt.outcome, "⏸️")
    carrier = plainly(operations.catalog.name_of(attempt.carrier, attempt.carrier), 60)
    lines = []
    if attempt.kind:
        colon = " :" if texts.language == "fr" else ":"
        error = (
            quoted(texts.language, attempt.message) if attempt.message else ""
        )  # its kind stands beside it
        if attempt.said:
            error = sentence(texts.language, attempt.said)
        lines.append(f"**{texts.kind(attempt.kind)}**{colon} {plainly(error)}")
    if attempt.signed_by:
        lines.append(texts("signed_by", who=plainly(attempt.signed_by, 100)))
    calls = texts.counted("calls", attempt.calls, seconds=texts.number(round(attempt.duration_s, 1)))
    lines.append(f"{carrier} · {plainly(attempt.number, 60)} · {calls}")
    return _Entry(attempt.started_at, f"{sign} **{retry}**: {texts.of('outcome_', attempt.outcome)}", lines)


def _message(message: Message, texts: PageTexts) -> _Entry:
    at = message.ended_at or message.written_at
    if message.told is None:  # perhaps anew: a mail that was to tell it was cancelled
        at, told = message.written_at, texts("told_not_yet")
    elif message.mail_state:
        who = plainly(message.recipient or "", 100)
        told = texts.of("mail_", message.mail_state, who=who)
    else:
        told = plainly(texts.of("told_", message.told))
    title = f"✉️ **{texts('mail')}**: {plainly(texts.of('event_', message.event))}"
    return _Entry(at, title, [told])
