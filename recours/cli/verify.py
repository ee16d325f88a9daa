"""`recours verify`: whether files, their rows or manifests were changed since they were written."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from recours.cli.console import FAILED, harmless, say_warning
from recours.cli.operations import (
    database_option,
    json_option,
    report_faults,
    tell_json,
    unknown_claim,
    with_operations,
)
from recours.core.errors import RunError
from recours.core.text import plural
from recours.database.custody import DatabaseCustody
from recours.operations.records import iso
from recours.timestamps import INSTALL, TokenError, is_installed, read_roots, verify_token
from recours.wiring.custody import CustodyProblem, Verification
from recours.wiring.operations import Operations

_MOST_IN_JSON = 1000


@click.command("verify")
@click.argument("references", nargs=-1, metavar="[CLAIM]...")
@database_option
@json_option
def command(references: tuple[str, ...], database_url: str | None, as_json: bool) -> None:
    """Verify that nobody changed, deleted or added a file of evidence, its row or a manifest.

    All manifests are read, their timestamps, and all files; with CLAIM, the files of these claims. What is wrong is
    named with what to do. The exit status is 0 if nothing is, else 1. Nothing is changed.
    """
    with with_operations(database_url) as operations, report_faults():
        verification = _verification(operations)
        claims = [_claim_id(operations, reference) for reference in references]
        count = 0
        first: list[CustodyProblem] = []
        for problem in verification.problems(claims):
            count += 1
            if not as_json:
                click.echo(harmless(f"! {problem.text}"))
            elif count <= _MOST_IN_JSON:
                first.append(problem)
        if as_json:
            facts = {"problems": count, "first_problems": [asdict(problem) for problem in first]}
            tell_json(_facts(verification) | facts)
        else:
            is_signed = operations.settings.tsa_certificate is not None
            for line in _summary(verification, count, is_signed=is_signed):
                click.echo(harmless(line))
    if count:
        raise SystemExit(FAILED)


def _claim_id(operations: Operations, reference: str) -> int:
    claim = operations.claims.find(reference)
    if claim is None:
        raise unknown_claim(operations, reference)
    return int(claim.id)


def _verification(operations: Operations) -> Verification:
    custody = DatabaseCustody(operations.database, operations.settings.pod_dir)
    if not is_installed():
        if operations.settings.tsa_url:
            say_warning(f"Timestamps are not verified. Install what reads them: {INSTALL}")
        return Verification(custody)
    try:
        roots = read_roots(operations.settings.tsa_certificate)
    except TokenError as error:
        raise RunError(f"{error}.") from error
    return Verification(custody, lambda token, content: verify_token(token, content, roots))


def _facts(verification: Verification) -> dict[str, Any]:
    last, stamp = verification.last, verification.stamp
    return {
        "manifests": verification.manifests,
        "files": verification.files,
        "not_in_a_manifest": verification.pending,
        "erased": verification.erased,
        "timestamps": verification.stamp_count,
        "stamped": {"manifest": stamp[0].number, "at": iso(stamp[1])} if stamp else None,
        "last_manifest": {"manifest": last.number, "file": last.name, "sha256": last.sha256}
        if last
        else None,
    }


def _summary(verification: Verification, problems: int, *, is_signed: bool) -> Iterator[str]:
    yield f"Manifests: {verification.manifests}. Files: {plural(verification.files, 'file')} read, {verification.erased} erased."
    if verification.pending:
        yield f"{plural(verification.pending, 'file')} will be in the next run's manifest."
    if verification.stamp:
        manifest, at = verification.stamp
        yield f"Timestamps: {verification.stamp_count}. Everything up to manifest {manifest.number} was there on {at:%Y-%m-%d %H:%M} UTC."
        if not is_signed:
            yield "The signatures of timestamps were not verified: set RECOURS_TSA_CERT."
    if verification.last:
        yield f"The last manifest is {verification.last.name}, its SHA-256 {verification.last.sha256}"
        yield "Keep that hash elsewhere: it proves later that nothing up to this manifest was changed."
    yield (f"{plural(problems, 'problem')} found." if problems else "Nothing was changed, deleted or added.")
