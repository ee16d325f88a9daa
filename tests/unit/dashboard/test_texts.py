"""Everything that the dashboard may have to name has a text."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from recours.accounts.health import AccountHealth
from recours.core.claim import FetchStatus
from recours.core.mail import EventName, MailState
from recours.core.position import Closing
from recours.dashboard import texts
from recours.dashboard.documents import Absent
from recours.reporting.system import Health

PAGE = Path(texts.__file__).parent


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (texts.MAIL_STATES, MailState),
        (texts.EVENTS, EventName),
        (texts.FETCH_STATUSES, FetchStatus),
        (texts.WORKER_STATES, Health),
        (texts.OUTCOMES, ("success", "failed", "left", "attached")),
        (texts.WORKERS, ("pod_retry_scheduler", "pod_fetch_worker")),
        (texts.ABSENT, Absent),
        (texts.ACCOUNT_STATES, AccountHealth),
        (texts.CARRIER_STATES, {*Closing, "open", "paused"} - {Closing.STOPPED}),
    ],
)
def test_every_value_that_the_dashboard_shows_has_a_text(
    table: Mapping[str, str], values: Iterable[str]
) -> None:
    assert set(values) <= table.keys()


def test_templates_contain_no_untranslated_words() -> None:
    """They would be shown in both languages."""
    said = r"(?:title|placeholder|aria-label|alt|data-label|data-counts|data-failed)"
    for path in PAGE.rglob("*.html"):
        source = re.sub(r"\{[{%#].*?[}%#]\}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        attributes = re.findall(rf'\s{said}="([^"]*)"', source)
        prose = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", source, flags=re.DOTALL)
        words = set(re.findall(r"[^\W\d_]{2,}", " ".join((prose, *attributes))))
        assert words <= {"recours", "document"}, path.name  # the second is French as well
