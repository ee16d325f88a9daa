"""`recours attach` and `detach`: a proof that a person has, or takes back; `recours correct`: a claim's number or carrier."""

from datetime import date, datetime
from pathlib import Path

import click

from recours.cli.acting import say, with_actions
from recours.cli.console import harmless
from recours.cli.operations import database_option, json_option, tell_json
from recours.core.appraisal import EvidenceKind
from recours.core.outcome import PROOF_KINDS
from recours.operations.evidence import piece_json
from recours.wiring.one_claim import evidence_of


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
@click.option("--anyway", is_flag=True, help="Have it count though it would be, or was, refused; with --why.")
@click.option("--why", metavar="TEXT", help="The reason, kept with your name and the time.")
@database_option
@json_option
def command(
    reference: str,
    file: Path,
    signed_by: str | None,
    at: str | None,
    kind: str,
    anyway: bool,
    why: str | None,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Give a claim a proof that you have: from a carrier's portal, or of a carrier that gives none to programs.

    The file is examined like a fetched one, and refused if it proves nothing or is another parcel's, unless you accept it
    with --anyway; also one that was refused earlier and kept. It is copied: yours stays where it is. The claim has its proof
    from then on, and its carrier is not asked any more. 'recours detach CLAIM' takes it back.
    """
    if anyway != (why is not None):
        raise click.UsageError("--anyway and --why go together: say why the file is a proof.")
    with with_actions(database_url) as actions:
        result = actions.attach(
            reference,
            file,
            file.name,
            kind=EvidenceKind(kind),
            signed_by=signed_by,
            at=_time(at),
            anyway=why,
        )
        if as_json:
            evidence = evidence_of(actions.operations, actions.operations.records.find(reference))
            piece = next(piece for piece in evidence.pieces if piece.sha256 == result.sha256)
            facts = {"claim": result.reference, "is_pod": result.is_pod, "pod_url": result.pod_path}
            tell_json(facts | piece_json(piece) | evidence.support_json())
        else:
            click.echo(harmless(result.sentence))
            click.echo(harmless(f"It is stored as {result.path}; your file stays where it is."))


@click.command("detach")
@click.argument("reference", metavar="CLAIM")
@click.argument("file", metavar="[FILE]", default="")
@click.option("--why", metavar="TEXT", default="", help="The reason, kept with your name and the time.")
@database_option
def detach_command(reference: str, file: str, why: str, database_url: str | None) -> None:
    """Take a proof back. Its file is kept as refused, and the search for a proof continues.

    FILE: its path or its SHA-256, as 'recours why CLAIM --json' prints them; without it, the proof that the claim's pod_url
    names. If the claim has another proof, the best one counts from then on.
    """
    with with_actions(database_url) as actions:
        say(actions.detach(reference, file, why))


@click.command("correct")
@click.argument("reference", metavar="CLAIM")
@click.option("--number", metavar="NUMBER", help="The right tracking number.")
@click.option("--carrier", metavar="NAME", help="The right carrier, by any of its names.")
@database_option
def correct_command(
    reference: str, number: str | None, carrier: str | None, database_url: str | None
) -> None:
    """Correct a claim's tracking number or its carrier: the next run starts over with it.

    The claim's row is written as the service would write it. It is refused for a number that cannot be the carrier's, while
    a run is fetching the claim, and once its proof is there.
    """
    if number is None and carrier is None:
        raise click.UsageError("Give --number or --carrier, or both.")
    with with_actions(database_url) as actions:
        say(actions.correct(reference, number=number, carrier=carrier))


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
