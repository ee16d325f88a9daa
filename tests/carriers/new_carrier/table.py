"""Acme's handwritten answers with their meaning: `tests/carriers/test_rules.py` checks its client against all rules."""

from datetime import UTC, datetime

from recours.carriers.registry import CLIENTS
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Retrieved
from tests.carriers.table import Table
from tests.fakes.answers import HOSTILE, PDF, b64, response

KNOWN = Delivery(datetime(2026, 10, 5, 8, 31, tzinfo=UTC), "DUPONT", label="delivered")
DELIVERED = response(
    {"state": "DELIVERED", "label": "delivered", "at": "2026-10-05T10:31:00+02:00", "signedBy": "DUPONT"}
)
NOT_FOUND = response({"error": {"code": "UNKNOWN_PARCEL", "message": "No such parcel"}}, 404)

TABLE = Table(
    make=lambda: CLIENTS["acme"]({"ACME_KEY": "1-2", "ACME_SITE": "fr"}),
    number="AC0012345678",
    facts={"name": "Acme Express", "credentials": (("ACME_KEY",),)},
    answers=(DELIVERED, response({"content": b64(PDF)})),
    known=KNOWN,
    proof=Retrieved.single(PDF, KNOWN, "acme proof"),
    numbers="AC1234567890",
    no_numbers="1234567890 AC123",
    errors=[{"unknown parcel": (NOT_FOUND, ErrorKind.NOT_FOUND)}],
    hostile=[response({"error": {"code": HOSTILE, "message": HOSTILE}}, 400)],
    nobody=(NOT_FOUND, ErrorKind.NOT_FOUND),
)
