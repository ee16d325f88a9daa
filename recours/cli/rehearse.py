"""`recours carriers rehearse`, `reclassify` and `fixture`: the first meeting with a real carrier, and what is kept of it."""

import secrets
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recours.access import PRIVATE
from recours.carriers.registry import CATALOG
from recours.cli.console import DONE, FAILED, USAGE, harmless, say_error, say_warning
from recours.cli.operations import (
    home,
    json_option,
    known_carrier,
    known_number,
    need_credentials,
    parcel_text,
    report_faults,
    say_not_tried,
    tell_json,
)
from recours.core.carrier import CarrierSpec
from recours.core.pauses import Refusal
from recours.core.text import plural
from recours.installation import ROOT, is_checkout
from recours.rehearsal.recording import RecordingError, load, save
from recours.settings.model import Settings
from recours.wiring.databases import open_database

if TYPE_CHECKING:
    from recours.rehearsal.recording import Classification, Exchange
    from recours.rehearsal.replay import ExaminedPiece
    from recours.wiring.rehearsal import Rehearsal

_FIXTURES = "tests/carriers/recordings"
_MOST_FIELDS = 20  # that are shown of those that are not documented


@click.command("rehearse", short_help="Fetch one proof on trial; name what is not as documented.")
@click.argument("spec", metavar="NAME", callback=known_carrier)
@click.option(
    "--tracking", metavar="NUMBER", required=True, help="A number of yours, best of a delivered parcel."
)
@click.pass_obj
def rehearse(settings: Settings, spec: CarrierSpec, tracking: str) -> None:
    """Fetch one proof on trial, and show where the carrier's answers are not as documented.

    The calls count against the quota. No claim is touched, no attempt used and no document stored. The answers are
    recorded in data/recordings with made-up values in place of all names, numbers, texts and secrets.
    """
    from recours.wiring.rehearsal import rehearse as rehearse_number  # noqa: PLC0415 (loads the HTTP library)

    number = known_number(spec, tracking)
    need_credentials(settings, spec)
    with report_faults():
        opened = open_database(settings)
        try:
            result = rehearse_number(settings, opened.database, opened.clock, spec, number)
            at = opened.clock.now().astimezone(UTC)
        finally:
            opened.database.close()
    if isinstance(result, Refusal):
        say_not_tried(result)
        raise SystemExit(FAILED)
    _show(result, number)
    path = home() / "data" / "recordings" / f"{spec.key}-{at:%Y%m%dT%H%M%SZ}.json"
    try:
        saved = save(result.recording, path, settings.access)
    except OSError as error:
        say_error(f"The recording could not be written to {path}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error
    click.echo(f"Recorded with made-up values: {harmless(str(saved))}")
    if not result.is_read_alike:
        say_warning("The recording is not read as the answers were: its made-up values hide what decided.")


def _show(result: "Rehearsal", number: str) -> None:
    """What was asked, what came, how it is read, and what is not as documented."""

    def say(line: str) -> None:
        click.echo(harmless(result.hides(line)))

    say(f"{plural(len(result.calls), 'call')}; no claim was touched and no attempt used.")
    for operation, exchange, _ in result.calls:
        path = exchange.request.path.partition("?")[0]
        say(f"- {operation or 'unknown call'}: {exchange.request.method} {path}: {_came(exchange)}")
    say(f"Read as {result.recording.classification.kind}: {number}: {parcel_text(result.outcome)}")
    for line in map(_evidence, result.pieces):
        say(f"Evidence: {line}.")
    if not result.pieces:
        say("Evidence: no document.")
    compared = [(operation, found) for operation, _, found in result.calls if found]
    if not compared:
        say("No answer could be compared with a documented one.")
        return
    lines = [
        (f"{operation}: {what}", times)
        for operation, found in compared
        for what, times in found.deviations.items()
    ]
    say(f"{plural(len(lines), 'deviation')} from the documented answers{':' if lines else '.'}")
    for line, times in lines:
        say(f"- {line}" + (f" ({times} times)" if times > 1 else ""))
    fields = list(
        dict.fromkeys(f"{operation}: {name}" for operation, found in compared for name in found.undocumented)
    )
    if fields:
        more = f" and {len(fields) - _MOST_FIELDS} more" if len(fields) > _MOST_FIELDS else ""
        say(f"Fields that are not documented, and not read: {', '.join(fields[:_MOST_FIELDS])}{more}")


def _came(exchange: "Exchange") -> str:
    answer = exchange.answer
    if answer is None:
        return f"no answer: it {exchange.why}"
    kind = (answer.headers.get("Content-Type") or "no Content-Type").partition(";")[0]
    return f"HTTP {answer.status}, {kind}, {len(answer.body)} bytes"


def _evidence(one: "ExaminedPiece") -> str:
    what = f"{one.piece.kind}, {one.piece.source}, {len(one.piece.content)} bytes"
    if one.refused:
        return f"{what}, would be refused: {one.refused}"
    return f"{what}, {one.media_type}, would be stored"


# ---------------------------------------------------------------- recordings


_files = click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))


@click.command("reclassify", short_help="Read recordings again, without network.")
@_files
@json_option
def reclassify(files: tuple[Path, ...], as_json: bool) -> None:
    """Read recordings again, without network: the kind each comes to with this version of recours.

    Exit status 1: one comes to another kind than when it was recorded; 2: a file is no recording.
    """
    from recours.rehearsal.replay import read_again  # noqa: PLC0415 (loads the HTTP library)

    rows, status = [], DONE
    for path in files:
        try:
            recording = load(path)
        except RecordingError as error:
            say_error(str(error))
            status = USAGE
            continue
        classification = read_again(recording)
        rows.append((path, recording, classification, classification == recording.classification))
    if as_json:
        tell_json(
            {
                "recordings": [
                    {
                        "file": str(path),
                        "carrier": recording.carrier,
                        "kind": classification.kind,
                        "delivered": classification.is_delivered,
                        "document": classification.document or None,
                        "recorded_kind": recording.classification.kind,
                        "same": is_same,
                    }
                    for path, recording, classification, is_same in rows
                ]
            }
        )
    else:
        for path, recording, classification, is_same in rows:
            was = "" if is_same else f"; recorded as {_as_text(recording.classification)}"
            click.echo(
                harmless(f"{path}: {CATALOG.name_of(recording.carrier)}: {_as_text(classification)}{was}")
            )
    if not all(is_same for *_, is_same in rows):
        status = status or FAILED
    raise SystemExit(status)


def _as_text(classification: "Classification") -> str:
    delivered = "delivered" if classification.is_delivered else "not known to be delivered"
    return ", ".join(part for part in (classification.kind, delivered, classification.document) if part)


@click.command("fixture", short_help="Make a test fixture of a recording.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--to", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where, instead of the tests."
)
def fixture(file: Path, folder: Path | None) -> None:
    """Make a test fixture of a recording: its answers alone, all values made up once more.

    In a checkout it goes to tests/carriers/recordings, whose files one test reads again; else --to names the folder.
    """
    from recours.rehearsal.redaction import redacted_again  # noqa: PLC0415 (loads the HTTP library)
    from recours.rehearsal.replay import read_again  # noqa: PLC0415 (same)

    try:
        recording = load(file)
    except RecordingError as error:
        say_error(str(error))
        raise SystemExit(USAGE) from error
    if folder is None and not is_checkout():
        raise click.UsageError("This installation is no checkout: name the folder with --to.")
    made = redacted_again(recording, secrets.token_bytes(32))
    if (classification := read_again(made)) != recording.classification:
        say_error(
            f"{file} comes to {_as_text(classification)}, and was recorded as {_as_text(recording.classification)}: "
            "no fixture was made. Record it again with this version."
        )
        raise SystemExit(FAILED)
    path = (folder or Path(ROOT, _FIXTURES)) / f"{recording.carrier}-{classification.kind}.json"
    try:
        saved = save(made, path, PRIVATE)
    except OSError as error:
        say_error(f"The fixture could not be written to {path}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error
    click.echo(f"Fixture: {harmless(str(saved))}")
