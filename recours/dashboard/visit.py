"""What one visitor has chosen on the page and begun, and what all views show alike."""

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import streamlit as st

from recours.api import fetch_claims
from recours.core.claim import Claim
from recours.core.text import clean, format_minute
from recours.dashboard.texts import PageTexts
from recours.logs import local
from recours.operations.records import ClaimFilter
from recours.operations.results import FetchResult, RecoursError
from recours.runs.worker import Worker

# ---------------------------------------------------------------- texts and times

# What Markdown, as Streamlit reads a line of it, would take for more than a sign; the rest is left for the sake of
# those who have the labels read to them.
_MARKUP = re.compile(r"([\\`*_{}\[\]#!~$<>&|]|^[-+]|^\d+[.)])")


def plainly(text: object, limit: int = 300) -> str:
    """Text from outside for where Streamlit reads Markdown: every sign stands for itself."""
    return _MARKUP.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", clean(text, limit))


def when(at: datetime | None) -> str:
    return format_minute(at, local) if at else "–"


# ---------------------------------------------------------------- a fetch that was asked for


@dataclass
class FetchJob:
    """A run over claims that were asked for, in a thread of its own."""

    references: Sequence[str]
    language: str
    outcomes: list[FetchResult | RecoursError] = field(default_factory=list)
    fault: str | None = None  # what concerned all of them
    _worker: Worker | None = None
    _thread: threading.Thread | None = None

    def start(self) -> "FetchJob":
        """Begin. Not a daemon: a server that is stopped waits for the calls under way."""
        self._thread = threading.Thread(target=self._run, name="fetch-job")
        self._thread.start()
        return self

    @property
    def is_over(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    @property
    def done(self) -> int:
        return self._worker.stats.total if self._worker else 0

    @property
    def fetched(self) -> int:
        return sum(isinstance(outcome, FetchResult) and outcome.fetched for outcome in self.outcomes)

    def _run(self) -> None:
        def begun(worker: Worker) -> None:
            self._worker = worker

        try:
            self.outcomes = fetch_claims(self.references, language=self.language, begun=begun)
        except RecoursError as error:
            self.fault = str(error)
        except Exception as error:
            # The run wrote its traceback to the log. Here it would not be seen.
            self.fault = f"{type(error).__name__}: logs/pod_retry_scheduler.log"
            raise


# ---------------------------------------------------------------- the visit


@dataclass
class Visit:
    """All that a click may change, but for the address.

    When the visitor has clicked again meanwhile, Streamlit ends a callback at its next use of `st.session_state`, of
    the address, or of anything that is drawn, and never calls it again. So callbacks change this object, and the
    address last of all; what is ticked is read off the boxes whenever the page is drawn.
    """

    job: FetchJob | None = None
    page: int = 1
    picked: set[str] = field(default_factory=set)  # references, on whatever page of the list
    _wanted: ClaimFilter = field(default_factory=ClaimFilter)
    _round: int = 0

    def look_for(self, wanted: ClaimFilter) -> None:
        """Begin the list anew if it is to show others than before."""
        if wanted != self._wanted:
            self._wanted = wanted
            self.page = 1
            self.pick_none()
            self.forget_job()

    def go_to(self, page: int) -> None:
        self.page = page

    # ---------------------------------------------------------------- choosing

    def box(self, claim: Claim) -> str:
        return f"pick-{self._round}-{claim.id}"

    def pick(self, references: Iterable[str], chosen: bool) -> None:
        if chosen:
            self.picked.update(references)
        else:
            self.picked.difference_update(references)

    def pick_all(self, references: Iterable[str], chosen: bool) -> None:
        """Tick or clear these, whatever their boxes say."""
        self._renew_boxes()
        self.pick(references, chosen)

    def pick_none(self) -> None:
        self._renew_boxes()
        self.picked.clear()

    def _renew_boxes(self) -> None:
        # The browser goes on telling that those before are ticked until it has drawn these.
        self._round += 1

    # ---------------------------------------------------------------- fetching

    @property
    def is_busy(self) -> bool:
        return self.job is not None and not self.job.is_over

    def fetch(self, references: list[str], language: str) -> None:
        """Begin to fetch these claims; the second click of a double one begins nothing."""
        if not self.is_busy:
            self.job = FetchJob(references, language).start()

    def fetch_picked(self, language: str) -> None:
        """Begin to fetch what is chosen, which then no longer is; as with `fetch`, once."""
        if self.picked and not self.is_busy:
            self.fetch(sorted(self.picked), language)
            self.pick_none()

    def forget_job(self) -> None:
        """Its result, if there is one, was seen."""
        if not self.is_busy:
            self.job = None


# ---------------------------------------------------------------- what came of a fetch


def show_job(visit: Visit, texts: PageTexts) -> None:
    if visit.is_busy:
        _progress(visit, texts)
    elif visit.job:
        _results(visit.job, texts)


@st.fragment(run_every=0.3)
def _progress(visit: Visit, texts: PageTexts) -> None:
    current = visit.job
    if current is None or current.is_over:
        st.rerun()
    total = len(current.references)
    if total == 1:
        st.info(texts("fetching"), icon="⏳")
    else:
        done = min(current.done, total)
        st.progress(done / total, text=texts("progress", done=done, total=total))


def _results(current: FetchJob, texts: PageTexts) -> None:
    if current.fault:
        st.error(plainly(current.fault, 1000))
        return
    if len(current.outcomes) == 1:
        _outcome(current.outcomes[0])
        return
    st.markdown(f"**{texts('results_of', fetched=current.fetched, total=len(current.outcomes))}**")
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
