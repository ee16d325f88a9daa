"""What can be done with one claim: each leads back to it, with what came of it."""

from datetime import date

from starlette.datastructures import UploadFile
from starlette.responses import Response

from recours.core.appraisal import EvidenceKind
from recours.core.outcome import PROOF_KINDS
from recours.core.text import clean
from recours.dashboard.acting import actions_of, done
from recours.dashboard.documents import LARGEST
from recours.dashboard.visit import Notice, Visit


def correct(visit: Visit) -> Response:
    """What is left empty stays as it is."""
    reference = visit.field("reference")
    number, carrier = visit.field("number") or None, visit.field("carrier") or None
    return visit.back(done(visit, lambda actions: actions.correct(reference, number=number, carrier=carrier)))


def attach(visit: Visit) -> Response:
    texts, file, day = visit.texts, visit.form.get("file"), visit.field("at")
    if not isinstance(file, UploadFile) or not file.filename:
        return visit.back(Notice(texts("no_file"), is_good=False))
    content = file.file.read(LARGEST + 1)
    if len(content) > LARGEST:
        text = texts("too_large", file=clean(file.filename, 100), mb=LARGEST // 2**20)
        return visit.back(Notice(text, is_good=False))
    try:
        at = date.fromisoformat(day) if day else None
    except ValueError:
        return visit.back(Notice(texts("bad_day", text=clean(day, 40)), is_good=False))
    kind = visit.field("kind")
    attached = actions_of(visit).attach(
        visit.field("reference"),
        content,
        file.filename,
        kind=EvidenceKind(kind) if kind in PROOF_KINDS else EvidenceKind.LETTER,
        signed_by=visit.field("signed_by") or None,
        at=at,
    )
    return visit.back(Notice(attached.sentence))


def accept(visit: Visit) -> Response:
    """A refused file that was kept counts, as the person says."""
    reference, sha256, why = visit.field("reference"), visit.field("piece"), visit.field("why")
    return visit.back(Notice(actions_of(visit).accept(reference, sha256, why).sentence))


def detach(visit: Visit) -> Response:
    reference, sha256, why = visit.field("reference"), visit.field("piece"), visit.field("why")
    return visit.back(done(visit, lambda actions: actions.detach(reference, sha256, why)))
