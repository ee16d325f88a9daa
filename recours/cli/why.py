"""`recours why`: where a claim stands, how it came there, and what could be done."""

from collections.abc import Sequence
from dataclasses import replace

import click

from recours.cli.console import Table, harmless, show, whole_number
from recours.cli.operations import database_option, json_option, tell_json, unknown_claim, with_operations
from recours.core.errors import Actor
from recours.core.text import format_minute, is_text
from recours.logs import local
from recours.operations.explain import WHO_CAN_ACT, Explanation, Facts, explain
from recours.operations.labels import error_of, quoted
from recours.operations.records import Message, PastAttempt
from recours.wiring.operations import Operations


@click.command("why")
@click.argument("reference", metavar="CLAIM")
@click.option(
    "--max-retries",
    type=whole_number(1, 20),
    default=4,
    show_default=True,
    metavar="N",
    help="As the scheduler is given it.",
)
@database_option
@json_option
def command(reference: str, max_retries: int, database_url: str | None, *, as_json: bool) -> None:
    """Say why a claim waits: its attempts, what comes next, and what a person could do. Calls nobody."""
    with with_operations(database_url) as operations:
        found = explanation_of(operations, reference, max_retries)
        if found is None:
            raise unknown_claim(operations, reference)
    if as_json:
        tell_json(found.as_json())
    else:
        _show(found)


def explanation_of(operations: Operations, reference: str, max_retries: int = 4) -> Explanation | None:
    """Where the claim of this reference stands; None: there is none. Raises DatabaseError."""
    listed = operations.records.find(reference) if is_text(reference) else None
    if listed is None:
        return None
    claim, now = listed.claim, operations.clock.now()
    facts = Facts(
        attempts=operations.records.attempts(claim.id),
        messages=operations.records.messages(claim.id),
        leased_until=operations.records.leased_until(claim.id, now),
        refusal=operations.queue().would_refuse(claim.carrier) if claim.carrier else None,
    )
    policy = replace(operations.settings.policy, max_retries=max_retries)
    return explain(listed, facts, operations.catalog, policy, now, local)


# ---------------------------------------------------------------- for people


def _show(found: Explanation) -> None:
    claim = found.claim
    deadline = f", to be answered by {claim.deadline}" if claim.deadline else ""
    number = claim.number or "no tracking number"
    _say(f"{claim.reference}: {found.carrier or 'no carrier'}, {number}{deadline}")
    for sentence in found.standing:
        _say(sentence, "  ")
    if found.next_why:
        _say(f"Next try: {_next(found)}")
    if (error := error_of("en", claim)) and claim.fetch_status != "success":
        _say(f"Last error: {error}{f' ({found.kind})' if found.kind else ''}")
    if found.actor:
        who = WHO_CAN_ACT[found.actor]
        _say(who if found.actor is Actor.NOBODY else f"Who can act: {who}")
    for sentence in found.advice:
        _say(sentence, "  ")
    if found.facts.attempts:
        show(_attempts(found.facts.attempts))
    else:
        _say(
            "Its attempts are no longer on record: 'recours prune' deletes old ones."
            if found.was_tried
            else "No attempts recorded yet."
        )
    if found.facts.messages:
        show(_messages(found.facts.messages))


def _say(sentence: str, indent: str = "") -> None:
    click.echo(indent + harmless(sentence))


def _next(found: Explanation) -> str:
    if found.next_at is None:
        return found.next_why
    return f"by the first run from {format_minute(found.next_at, local)} on: {found.next_why}"


def _attempts(attempts: Sequence[PastAttempt]) -> Table:
    rows = [
        (
            format_minute(attempt.started_at, local),
            "fetch" if attempt.retry == 0 else f"turn {attempt.retry}",
            attempt.number,
            attempt.kind or attempt.outcome,
            _answer(attempt),
        )
        for attempt in attempts
    ]
    return Table("Attempts", ("When", "What", "Number", "Outcome", "Answer"), rows)


def _answer(attempt: PastAttempt) -> str:
    status = f" (HTTP {attempt.http_status})" if attempt.http_status else ""
    unused = "" if attempt.used or attempt.outcome == "success" else "; no attempt was used up"
    told = attempt.message and (attempt.message if attempt.said else quoted("en", attempt.message))
    said = told or (f"POD: {attempt.document_path}" if attempt.document_path else "")
    return f"{said}{status}{unused}"


def _messages(messages: Sequence[Message]) -> Table:
    rows = [
        (format_minute(message.written_at, local), message.event, message.audience, _told(message))
        for message in messages
    ]
    return Table("Told", ("When", "What", "To", "How"), rows)


def _told(message: Message) -> str:
    if message.told is None:
        return "not told yet"
    if message.mail_state is None:
        return message.told
    when = f" {format_minute(message.ended_at, local)}" if message.ended_at else ""
    return f"mail to {message.recipient}: {message.mail_state}{when}"
