"""The page that `recours dashboard` serves: Streamlit runs this file for every visitor and every click."""

import time
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit

import streamlit as st

from recours.carriers.registry import CATALOG
from recours.core.mail import LANGUAGES
from recours.core.password import Doorkeeper, PasswordHash
from recours.dashboard import claim, claims, overview
from recours.dashboard.texts import PageTexts
from recours.dashboard.visit import Visit, plainly
from recours.database.engine import DatabaseError
from recours.settings.loading import load_at_home
from recours.settings.model import SettingsError, is_loopback
from recours.settings.sources import process_environment
from recours.wiring.operations import Operations, open_operations

# Streamlit leaves a hand's breadth above every page.
_STYLE = "<style>.stMainBlockContainer{padding-top:3.5rem;padding-bottom:3rem}</style>"
_NAMES = {"fr": "Français", "en": "English"}
_VIEWS = ("overview", "claims")

_OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def main() -> None:
    st.set_page_config(page_title="recours", page_icon="📦", layout="wide")
    st.html(_STYLE)
    try:
        settings = load_at_home(process_environment(), CATALOG)
    except SettingsError as faults:
        texts = _header(LANGUAGES[0])
        st.error(texts("no_settings"))
        for fault in faults.faults:
            st.warning(plainly(fault, 1000))
        st.button(texts("again"))
        return
    texts = _header(settings.mail.language)
    if not _may_look(settings.dashboard_password, texts):
        return
    try:
        # Opened for each drawing of the page: a database that was gone or replaced is seen at once.
        operations = open_operations(settings)
        with closing(operations.database):
            _views(operations, texts)
    except DatabaseError as fault:
        st.error(texts("no_database"))
        st.caption(plainly(fault, 1000))
        st.button(texts("again"), key="again")


def _header(language: str) -> PageTexts:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        title = st.empty()
        chosen = st.segmented_control(
            "Language / Langue",
            LANGUAGES,
            default=language,
            required=True,
            key="language",
            format_func=lambda key: _NAMES[key],
            label_visibility="collapsed",
        )
    texts = PageTexts(chosen)
    title.markdown(f"### 📦 {texts('title')}", width="content")
    return texts


def _views(operations: Operations, texts: PageTexts) -> None:
    visit: Visit = st.session_state.setdefault("visit", Visit())
    if reference := st.query_params.get("claim"):
        claim.show(operations, visit, reference, texts)
        return
    view = st.segmented_control(
        "View",
        _VIEWS,
        default=_VIEWS[0],
        required=True,
        key="view",
        format_func=texts,
        label_visibility="collapsed",
        persist_state="session",
        on_change=visit.forget_job,
    )
    if view == "claims":
        claims.show(operations, visit, texts)
    else:
        overview.show(operations, texts)


# ---------------------------------------------------------------- the password


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell whether others may be able to send such a request, though the page listens at this machine alone.

    They can through a proxy; and through somebody's browser here, by a name of theirs that stands for 127.0.0.1.
    """
    if any(name in headers for name in _OF_PROXIES):
        return True
    try:
        return not is_loopback(urlsplit(f"//{headers.get('Host', 'localhost')}").hostname or "")
    except ValueError:
        return True


@st.cache_resource(show_spinner=False)
def _doorkeeper() -> Doorkeeper:
    """One for all visitors of this process."""
    return Doorkeeper(time.monotonic)


def _may_look(wanted: PasswordHash | None, texts: PageTexts) -> bool:
    """Tell whether this visitor may, and ask for the password. A new password shuts everybody out again."""
    if wanted is None:
        if is_from_elsewhere(st.context.headers):
            st.error(texts("needs_password"))
            return False
        return True
    if st.session_state.get("entered") == str(wanted):
        return True
    keeper, address = _doorkeeper(), st.context.ip_address or "loopback"
    with st.form("door", width=400):
        password = st.text_input(texts("password"), type="password", key="password")
        tried = st.form_submit_button(texts("enter"), type="primary")
    if not tried:
        return False
    if wait := keeper.wait_s(address):
        st.error(texts("slow_down", seconds=round(wait) or 1))
    elif keeper.lets_in(password, wanted, address):
        st.session_state["entered"] = str(wanted)
        st.rerun()
    else:
        st.error(texts("wrong"))
    return False


if __name__ == "__main__":
    main()
