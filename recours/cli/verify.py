"""`recours verify`: whether files, their rows or manifests were changed since they were written."""

from collections.abc import Callable, Iterator, Sequence
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
from recours.database.custody import DatabaseCustody
from recours.operations.records import iso
from recours.timestamps import read_roots
from recours.wiring.custody import CustodySummary, appraised_anew, verify
from recours.wiring.operations import Operations

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
            _appraise(custody, claim_ids, report, problems, as_json=as_json)
            return
        summary = verify(custody, report, read_roots(settings.tsa_certificate), claim_ids)
        if settings.tsa_url and summary.last and (not summary.stamp or summary.stamp[0] != summary.last):
            report(
                f"Manifest {summary.last.number}, the last one, has no good timestamp: it was deleted, or the authority did not "
                "answer. The next run has it stamped."
            )
        if as_json:
            tell_json(_facts(summary) | {"problems": problems})
        else:
            click.echo("\n".join(_sentences(summary, is_signed=settings.tsa_certificate is not None)))
            click.echo(
                f"{plural(len(problems), 'problem')}."
                if problems
                else "Nothing was changed, deleted or added."
            )
    if problems:
        raise SystemExit(FAILED)


def _appraise(
    custody: DatabaseCustody,
    claim_ids: Sequence[Any],
    report: Callable[[str], None],
    problems: Sequence[str],
    *,
    as_json: bool,
) -> None:
    count = 0
    for count, why in enumerate(appraised_anew(custody, claim_ids), 1):
        if why:
            report(why)
        if count % _PROGRESS == 0:
            click.echo(f"{count} proofs appraised.", err=True)
    if as_json:
        tell_json({"files": count, "problems": problems})
    else:
        click.echo(f"{plural(count, 'proof')} appraised; {len(problems)} would be refused today.")
    if problems:
        raise SystemExit(FAILED)


def _claim_id(operations: Operations, reference: str) -> Any:
    claim = operations.claims.find(reference)
    if claim is None:
        raise unknown_claim(operations, reference)
    return claim.id


def _facts(summary: CustodySummary) -> dict[str, object]:
    last, stamp = summary.last, summary.stamp
    return {
        "manifests": last.number if last else 0,
        "last_sha256": last.sha256 if last else None,
        "stamped_manifest": stamp[0].number if stamp else None,
        "stamped_at": iso(stamp[1]) if stamp else None,
        "files": summary.files,
        "not_in_a_manifest": summary.pending,
    }


def _sentences(summary: CustodySummary, *, is_signed: bool) -> Iterator[str]:
    yield f"{plural(summary.files, 'file')} read; the next run's manifest will name {summary.pending} of them."
    if summary.stamp:
        manifest, at = summary.stamp
        yield f"By its timestamp, everything up to manifest {manifest.number} was there on {at:%Y-%m-%d %H:%M} UTC."
        if not is_signed:
            yield "The signatures of timestamps were not verified: set RECOURS_TSA_CERT."
    if summary.last:
        yield f"The SHA-256 of manifest {summary.last.number}, the last one, is {summary.last.sha256}"
        yield "Keep it elsewhere: it proves later that nothing up to this manifest was changed."
