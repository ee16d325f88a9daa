"""What the page says: whatever may be shown has its text, and no text is left over."""

import re
from pathlib import Path

from recours.core.claim import FetchStatus
from recours.core.mail import EventName, MailState
from recours.core.position import Closing
from recours.dashboard.documents import Absent
from recours.dashboard.texts import TEXTS
from recours.dashboard.visitors import NotAdmitted
from recours.operations.accounts import AccountHealth
from recours.reporting.system import Health

PAGE = Path(__file__).resolve().parents[3] / "recours" / "dashboard"


def test_whatever_the_page_may_meet_has_its_text() -> None:
    texts = TEXTS["en"]
    for prefix, values in (
        ("mail_state_", MailState), ("event_", EventName), ("status_", FetchStatus), ("", Health),
        ("outcome_", ("success", "failed", "left", "attached")),
        ("", ("pod_retry_scheduler", "pod_fetch_worker")), ("", Absent), ("health_", AccountHealth),
        ("carrier_", set(Closing) - {Closing.STOPPED} | {"open", "paused"}), ("", set(NotAdmitted) - {NotAdmitted.NOT_ENTERED}),
    ):  # fmt: skip
        assert {f"{prefix}{value}" for value in values} <= texts.keys(), prefix


def test_every_text_is_used_somewhere() -> None:
    files = [path for path in PAGE.rglob("*") if path.suffix in (".py", ".html")]
    code = "".join(path.read_text(encoding="utf-8") for path in files if path.name != "phrases.py")
    # Put together from a prefix and a value.
    built = re.compile(
        r"(mail_state|visitor|event|health|carrier|status|outcome|told|dispute|claim_status|late|of|fix|pod|calls)_.*"
        r"|fine|overdue|running|never_ran"
    )
    unused = {
        key for key in TEXTS["en"] if not re.search(f"[\"']{key}[\"']", code) and not built.fullmatch(key)
    }
    assert unused == set()


def test_templates_have_no_words_of_their_own() -> None:
    """They would be read in both languages."""
    said = r"(?:title|placeholder|aria-label|alt|data-label|data-counts|data-failed)"
    for path in PAGE.rglob("*.html"):
        source = re.sub(r"\{[{%#].*?[}%#]\}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        attributes = re.findall(rf'\s{said}="([^"]*)"', source)
        prose = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", source, flags=re.DOTALL)
        words = set(re.findall(r"[^\W\d_]{2,}", " ".join((prose, *attributes))))
        assert words <= {"recours", "document"}, path.name  # the second is French as well
