"""`recours exclude`: claims that no run works on any more, until a person enrols them again."""

import click

from recours.cli.console import say_error
from recours.cli.operations import USAGE, database_option, json_option, person, tell_json, with_operations
from recours.core.text import clean
from recours.operations.enroll import NotEnrolledError, changed_meanwhile, to_exclude

_LONGEST_WHY = 300


@click.command("exclude")
@click.argument("references", metavar="CLAIM…", nargs=-1, required=True)
@click.option("--why", metavar="TEXT", required=True, help="The reason, kept with your name and the time.")
@database_option
@json_option
def command(references: tuple[str, ...], why: str, database_url: str | None, *, as_json: bool) -> None:
    """Take claims out of all work: their pod_fetch_status is set to `manual`. All of them, or none.

    'recours enroll CLAIM' brings them back.
    """
    reason = clean(why, _LONGEST_WHY)
    if not reason:
        raise click.BadParameter("say why, for those who ask later.", param_hint="--why")
    with with_operations(database_url) as operations:
        try:
            found = to_exclude(operations.claims, references)
            if not operations.enrolment.exclude(found, person(), reason, operations.clock.now()):
                raise changed_meanwhile(found)
        except NotEnrolledError as refused:
            for sentence in str(refused).splitlines():
                say_error(sentence)
            raise SystemExit(USAGE) from refused
    if as_json:
        tell_json({"excluded": len(found), "claims": [claim.reference for claim in found]})
        return
    for claim in found:
        click.echo(
            f"{claim.reference}: excluded; no run works on it. To bring it back: recours enroll {claim.reference}"
        )
