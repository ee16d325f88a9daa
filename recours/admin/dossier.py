"""The dossier of a claim: one ZIP with its evidence and a cover page that a mediator or a marketplace can read without us."""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from recours.app import App
from recours.core.disputes import missing_texts
from recours.core.evidence import EvidenceKind
from recours.core.localized import Localized
from recours.core.outcome import PROOF_KINDS, KeptEvidence
from recours.core.text import clean
from recours.database.evidence import DatabaseCustody
from recours.evidence.kinds import SUFFIXES
from recours.evidence.verification import read_stored
from recours.reporting.evidence import KIND_NAMES, ClaimEvidence, piece_text, source_text
from recours.reporting.records import ListedClaim
from recours.reporting.snapshot import Reports
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError
from recours.runs.source import unknown_claim

_SUMS = "SHA256SUMS"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")  # in a name of the ZIP
_MOST_MANIFESTS = 1000  # between a document and its timestamp: hours, if runs write one each
# What runs in a browser when it is opened gets a second suffix, with which it opens as text.
_HARMLESS = {"text/html": ".html.txt"}


@dataclass(frozen=True)
class Exhibit:
    """A document of the dossier, in the order of the cover page."""

    number: int
    name: str  # in the ZIP
    piece: KeptEvidence
    content: bytes


def make_dossier(app: App, reference: str, language: str) -> bytes:
    """The ZIP of a claim.

    Raises ClaimsRefusedError if there is no such claim or no evidence of it, or if a file is not what was stored;
    DatabaseError.
    """
    reports = Reports(app)
    listed = reports.records.find(reference)
    if listed is None:
        raise ClaimsRefusedError(unknown_claim(app.claims, reference))
    evidence = ClaimEvidence(reports.records.evidence(listed.claim.id), listed.dispute)
    exhibits = list(_exhibits(listed, evidence, app.settings.pod_dir))
    if not exhibits:
        raise ClaimsRefusedError(ClaimRefusal("no_evidence", listed.claim.reference))
    texts = Localized(language, app.settings.policy.zone)
    manifests = _timestamped_manifests(app, exhibits)
    cover = _Cover(texts, app, listed, evidence, exhibits)
    cover.draw(is_timestamped=bool(manifests))
    cover_name = texts("cover page").replace(" ", "-")
    files = {f"{cover_name}.pdf": bytes(cover.pdf.output())}
    files |= {exhibit.name: exhibit.content for exhibit in exhibits}
    files |= manifests
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    files[_SUMS] = "".join(sums).encode()
    return _zip(files)


def file_name(reference: str) -> str:
    """What the dossier of a claim is saved as."""
    return f"dossier-{_UNSAFE.sub('-', reference)[:100]}.zip"


def _exhibits(listed: ListedClaim, evidence: ClaimEvidence, folder: Path) -> Iterator[Exhibit]:
    """The claim's proof first, then its other pieces; what was refused is left out."""
    pieces = [piece for piece in evidence.pieces if piece.refused is None]
    order = (*PROOF_KINDS, EvidenceKind.RECORD)
    pieces.sort(key=lambda piece: (piece.path != listed.pod_url, order.index(piece.kind)))
    for number, piece in enumerate(pieces, 1):
        suffix = _HARMLESS.get(piece.media_type) or SUFFIXES.get(piece.media_type, ".txt")
        name = f"{number}-{piece.kind}-{_UNSAFE.sub('-', piece.number)[:60]}{suffix}"
        try:
            content = read_stored(folder, piece.path)
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != piece.sha256:
            raise ClaimsRefusedError(
                ClaimRefusal("file_changed", listed.claim.reference, facts={"file": clean(piece.path, 200)})
            )
        yield Exhibit(number, name, piece, content)


def _timestamped_manifests(app: App, exhibits: Sequence[Exhibit]) -> dict[str, bytes]:
    """The manifests that connect these files with the next timestamp, and that timestamp; empty without one.

    Each names the SHA-256 of the one before, so the timestamp holds for all of them.
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


def _zip(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.writestr(name, file)
    return content.getvalue()


@dataclass
class _Cover:
    """The cover page, drawn from the top down."""

    texts: Localized
    app: App
    listed: ListedClaim
    evidence: ClaimEvidence
    exhibits: Sequence[Exhibit]

    def __post_init__(self) -> None:
        self.pdf = _new_pdf(self.texts.language)

    def draw(self, *, is_timestamped: bool) -> None:
        claim = self.listed.claim
        self.pdf.set_title(
            clean(self.texts("Proof of delivery, claim {reference}", reference=claim.reference))
        )
        self._line(self.texts("Proof of delivery"), size=20, bold=True)
        prepared = self.texts(
            "Claim {reference}. Prepared on {at} by {service}.",
            reference=claim.reference,
            at=self.texts.minute(self.app.clock.now()),
            service=self.app.settings.mail.service or "recours",
        )
        self._line(prepared)
        if verdict := self.evidence.verdict_text(self.texts.language):
            self._gap()
            self._line(verdict, size=12, bold=True)
        self._delivery()
        self._documents()
        self._gaps_in_evidence()
        self._authenticity(is_timestamped=is_timestamped)

    def _delivery(self) -> None:
        self._heading(self.texts("The delivery"))
        claim = self.listed.claim
        piece = self.exhibits[0].piece
        findings, delivery = piece.findings, piece.delivery
        at = findings.delivered or (delivery.latest and (delivery.at or delivery.latest).isoformat())
        signature = self.texts("yes, see document {number}", number=1) if findings.has_signature else ""
        rows = {
            self.texts("Carrier"): self.app.catalog.name_of(claim.carrier or "", claim.carrier_name),
            self.texts("Tracking number"): piece.number,
            self.texts("Delivered on"): self.texts.printed(at) if at else "",
            self.texts("Place of delivery"): findings.place or delivery.place or "",
            self.texts("Received by"): findings.signatory or delivery.signatory or "",
            self.texts("Signature"): signature,
            self.texts("Order"): self.listed.order,
            self.texts("Addressee"): self.listed.customer,
            self.texts("Amount in dispute"): (
                self.texts.money(claim.amount, self.listed.currency) if claim.amount else ""
            ),
        }
        for label, value in rows.items():
            if value:
                self._row(label, value)

    def _documents(self) -> None:
        self._heading(self.texts("What the documents show"))
        for exhibit in self.exhibits:
            piece = exhibit.piece
            title = self.texts(
                "Document {number}: {kind}, {file}",
                number=exhibit.number,
                kind=self.texts(KIND_NAMES[piece.kind]),
                file=exhibit.name,
            )
            self._line(title, bold=True)
            self._line(f"{piece_text(piece, self.texts)}.")
            origin = self.texts(
                "Obtained on {at} from: {source}.",
                at=self.texts.minute(piece.obtained_at),
                source=source_text(piece, self.texts.language),
            )
            self._line(f"{origin} SHA-256: {piece.sha256}", size=7.5)

    def _gaps_in_evidence(self) -> None:
        """What the documents do not show, which a mediator would ask for."""
        self._heading(self.texts("What the documents do not show"))
        verdict = self.evidence.verdict
        for gap in missing_texts(self.texts.language, verdict) if verdict else ():
            self._line(f"• {gap}")
        self._line(self.texts("• what the parcel contained: no proof of delivery shows that"))

    def _authenticity(self, *, is_timestamped: bool) -> None:
        self._heading(self.texts("Authenticity"))
        self._line(
            self.texts(
                "Every document was stored as it came, and its SHA-256 was recorded at that moment. 'sha256sum -c {sums}' "
                "verifies all files of this dossier.",
                sums=_SUMS,
            )
        )
        if is_timestamped:
            self._line(
                self.texts(
                    "The texts in manifests/ name these SHA-256. The .tsr file is the timestamp of an independent authority "
                    "(RFC 3161) on the last of them, and each text names the SHA-256 of the one before: 'openssl ts -verify' "
                    "shows that the documents have not changed since then."
                )
            )

    # ---------------------------------------------------------------- drawing

    def _heading(self, text: str) -> None:
        self._gap()
        self._line(text, size=13, bold=True)

    def _gap(self) -> None:
        self.pdf.ln(3)

    def _line(self, text: str, *, size: float = 10, bold: bool = False) -> None:
        self.pdf.set_font("Roboto", "B" if bold else "", size)
        self.pdf.multi_cell(0, size * 0.5, clean(text), new_x="LMARGIN", new_y="NEXT", align="L")

    def _row(self, label: str, value: str) -> None:
        self.pdf.set_font("Roboto", "", 10)
        self.pdf.cell(45, 5, label)
        self.pdf.multi_cell(0, 5, clean(value, 200), new_x="LMARGIN", new_y="NEXT", align="L")


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
    pdf.add_page()
    return pdf
