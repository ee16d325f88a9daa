"""`recours attach`, `detach`, `correct`, `prune` and `verify`."""

import uuid
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import click

from recours.admin.actions import FileAction
from recours.cli.claim_file import act_on_file, csv_option
from recours.cli.common import (
    confirmed,
    database_option,
    dry_run_option,
    json_option,
    say,
    tell_json,
    with_actions,
    with_app,
    yes_option,
)
from recours.cli.console import FAILED, CarrierName, echo, harmless, past_time, person, time_of
from recours.core.evidence import EvidenceKind
from recours.core.localized import Localized
from recours.core.outcome import PROOF_KINDS
from recours.core.text import plural
from recours.database.evidence import DatabaseCustody
from recours.database.pruning import OldData, Pruned, prune
from recours.evidence.manifests import write_manifests
from recours.evidence.store import erase
from recours.evidence.timestamps import read_roots
from recours.evidence.verification import Verification, reappraise
from recours.reporting.claim_reports import evidence_of
from recours.reporting.evidence import piece_json
from recours.reporting.records import iso
from recours.reporting.snapshot import Reports


@click.command("attach")
@click.argument("reference", metavar="CLAIM")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--signed-by", metavar="NAME", help="Name the signatory, if the file does not show the name legibly."
)
@click.option(
    "--at",
    metavar="TIME",
    help="Set the time of delivery in RECOURS_TIMEZONE: 2026-10-05 or 2026-10-05T10:31.",
)
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PROOF_KINDS]),
    default=EvidenceKind.LETTER.value,
    show_default=True,
    help="State what the file is: the carrier's proof of delivery, or only an image of the signature or the parcel.",
)
@click.option("--anyway", is_flag=True, help="Accept the file even if it is or was refused; requires --why.")
@click.option("--why", metavar="TEXT", help="Record this reason with your name and the time.")
@database_option
@json_option
def attach_command(
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
    """Attach a proof to a claim, such as a file from a carrier's portal or from a carrier without an API for proofs.

    recours examines the file like a fetched document and refuses it if it proves nothing or belongs to another parcel.
    --anyway accepts such a file, even one that was refused earlier. The file is copied; your original stays in place. The
    claim then has its proof, and recours no longer calls the carrier. 'recours detach CLAIM' undoes this.
    """
    if anyway != (why is not None):
        raise click.UsageError(
            "Use --anyway and --why together: the reason must say why the file is a proof."
        )
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
            evidence = evidence_of(actions.app, Reports(actions.app).require(reference))
            piece = next(piece for piece in evidence.pieces if piece.sha256 == result.sha256)
            facts = {"claim": result.reference, "is_pod": result.is_pod, "pod_url": result.pod_path}
            tell_json(facts | piece_json(piece) | evidence.support_json())
        else:
            echo(harmless(result.sentence))
            echo(harmless(f"A copy is stored as {result.path}."))


@click.command("detach")
@click.argument("reference", metavar="CLAIM")
@click.argument("file", metavar="[FILE]", default="")
@click.option("--why", metavar="TEXT", default="", help="Record this reason with your name and the time.")
@database_option
def detach_command(reference: str, file: str, why: str, database_url: str | None) -> None:
    """Remove a proof from a claim. The file is kept as refused, and recours continues to look for a proof.

    FILE is the proof's path or SHA-256, as 'recours why CLAIM --json' prints them; by default the proof in the claim's
    pod_url is removed. If the claim has other proofs, the best of them is used from then on.
    """
    with with_actions(database_url) as actions:
        say(actions.detach(reference, file, why))


@click.command("correct")
@click.argument("reference", metavar="[CLAIM]", default="")
@click.option("--number", metavar="NUMBER", help="Set this tracking number.")
@click.option("--carrier", metavar="NAME", type=CarrierName(), help="Set this carrier, by any of its names.")
@csv_option
@dry_run_option("With --csv, show what would be changed; change nothing.")
@database_option
def correct_command(
    reference: str,
    number: str | None,
    carrier: str | None,
    file: Path | None,
    dry_run: bool,
    database_url: str | None,
) -> None:
    """Correct a claim's tracking number or carrier. The next run then starts over with the claim.

    The claims table is updated just as the claims service would update it. The correction is refused if the number is
    not valid for the carrier, while a run is fetching the claim, or if the claim already has its proof.

    Each line of a CSV file is reference;number or reference;number;carrier. Lines that cannot be processed are reported,
    and the exit status is then 1; all other lines are processed.
    """
    if bool(reference) == (file is not None):
        raise click.UsageError("Give either a claim or --csv.")
    if file is None and dry_run:
        raise click.UsageError("--dry-run requires --csv.")
    if (number is None and carrier is None) == (file is None):
        raise click.UsageError("Give --number, --carrier or both; with --csv, give neither.")
    with with_actions(database_url) as actions:
        if file is not None:
            act_on_file(actions, FileAction.CORRECT, file, dry_run=dry_run)
            return
        say(actions.correct(reference, number=number, carrier=carrier))


def _time(text: str | None) -> date | None:
    """Parse a day or a time. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        is_day = len(text.strip()) == len("2026-10-05")
        return (date if is_day else datetime).fromisoformat(text.strip())
    except ValueError:
        fault = f"'{text[:40]}' is not a date. Examples: 2026-10-05, 2026-10-05T10:31."
        raise click.BadParameter(fault, param_hint="--at") from None


_SHOWN_FILES = 20


@click.command("prune")
@click.option(
    "--older-than",
    type=past_time(bare_days=True),
    metavar="DAYS|DATE",
    required=True,
    help="Delete data older than this number of days, or than this date.",
)
@dry_run_option("Show what would be deleted; change nothing.")
@yes_option
@database_option
@json_option
def prune_command(
    older_than: datetime | timedelta,
    dry_run: bool,
    yes: bool,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Delete data past its retention period: PODs and their files, signatories, attempts, changes, the text of sent emails.

    Only closed claims are pruned: claims with a POD, claims that recours gave up on, and claims that it no longer fetches.
    Claims that a run has leased are skipped. A pruned POD is not fetched again. The command shows what it will delete and
    asks for confirmation. Deleted data can only be restored from a backup.
    """
    with with_app(database_url) as app:
        now = app.clock.now()
        texts = Localized("en", app.settings.policy.zone)
        cutoff = time_of(older_than, now, texts.zone, "--older-than")
        outlook = OldData(app.database, "").outlook(cutoff, now)
        if not as_json and outlook.is_empty:
            echo(f"Nothing is older than {texts.minute(cutoff)}.")
        elif not as_json:
            echo(f"To be deleted, older than {texts.minute(cutoff)}: {_text_of(outlook)}")
        result = Pruned()
        if not outlook.is_empty and not dry_run:
            if not confirmed("Delete permanently?", yes=yes, refused="Nothing was deleted."):
                return
            past = OldData(app.database, uuid.uuid4().hex, person())
            erase_document = partial(erase, app.settings.pod_dir)
            result = prune(past, erase_document, cutoff, app.clock.now)
            write_manifests(app.settings, app.database, "prune", app.clock)
            if not as_json:
                echo(f"Deleted: {_text_of(result)}")
    if as_json:
        failures = [{"path": path, "why": why} for path, why in result.undeleted.items()]
        facts = {"older_than": iso(cutoff), "dry_run": dry_run, "left": failures}
        tell_json(facts | {"found": _json_of(outlook), "deleted": _json_of(result)})
    for path, why in list(result.undeleted.items())[:_SHOWN_FILES]:
        echo(f"WARNING: Cannot delete {harmless(path)}: {harmless(why)}. Its record is kept.", err=True)
    if len(result.undeleted) > _SHOWN_FILES:
        echo(f"WARNING: {len(result.undeleted) - _SHOWN_FILES} more files could not be deleted.", err=True)
    if result.undeleted:
        raise SystemExit(FAILED)


def _text_of(counts: Pruned) -> str:
    return (
        f"{plural(counts.attempts, 'attempt')}, {plural(counts.documents, 'document')} ({counts.size:,} bytes), "
        f"{plural(counts.evidence, 'file')} of further evidence, the signatories of {plural(counts.deliveries, 'given-up claim')}, "
        f"the facts of {plural(counts.events, 'event')}, the text of {plural(counts.mails, 'email')}, "
        f"{plural(counts.changes, 'change')} to claims and accounts."
    )


def _json_of(counts: Pruned) -> dict[str, int]:
    facts = {"bytes" if name == "size" else name: value for name, value in vars(counts).items()}
    del facts["undeleted"]
    return facts


_PROGRESS = 1000  # proofs between two progress messages


@click.command("verify")
@click.argument("references", nargs=-1, metavar="[CLAIM]...")
@click.option(
    "--appraise",
    "appraises",
    is_flag=True,
    help="List the proofs that the current rules would refuse, instead of verifying.",
)
@database_option
@json_option
def verify_command(
    references: tuple[str, ...], database_url: str | None, appraises: bool, as_json: bool
) -> None:
    """Verify that no evidence was changed, deleted or added: files, their records, manifests, and the POD columns of claims.

    The command reads all manifests with their timestamps, and all files; with CLAIM, only the files of these claims. It
    reports each problem and what to do about it, and changes nothing. The exit status is 1 if there are problems, else 0.

    With --appraise, it examines accepted proofs again and lists those that the current rules would refuse. The exit status
    is 1 if there are any, else 0.
    """
    problems: list[str] = []

    def report(problem: str) -> None:
        problems.append(problem)
        if not as_json:
            echo(harmless(f"! {problem}"))

    with with_app(database_url) as app:
        settings = app.settings
        reports = Reports(app)
        claim_ids = [reports.require(reference).claim.id for reference in references]
        custody = DatabaseCustody(app.database, settings.pod_dir)
        if appraises:
            count = 0
            for count, problem in enumerate(reappraise(custody, claim_ids), 1):
                if problem:
                    report(problem)
                if count % _PROGRESS == 0:
                    echo(f"{count} proofs examined.", err=True)
            facts: dict[str, object] = {"files": count}
            text = f"{plural(count, 'proof')} examined; the current rules would refuse {len(problems)}."
        else:
            verification = Verification(custody, report, read_roots(settings.tsa_certificate), claim_ids)
            verification.run()
            last = verification.last
            stamp = verification.stamp
            if settings.tsa_url and last and (not stamp or stamp[0] != last):
                report(
                    f"Manifest {last.number}, the last one, has no valid timestamp: the timestamp was deleted, or the authority "
                    "did not answer. The next run requests a timestamp."
                )
            facts = _facts(verification)
            text = _text(verification, is_signed=settings.tsa_certificate is not None)
            text += (
                f"{plural(len(problems), 'problem')}."
                if problems
                else "No evidence was changed, deleted or added."
            )
    if as_json:
        tell_json(facts | {"problems": problems})
    else:
        echo(text)
    if problems:
        raise SystemExit(FAILED)


def _facts(verification: Verification) -> dict[str, object]:
    last = verification.last
    stamp = verification.stamp
    return {
        "manifests": last.number if last else 0,
        "last_sha256": last.sha256 if last else None,
        "stamped_manifest": stamp[0].number if stamp else None,
        "stamped_at": iso(stamp[1]) if stamp else None,
        "files": verification.files,
        "not_in_a_manifest": verification.pending,
    }


def _text(verification: Verification, *, is_signed: bool) -> str:
    last = verification.last
    pending = verification.pending
    text = f"{plural(verification.files, 'file')} read; {pending} of them will be added to the next run's manifest.\n"
    count, erased_at = verification.custody.erasures()
    if erased_at and not verification.claim_ids:
        text += f"{plural(count, 'file')} erased, the last on {erased_at:%Y-%m-%d %H:%M} UTC, as recorded in manifests.\n"
    if verification.stamp:
        manifest, at = verification.stamp
        text += f"A timestamp proves that everything up to manifest {manifest.number} existed on {at:%Y-%m-%d %H:%M} UTC.\n"
        if not is_signed:
            text += "The signatures of timestamps were not verified. To verify them, set RECOURS_TSA_CERT.\n"
    if last:
        text += f"The SHA-256 of manifest {last.number}, the last one, is {last.sha256}\n"
        text += (
            "Keep this value elsewhere: it can later prove that nothing up to this manifest was changed.\n"
        )
    return text
