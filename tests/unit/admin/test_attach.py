"""The order of a claim's pieces of evidence, and a claim whose file could not be stored."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest

from recours.admin.attach import Attacher, Attachment, NotAttachedError
from recours.admin.results import ResultSentences
from recours.core.claim import Claim, Delivery, FetchStatus
from recours.core.errors import RunError
from recours.core.evidence import Appraisal, EvidenceKind, Findings
from recours.core.outcome import BY_HAND, RecordedEvidence, StoredDocument
from recours.core.policy import Policy
from recours.reporting.records import ListedClaim

NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
CLAIM = Claim(
    1, "CLM-1", carrier_name="DPD", carrier="dpd", number="01234567890123", fetch_status=FetchStatus.SUCCESS
)
SIGNED, UNSIGNED = (
    Findings(is_readable=True, has_signature=True),
    Findings(is_readable=True, has_signature=False),
)
PRESENT = RecordedEvidence(
    claim_id=1,
    carrier="dpd",
    number="01234567890123",
    kind=EvidenceKind.LETTER,
    source="dpd pod",
    obtained_at=NOW - timedelta(days=1),
    path="/pods/present.pdf",
    sha256="a" * 64,
    size=9,
    media_type="application/pdf",
    findings=SIGNED,
    delivery=Delivery(),
)
MINE = replace(PRESENT, source=BY_HAND, by="Anna")
LETTER, SIGNATURE, PHOTO = EvidenceKind.LETTER, EvidenceKind.SIGNATURE, EvidenceKind.PHOTO


def attached(
    present: RecordedEvidence | None,
    kind: EvidenceKind,
    shown: Findings,
    pod_url: str | None = "/pods/present.pdf",
) -> tuple[str, Mock]:
    document = StoredDocument(
        "/pods/new.pdf", "b" * 64, 9, "application/pdf", Delivery(), BY_HAND, kind, shown
    )
    records, claims, documents = Mock(), Mock(), Mock()
    records.evidence.return_value = [present] if present else []
    claims.lease_named.return_value = CLAIM
    claims.record.return_value = [True]
    documents.store.return_value = [document]
    policy = Policy(zone=ZoneInfo("Europe/Paris"))
    attacher = Attacher(records, claims, documents, lambda *_: Appraisal(shown), policy, "token")
    _, path = attacher.attach(ListedClaim(CLAIM, pod_url), Attachment("new.pdf", b"new", "Anna", kind), NOW)
    return path, claims


@pytest.mark.parametrize(
    ("present", "kind", "shown", "is_pod"),
    [
        (PRESENT, LETTER, SIGNED, False),
        (replace(PRESENT, findings=UNSIGNED), LETTER, SIGNED, True),
        (replace(PRESENT, findings=UNSIGNED), LETTER, UNSIGNED, False),
        (replace(PRESENT, findings=UNSIGNED, delivery=Delivery(signatory="DUPONT")), LETTER, SIGNED, False),
        (replace(PRESENT, kind=SIGNATURE), LETTER, UNSIGNED, True),
        (replace(PRESENT, kind=PHOTO), SIGNATURE, SIGNED, True),
        (MINE, LETTER, SIGNED, True),
        (MINE, LETTER, UNSIGNED, False),
        (MINE, PHOTO, SIGNED, False),
        (None, LETTER, SIGNED, False),  # a file of other software
    ],
)
def test_which_piece_is_the_claim_s_pod(
    present: RecordedEvidence | None, kind: EvidenceKind, shown: Findings, is_pod: bool
) -> None:
    path, claims = attached(present, kind, shown)
    assert path == ("/pods/new.pdf" if is_pod else "/pods/present.pdf")
    ((attempt, decision),) = claims.record.call_args.args[0]
    assert (attempt.document is not None, attempt.by, attempt.calls) == (is_pod, "Anna", 0)
    assert (decision.events, decision.uses_attempt) == ((), False)


def test_an_attached_file_becomes_the_pod_of_a_claim_without_one() -> None:
    assert attached(None, PHOTO, UNSIGNED, pod_url=None)[0] == "/pods/new.pdf"


@pytest.mark.parametrize("fault", [RunError("the disk is full"), KeyboardInterrupt()])
def test_a_failed_attachment_releases_the_claim(fault: BaseException) -> None:
    records, claims, documents = Mock(), Mock(), Mock()
    records.evidence.return_value = []
    claims.lease_named.return_value = CLAIM
    documents.store.side_effect = fault
    policy = Policy(zone=ZoneInfo("Europe/Paris"))
    attacher = Attacher(records, claims, documents, lambda *_: Appraisal(SIGNED), policy, "token")
    with pytest.raises(type(fault)):
        attacher.attach(ListedClaim(CLAIM), Attachment("new.pdf", b"new", "Anna"), NOW)
    (released, lease), _ = claims.release.call_args
    assert (released, lease.token) == ([(CLAIM, CLAIM.state)], "token")
    claims.record.assert_not_called()


def test_an_impossible_time_is_shown_with_its_zone() -> None:
    told = ResultSentences("fr", ZoneInfo("Europe/Paris"))
    at = datetime(2999, 1, 1, 10, 30, tzinfo=UTC).isoformat()
    said = "La livraison ne peut pas dater du 01/01/2999 à 11 h 30 CET : cette date est dans le futur."
    assert str(told.not_attached(NotAttachedError("future", at=at))) == said
