"""`recours verify`: whether records of custody, or the files that they are of, were changed since they were written."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

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
from recours.core.custody import Stamp
from recours.core.errors import RunError
from recours.core.text import plural
from recours.database.custody import DatabaseCustody
from recours.documents.store import examine
from recours.operations.verify import TokenError, Verification, breach_as_json, sentence
from recours.timestamps import INSTALL, is_installed, read_roots, verify_token
from recours.wiring.operations import Operations

_MOST_IN_JSON = 1000


@click.command("verify")
@click.argument("references", nargs=-1, metavar="[CLAIM]...")
@database_option
@json_option
def command(references: tuple[str, ...], database_url: str | None, as_json: bool) -> None:
    """Verify that nobody changed the records of custody, or a file of evidence.

    Each record holds the hash of the one before, and the SHA-256 of the file that came. All records are read, and all
    files; with CLAIM, the files of these claims. What is wrong is named with its place. The exit status is 0 if nothing
    is, else 1. Nothing is changed.
    """
    with with_operations(database_url) as operations, report_faults():
        verification = Verification(DatabaseCustody(operations.database))
        claims = [_claim_id(operations, reference) for reference in references] or None
        count, first = 0, []
        for breach in verification.breaches(
            partial(examine, operations.settings.pod_dir), claims, _token_verifier(operations)
        ):
            count += 1
            first += [breach] if as_json and count <= _MOST_IN_JSON else []
            if not as_json:
                click.echo(harmless(f"! {sentence(breach)}"))
        if as_json:
            facts = {"breaches": count, "first_breaches": [breach_as_json(breach) for breach in first]}
            tell_json(verification.as_json() | facts)
        else:
            for line in _summary(
                verification, count, is_signed=operations.settings.tsa_certificate is not None
            ):
                click.echo(harmless(line))
    if count:
        raise SystemExit(FAILED)


def _claim_id(operations: Operations, reference: str) -> int:
    claim = operations.claims.find(reference)
    if claim is None:
        raise unknown_claim(operations, reference)
    return int(claim.id)


def _token_verifier(operations: Operations) -> Callable[[Stamp], datetime] | None:
    """None: there are timestamps that this Python cannot read, which is said."""
    if not is_installed():
        if DatabaseCustody(operations.database).stamps():
            say_warning(f"Timestamps are not verified. Install what reads them: {INSTALL}")
        return None
    try:
        roots = read_roots(operations.settings.tsa_certificate)
    except TokenError as error:
        raise RunError(f"{error}.") from error
    return lambda stamp: verify_token(stamp, roots)


def _summary(found: Verification, breaches: int, *, is_signed: bool) -> Iterator[str]:
    last = found.chain.last
    yield f"Records: {found.chain.count}. Files: {plural(found.files, 'file')} read, {found.erased} erased by prune."
    if stamp := found.stamp:
        yield (
            f"Timestamps: {found.timestamps}. Up to record {stamp.sequence} the chain was there on "
            f"{stamp.stamped_at:%Y-%m-%d %H:%M} UTC, says {urlsplit(stamp.url).hostname}."
        )
        if not is_signed:
            yield "The signatures of timestamps were not verified: set RECOURS_TSA_CERT."
    if last:
        yield f"The last record is {last.sequence}, its hash {last.hash}"
        yield "Keep that hash elsewhere: it shows later that nothing up to this record was written anew."
    yield (
        f"{breaches} {'breach' if breaches == 1 else 'breaches'} found."
        if breaches
        else "Nothing was changed, deleted, inserted or reordered."
    )
