"""What the views of the page share."""

import re
from datetime import datetime

import streamlit as st

from recours.core.text import clean, format_minute
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import FetchJob, Visit
from recours.logs import local
from recours.operations.api_results import FetchResult, RecoursError

# What Markdown, as Streamlit reads a line of it, would take for more than a sign; the rest is left for the sake of
# those who have the labels read to them.
_MARKUP = re.compile(r"([\\`*_{}\[\]#!~$<>&|]|^[-+]|^\d+[.)])")


def plainly(text: object, limit: int = 300) -> str:
    """Text from outside for where Streamlit reads Markdown: every sign stands for itself."""
    return _MARKUP.sub(_escaped, clean(text, limit))


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1][:-1]}\\{found[1][-1]}"


def when(moment: datetime | None) -> str:
    """A moment for people."""
    return format_minute(moment, local) if moment else "–"


def show_job(visit: Visit, words: PageTexts) -> None:
    """The progress of what was begun, then its results."""
    if visit.is_busy:
        _progress(visit, words)
    elif visit.job:
        _results(visit.job, words)


@st.fragment(run_every=0.3)
def _progress(visit: Visit, words: PageTexts) -> None:
    current = visit.job
    if current is None or current.is_over:
        st.rerun()
    total = len(current.references)
    if total == 1:
        st.info(words("fetching"), icon="⏳")
    else:
        done = min(current.done, total)
        st.progress(done / total, text=words("progress", done=done, total=total))


def _results(current: FetchJob, words: PageTexts) -> None:
    if current.fault:
        st.error(plainly(current.fault, 1000))
        return
    if len(current.outcomes) == 1:
        _outcome(current.outcomes[0])
        return
    st.markdown(f"**{words('results_of', fetched=current.fetched, total=len(current.outcomes))}**")
    with st.container(height=240 if len(current.outcomes) > 3 else "content", border=True):  # noqa: PLR2004 (fit a screen)
        for outcome in current.outcomes:
            _outcome(outcome)


def _outcome(outcome: FetchResult | RecoursError) -> None:
    if isinstance(outcome, RecoursError):
        st.warning(plainly(outcome, 1000))
    elif outcome.fetched:
        st.success(plainly(outcome.sentence, 1000))
    else:
        st.warning(plainly(outcome.sentence, 1000))
