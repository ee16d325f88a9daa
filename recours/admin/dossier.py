"""The dossier of a claim: a ZIP with its evidence, and a cover page for a mediator or marketplace."""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from recours.app import App
from recours.core.disputes import missing_texts
from recours.core.localized import Localized
from recours.core.outcome import RecordedEvidence
from recours.core.sentences import sentence
from recours.core.text import clean
from recours.database.evidence import DatabaseCustody
from recours.evidence.kinds import SUFFIXES
from recours.evidence.verification import read_stored
from recours.reporting.evidence import KIND_NAMES, ClaimEvidence, ShownDelivery, piece_text
from recours.reporting.records import ListedClaim
from recours.reporting.snapshot import Reports
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError

if TYPE_CHECKING:
    from jinja2 import Template

_SUMS = "SHA256SUMS"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")  # characters to avoid in file names of the ZIP
_BETWEEN_TAGS = re.compile(r">\s+<")  # this whitespace would be drawn as a blank line
_MOST_ANSWERS = 10  # the carrier's latest answers
_MOST_MANIFESTS = 1000  # between a document and its timestamp; each run writes at most one
# File types with active content get a second suffix, so that they open as text.
_HARMLESS = {"text/html": ".html.txt"}


@dataclass(frozen=True)
class Exhibit:
    """A document of the dossier, numbered as on the cover page. Its texts are in the reader's language."""

    number: int
    name: str  # its file name in the ZIP
    kind: str
    findings: str  # what it shows
    origin: str
    piece: RecordedEvidence
    content: bytes


def make_dossier(app: App, reference: str, language: str) -> bytes:
    """Return the claim's evidence as a ZIP.

    Raises ClaimsRefusedError if the claim does not exist, has no evidence, or has a file that changed since it was
    stored; DatabaseError.
    """
    reports = Reports(app)
    listed = reports.require(reference)
    evidence = ClaimEvidence(reports.records.evidence(listed.claim.id), listed.dispute)
    texts = Localized(language, app.settings.policy.zone)
    exhibits = list(_exhibits(listed, evidence, app, texts))
    if not exhibits:
        raise ClaimsRefusedError(ClaimRefusal("no_evidence", listed.claim.reference))
    manifests = _timestamped_manifests(app, exhibits)
    cover = _cover(reports, listed, evidence, exhibits, texts, is_timestamped=bool(manifests))
    cover_name = _in_name(texts("cover page"))
    documents = {exhibit.name: exhibit.content for exhibit in exhibits}
    files = {f"{cover_name}.pdf": cover, **documents, **manifests}
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    files[_SUMS] = "".join(sums).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for name, content in files.items():
            zip_file.writestr(name, content)
    return archive.getvalue()


def file_name(reference: str) -> str:
    return f"dossier-{_in_name(reference)}.zip"


def _in_name(text: str) -> str:
    """The text as a safe part of a file name."""
    return _UNSAFE.sub("-", text)[:100]


def _exhibits(listed: ListedClaim, evidence: ClaimEvidence, app: App, texts: Localized) -> Iterator[Exhibit]:
    for number, piece in enumerate(evidence.best_first(listed.pod_url), 1):
        try:
            content = read_stored(app.settings.pod_dir, piece.path)
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != piece.sha256:
            raise ClaimsRefusedError(
                ClaimRefusal("file_changed", listed.claim.reference, facts={"file": clean(piece.path, 200)})
            )
        kind = texts(KIND_NAMES[piece.kind])
        suffix = _HARMLESS.get(piece.media_type) or SUFFIXES.get(piece.media_type, ".txt")
        name = f"{number}-{_in_name(kind)}-{_in_name(piece.number)}{suffix}"
        origin = _origin(piece, app, texts)
        yield Exhibit(number, name, kind, piece_text(piece, texts), origin, piece, content)


def _origin(piece: RecordedEvidence, app: App, texts: Localized) -> str:
    at = texts.minute(piece.obtained_at)
    if piece.by:
        return texts("Added by {who} on {at}.", at=at, who=clean(piece.by, 60))
    carrier = app.catalog.name_of(piece.carrier)
    call = piece.source.partition(" ")[2]  # after the carrier's key
    return texts("Obtained on {at} from {carrier} ({call}).", at=at, carrier=carrier, call=call)


def _timestamped_manifests(app: App, exhibits: Sequence[Exhibit]) -> dict[str, bytes]:
    """The manifests from the first one with these files to the next timestamp, with the timestamp; empty without one.

    Each manifest contains the SHA-256 of the previous one, so the timestamp covers all of them.
    """
    folder = app.settings.pod_dir
    custody = DatabaseCustody(app.database, folder)
    numbers = custody.manifests_of([exhibit.piece.sha256 for exhibit in exhibits])
    files: dict[str, bytes] = {}
    number = min(numbers, default=1) - 1
    while numbers and len(files) < _MOST_MANIFESTS and (manifest := custody.after(number)):
        number = manifest.number
        try:
            files[_in_zip(manifest.name)] = read_stored(folder, manifest.name)
            if number >= max(numbers) and (folder / manifest.token_name).exists():
                return files | {_in_zip(manifest.token_name): read_stored(folder, manifest.token_name)}
        except OSError:
            break
    return {}


def _in_zip(name: str) -> str:
    return f"manifests/{PurePosixPath(name).name}"


def _cover(
    reports: Reports,
    listed: ListedClaim,
    evidence: ClaimEvidence,
    exhibits: Sequence[Exhibit],
    texts: Localized,
    *,
    is_timestamped: bool,
) -> bytes:
    app = reports.app
    claim = listed.claim
    proof = exhibits[0].piece
    verdict = evidence.verdict
    page = _template().render(
        texts=texts,
        now=app.clock.now(),
        service=app.settings.mail.service or "recours",
        listed=listed,
        claim=claim,
        carrier=app.catalog.name_of(claim.carrier, claim.carrier_name),
        proof=proof,
        delivery=ShownDelivery.of(proof.findings, proof.delivery),
        verdict=evidence.verdict_text(texts.language),
        exhibits=exhibits,
        gaps=missing_texts(texts.language, verdict) if verdict else (),
        answers=[
            (attempt.started_at, sentence(texts.language, attempt.explanation))
            for attempt in reports.records.attempts(claim.id)[-_MOST_ANSWERS:]
            if attempt.explanation
        ],
        is_timestamped=is_timestamped,
    )
    pdf = _new_pdf(texts.language)
    pdf.set_title(clean(texts("Proof of delivery, claim {reference}", reference=claim.reference)))
    pdf.write_html(_BETWEEN_TAGS.sub("><", page), font_family="Roboto")
    return bytes(pdf.output())


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 (with the first dossier)

    folder = Path(__file__).parent / "templates"
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    environment.filters["clean"] = clean
    return environment.get_template("dossier.html")


def _new_pdf(language: str) -> Any:
    """An empty A4 page, with a font that has the letters of all European languages."""
    import font_roboto  # noqa: PLC0415 (with the first dossier)
    from fpdf import FPDF  # noqa: PLC0415 (with the first dossier)

    pdf = FPDF(format="A4")
    pdf.set_lang(language)
    pdf.set_margin(18)
    files = Path(font_roboto.__file__).parent / "files"
    pdf.add_font("Roboto", "", files / "Roboto-Regular.ttf")
    pdf.add_font("Roboto", "B", files / "Roboto-Bold.ttf")
    pdf.set_font("Roboto", size=10)
    pdf.add_page()
    return pdf
