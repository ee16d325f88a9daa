"""The order of a claim's history."""

from datetime import UTC, datetime

from recours.carriers.registry import CATALOG
from recours.core.actions import ChangeKind
from recours.dashboard.history import History
from recours.dashboard.texts import PageTexts
from recours.reporting.records import Message, PastAttempt, PastChange

AT = datetime(2026, 2, 2, tzinfo=UTC)


def test_an_effect_follows_its_cause_of_the_same_time() -> None:
    attempt = PastAttempt(1, 1, "", "", "ups", "1Z", 1, AT, 0.0, 1, "success", used=True)
    message = Message("pod_retrieved", "client", AT, "mail", "sent", "shop@shop.example", AT)
    change = PastChange(AT, ChangeKind.REOPENED, "anna", {})
    entries = History(PageTexts("en", UTC), CATALOG).entries([attempt], [message], [change])
    assert [entry.icon for entry in entries] == ["mail", "check", "person"]
