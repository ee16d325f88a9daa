"""`recours carriers rehearse` and `reclassify`: the first meeting with a real carrier, recorded and read again."""

from contextlib import closing
from pathlib import Path

import click

from recours.carriers.registry import CATALOG
from recours.cli.console import FAILED, USAGE, harmless, say_error
from recours.cli.operations import (
    home,
    known_carrier,
    known_number,
    need_credentials,
    parcel_text,
    refusal_text,
    report_faults,
)
from recours.core.carrier import CarrierSpec
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.settings.model import Settings
from recours.wiring.databases import open_database


@click.command("rehearse", short_help="Fetch one proof on trial, and record what came.")
@click.argument("spec", metavar="NAME", callback=known_carrier)
@click.option(
    "--tracking", metavar="NUMBER", required=True, help="A number of yours, best of a delivered parcel."
)
@click.pass_obj
def rehearse(settings: Settings, spec: CarrierSpec, tracking: str) -> None:
    """Fetch one proof on trial, and record in data/recordings what was sent and what came.

    The calls count against the quota. No claim is touched, no attempt used and no document stored. The recording holds no
    credentials, but the names and addresses that the carrier sent: you alone may read it.
    """
    from recours.wiring.recording import rehearse as rehearse_number  # noqa: PLC0415 (loads the HTTP library)

    number = known_number(spec, tracking)
    need_credentials(settings, spec)
    texts = Localized("en", settings.policy.zone)
    with report_faults():
        opened = open_database(settings)
        with closing(opened.database):
            result = rehearse_number(settings, opened.database, opened.clock, spec, number)
            at = opened.clock.now()
    if isinstance(result, Refusal):
        say_error(f"Not tried: {refusal_text(result, texts)}.")
        raise SystemExit(FAILED)
    outcome, recording, redact = result
    for call in recording.calls:
        asked, came = call["request"], call.get("error") or f"HTTP {call['status']}"
        click.echo(harmless(f"- {asked['method']} {asked['path']}: {came}"))
    click.echo(harmless(redact(f"Read as {recording.kind}: {number}: {parcel_text(outcome, texts)}")))
    path = home() / "data" / "recordings" / f"{spec.key}-{at:%Y%m%dT%H%M%SZ}.json"
    try:
        settings.access.make_folder(path.parent)
        recording.save(path)
    except OSError as error:
        say_error(f"The recording could not be written to {path}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error
    click.echo(f"Recorded: {harmless(str(path))}")


@click.command("reclassify", short_help="Read a recording again, without network.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def reclassify(settings: Settings, file: Path) -> None:
    """Read a recording again, without network, and say how this version of recours understands it.

    Exit status 1: otherwise than when it was recorded; 2: the file is no recording.
    """
    from recours.wiring.recording import (  # noqa: PLC0415 (loads the HTTP library)
        RecordingError,
        kind_of,
        load,
        read_again,
    )

    try:
        recording = load(file)
    except RecordingError as error:
        say_error(str(error))
        raise SystemExit(USAGE) from error
    outcome = read_again(recording)
    kind, name = kind_of(outcome), CATALOG.name_of(recording.carrier)
    texts = Localized("en", settings.policy.zone)
    click.echo(harmless(f"{name}: read as {kind}: {recording.number}: {parcel_text(outcome, texts)}"))
    if kind != recording.kind:
        say_error(f"It was read as {harmless(recording.kind)} when it was recorded.")
        raise SystemExit(FAILED)
