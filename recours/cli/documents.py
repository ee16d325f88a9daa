"""`recours attach`, `detach`, `verify` and `prune`: proofs that a person has or takes back, verified, deleted; `correct`."""

import uuid
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from recours.admin.actions import FileAction
from recours.app import App
from recours.cli.claim_file import act_on_file, csv_option
from recours.cli.common import (
    confirmed,
    database_option,
    dry_run_option,
    json_option,
    report_faults,
    say,
    tell_json,
    unknown_claim,
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
from recours.database.pruning import DatabasePast, Pruned, prune
from recours.evidence.manifests import write_manifests
from recours.evidence.store import erase
from recours.evidence.timestamps import read_roots
from recours.evidence.verification import Verification, reappraise
from recours.reporting.claim_reports import evidence_of
from recours.reporting.evidence import piece_json
from recours.reporting.records import iso
from recours.reporting.snapshot import Reports
from recours.runs.refusals import ClaimsRefusedError, why_erased


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
            evidence = evidence_of(actions.app, Reports(actions.app).records.find(reference))
            piece = next(piece for piece in evidence.pieces if piece.sha256 == result.sha256)
            facts = {"claim": result.reference, "is_pod": result.is_pod, "pod_url": result.pod_path}
            tell_json(facts | piece_json(piece) | evidence.support_json())
        else:
            echo(harmless(result.sentence))
            echo(harmless(f"It is stored as {result.path}; your file stays where it is."))


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
@click.argument("reference", metavar="[CLAIM]", default="")
@click.option("--number", metavar="NUMBER", help="The right tracking number.")
@click.option("--carrier", metavar="NAME", type=CarrierName(), help="The right carrier, by any of its names.")
@csv_option
@dry_run_option("With --csv: show what would be done; change nothing.")
@database_option
def correct_command(
    reference: str,
    number: str | None,
    carrier: str | None,
    file: Path | None,
    dry_run: bool,
    database_url: str | None,
) -> None:
    """Correct a claim's tracking number or its carrier: the next run starts over with it.

    The claim's row is written as the service would write it. It is refused for a number that cannot be the carrier's, while
    a run is fetching the claim, and once its proof is there.

    The lines of a CSV are reference;number or reference;number;carrier. Those that cannot be done are named, and the others
    are done; the exit status is 1 then.
    """
    if bool(reference) == (file is not None):
        raise click.UsageError("Name a claim, or give --csv; not both.")
    if file is None and dry_run:
        raise click.UsageError("--dry-run needs --csv.")
    if (number is None and carrier is None) == (file is None):
        raise click.UsageError("Give --number or --carrier, or both; with --csv neither.")
    with with_actions(database_url) as actions:
        if file is not None:
            act_on_file(actions, FileAction.CORRECT, file, dry_run=dry_run)
            return
        say(actions.correct(reference, number=number, carrier=carrier))


def _time(text: str | None) -> date | None:
    """A day or a time. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        is_day = len(text.strip()) == len("2026-10-05")
        return (date if is_day else datetime).fromisoformat(text.strip())
    except ValueError:
        fault = f"'{text[:40]}' is no date; write for example 2026-10-05 or 2026-10-05T10:31."
        raise click.BadParameter(fault, param_hint="--at") from None


_SHOWN_FILES = 20


@click.command("prune")
@click.option(
    "--older-than",
    type=past_time(bare_days=True),
    metavar="DAYS|DATE",
    required=True,
    help="What is older than so many days, or than a date.",
)
@dry_run_option("Show what would go; change nothing.")
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
    """Delete what is past its keeping time: PODs with their files, who signed, attempts, changes, the text of mails sent.

    Only closed claims are pruned: claims with a POD, claims that recours gave up on, and claims that it no longer tries. Claims
    that a run has leased stay. A pruned POD is not fetched again. The command shows what it will delete and asks first;
    only a backup brings it back.
    """
    with with_app(database_url) as app:
        now = app.clock.now()
        texts = Localized("en", app.settings.policy.zone)
        cutoff = time_of(older_than, now, texts.zone, "--older-than")
        outlook = DatabasePast(app.database, "").outlook(cutoff, now)
        if not as_json and outlook.is_empty:
            echo(f"Nothing is older than {texts.minute(cutoff)}.")
        elif not as_json:
            echo(f"To be deleted, older than {texts.minute(cutoff)}: {_text_of(outlook)}")
        result = Pruned()
        if not outlook.is_empty and not dry_run:
            if not confirmed("Delete it for good?", yes=yes, refused="Nothing was deleted."):
                return
            past = DatabasePast(app.database, uuid.uuid4().hex, person())
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
        echo(
            f"WARNING: {harmless(path)} could not be deleted: {harmless(why)}. Its record is kept.", err=True
        )
    if len(result.undeleted) > _SHOWN_FILES:
        echo(f"WARNING: {len(result.undeleted) - _SHOWN_FILES} more files could not be deleted.", err=True)
    if result.undeleted:
        raise SystemExit(FAILED)


def _text_of(counts: Pruned) -> str:
    return (
        f"{plural(counts.attempts, 'attempt')}, {plural(counts.documents, 'document')} ({counts.size:,} bytes), "
        f"{plural(counts.evidence, 'file')} of further evidence, who signed for {plural(counts.deliveries, 'claim')} "
        f"given up, the facts of {plural(counts.events, 'event')}, the text of {plural(counts.mails, 'mail')}, "
        f"{plural(counts.changes, 'change')} to claims and accounts."
    )


def _json_of(counts: Pruned) -> dict[str, int]:
    facts = {"bytes" if name == "size" else name: value for name, value in vars(counts).items()}
    del facts["undeleted"]
    return facts


_PROGRESS = 1000  # proofs


@click.command("verify")
@click.argument("references", nargs=-1, metavar="[CLAIM]...")
@click.option(
    "--appraise",
    "appraises",
    is_flag=True,
    help="List proofs that would be refused by the present rules instead.",
)
@database_option
@json_option
def verify_command(
    references: tuple[str, ...], database_url: str | None, appraises: bool, as_json: bool
) -> None:
    """Verify that nobody changed, deleted or added a file of evidence, its row, a manifest, or what a claim shows of them.

    All manifests are read, their timestamps, and all files; with CLAIM, the files of these claims. What is wrong is
    named with what to do. The exit status is 0 if nothing is, else 1. Nothing is changed.

    With --appraise the proofs that count are appraised anew instead, and those listed that would be refused today.
    The exit status is 0 if there are none, else 1.
    """
    problems: list[str] = []

    def report(problem: str) -> None:
        problems.append(problem)
        if not as_json:
            echo(harmless(f"! {problem}"))

    with with_app(database_url) as app, report_faults():
        settings = app.settings
        claim_ids = [_claim_id(app, reference) for reference in references]
        custody = DatabaseCustody(app.database, settings.pod_dir)
        if appraises:
            count = 0
            for count, problem in enumerate(reappraise(custody, claim_ids), 1):
                if problem:
                    report(problem)
                if count % _PROGRESS == 0:
                    echo(f"{count} proofs appraised.", err=True)
            facts: dict[str, object] = {"files": count}
            text = f"{plural(count, 'proof')} appraised; {len(problems)} would be refused today."
        else:
            verification = Verification(custody, report, read_roots(settings.tsa_certificate), claim_ids)
            verification.run()
            last = verification.last
            stamp = verification.stamp
            if settings.tsa_url and last and (not stamp or stamp[0] != last):
                report(
                    f"Manifest {last.number}, the last one, has no good timestamp: it was deleted, or the authority did not "
                    "answer. The next run has it stamped."
                )
            facts = _facts(verification)
            text = _text(verification, is_signed=settings.tsa_certificate is not None)
            text += (
                f"{plural(len(problems), 'problem')}."
                if problems
                else "Nothing was changed, deleted or added."
            )
    if as_json:
        tell_json(facts | {"problems": problems})
    else:
        echo(text)
    if problems:
        raise SystemExit(FAILED)


def _claim_id(app: App, reference: str) -> Any:
    claim = app.claims.find(reference)
    if claim is None:
        raise unknown_claim(app, reference)
    if refusal := why_erased(claim):
        raise ClaimsRefusedError(refusal)
    return claim.id


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
    text = (
        f"{plural(verification.files, 'file')} read; the next run's manifest will name {pending} of them.\n"
    )
    count, erased_at = verification.custody.erasures()
    if erased_at and not verification.claim_ids:
        text += (
            f"{plural(count, 'file')} erased, the last on {erased_at:%Y-%m-%d %H:%M} UTC: manifests say so.\n"
        )
    if verification.stamp:
        manifest, at = verification.stamp
        text += f"By its timestamp, everything up to manifest {manifest.number} was there on {at:%Y-%m-%d %H:%M} UTC.\n"
        if not is_signed:
            text += "The signatures of timestamps were not verified: set RECOURS_TSA_CERT.\n"
    if last:
        text += f"The SHA-256 of manifest {last.number}, the last one, is {last.sha256}\n"
        text += "Keep it elsewhere: it proves later that nothing up to this manifest was changed.\n"
    return text
