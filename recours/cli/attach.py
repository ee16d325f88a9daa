"""`recours attach`: a proof that a person has."""

from datetime import date, datetime
from pathlib import Path

import click

from recours.cli.console import say_warning
from recours.cli.operations import (
    database_option,
    json_option,
    person,
    tell_json,
    with_operations,
)
from recours.core.appraisal import EvidenceKind
from recours.core.outcome import PROOF_KINDS
from recours.core.text import clean
from recours.operations.attach import Attached, Attachment
from recours.operations.evidence import ClaimEvidence, piece_json, piece_text
from recours.operations.refusals import ClaimsRefusedError
from recours.runs.source import RefusedError
from recours.wiring.attach import attach_file, content_of
from recours.wiring.one_claim import evidence_of
from recours.wiring.operations import Operations


@click.command("attach")
@click.argument("reference", metavar="CLAIM")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--signed-by", metavar="NAME", help="Who signed, if the file does not say it legibly.")
@click.option(
    "--at",
    metavar="TIME",
    help="When the parcel was delivered: 2026-10-05 or 2026-10-05T10:31, in RECOURS_TIMEZONE.",
)
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PROOF_KINDS]),
    default=EvidenceKind.LETTER.value,
    show_default=True,
    help="What the file is: the carrier's proof as a document, or an image of the signature or of the parcel alone.",
)
@database_option
@json_option
def command(
    reference: str,
    file: Path,
    signed_by: str | None,
    at: str | None,
    kind: str,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Give a claim a proof that you have: from a carrier's portal, or of a carrier that gives none to programs.

    The file is examined like a fetched one, and refused if it proves nothing or is another parcel's. It is copied: yours
    stays where it is. The claim has its proof from then on, and its carrier is not asked any more.
    """
    with with_operations(database_url) as operations:
        wanted = Attachment(
            reference,
            file.name,
            content_of(file),
            person(),
            EvidenceKind(kind),
            signed_by,
            _time(at),
        )
        try:
            done = attach_file(operations, wanted)
        except RefusedError as error:
            raise ClaimsRefusedError(str(error)) from error
        _report(operations, done, as_json=as_json)


def _time(text: str | None) -> date | None:
    """A day or a time. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        is_day = len(text.strip()) == len("2026-10-05")
        return (date if is_day else datetime).fromisoformat(text.strip())
    except ValueError:
        what = f"'{text[:40]}' is no date; write for example 2026-10-05 or 2026-10-05T10:31."
        raise click.BadParameter(what, param_hint="--at") from None


def _report(operations: Operations, done: Attached, *, as_json: bool) -> None:
    document, reference = done.document, done.claim.reference
    listed = operations.records.find(reference)
    evidence = evidence_of(operations, listed) if listed else ClaimEvidence()
    piece = next(piece for piece in evidence.pieces if piece.sha256 == document.sha256)
    if as_json:
        facts = {"claim": reference, "is_pod": done.is_pod, "pod_url": done.pod_url}
        tell_json(facts | piece_json(piece) | evidence.support_json())
        return
    click.echo(
        f"{reference}: attached as evidence ({piece.kind}). It shows: {piece_text(piece, 'en', evidence.local)}."
    )
    click.echo(f"It is stored as {document.path}; your file stays where it is.")
    if not done.is_pod:
        click.echo(f"pod_url stays {clean(done.pod_url)}, which goes before it.")
    if text := evidence.verdict_text("en"):
        click.echo(text)
    if document.shown.number is False:
        say_warning(
            f"The number {done.claim.number} is not on it: make sure that it is the proof of this parcel."
        )
