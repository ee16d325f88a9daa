"""`recours verify`: whether files, their rows or manifests were changed since they were written."""

from typing import Any

import click

from recours.cli.console import FAILED, harmless
from recours.cli.operations import (
    database_option,
    json_option,
    report_faults,
    tell_json,
    unknown_claim,
    with_operations,
)
from recours.core.text import plural
from recours.database.evidence import DatabaseCustody
from recours.operations.records import iso
from recours.timestamps import read_roots
from recours.wiring.operations import Operations
from recours.wiring.verification import Verification, appraised_anew

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
def command(references: tuple[str, ...], database_url: str | None, appraises: bool, as_json: bool) -> None:
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
            click.echo(harmless(f"! {problem}"))

    with with_operations(database_url) as operations, report_faults():
        settings = operations.settings
        claim_ids = [_claim_id(operations, reference) for reference in references]
        custody = DatabaseCustody(operations.database, settings.pod_dir)
        if appraises:
            count = 0
            for count, problem in enumerate(appraised_anew(custody, claim_ids), 1):
                if problem:
                    report(problem)
                if count % _PROGRESS == 0:
                    click.echo(f"{count} proofs appraised.", err=True)
            facts: dict[str, object] = {"files": count}
            text = f"{plural(count, 'proof')} appraised; {len(problems)} would be refused today."
        else:
            verification = Verification(custody, report, read_roots(settings.tsa_certificate), claim_ids)
            verification.run()
            last, stamp = verification.last, verification.stamp
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
        click.echo(text)
    if problems:
        raise SystemExit(FAILED)


def _claim_id(operations: Operations, reference: str) -> Any:
    claim = operations.claims.find(reference)
    if claim is None:
        raise unknown_claim(operations, reference)
    return claim.id


def _facts(verification: Verification) -> dict[str, object]:
    last, stamp = verification.last, verification.stamp
    return {
        "manifests": last.number if last else 0,
        "last_sha256": last.sha256 if last else None,
        "stamped_manifest": stamp[0].number if stamp else None,
        "stamped_at": iso(stamp[1]) if stamp else None,
        "files": verification.files,
        "not_in_a_manifest": verification.pending,
    }


def _text(verification: Verification, *, is_signed: bool) -> str:
    last, pending = verification.last, verification.pending
    text = (
        f"{plural(verification.files, 'file')} read; the next run's manifest will name {pending} of them.\n"
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
