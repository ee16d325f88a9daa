"""`NotificationManager` decides who is notified of each event, and renders the emails. Each event is reported once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from recours.core.mail import (
    FAULTS,
    LAPSED,
    Draft,
    EventName,
    MailKind,
    OutboxEvent,
    Preferences,
    Recipient,
    digest_due,
    fault_key,
    is_address,
    is_still_valid,
    listed_events,
    parse_preferences,
    summary_due,
)
from recours.core.policy import Policy
from recours.core.text import clean, plural
from recours.database.mail_outbox import MailOutbox
from recours.mail.render import MOST_CLAIMS, Branding, Rendered, render
from recours.runs.ports import Clock
from recours.settings.model import MailSettings

log = logging.getLogger("__main__")

_KINDS = {
    EventName.POD_FAILED: MailKind.POD_FAILED,
    EventName.POD_RETRIEVED: MailKind.POD_RETRIEVED,
    EventName.ACCOUNT_REFUSED: MailKind.ACCOUNT_REFUSED,
}
_AT_ONCE = 500  # events checked per query
_SHOWN = 5  # references listed in a log line
# An ongoing fault writes an event once a day, so this period contains one of its events.
_RECENTLY = timedelta(days=2)


@dataclass(frozen=True)
class NotificationManager:
    """Renders the emails that are due. Events for a later digest stay pending."""

    outbox: MailOutbox
    settings: MailSettings
    policy: Policy
    clock: Clock
    new_id: Callable[[], str]  # returns a unique text
    blocked: Callable[[], Mapping[str, int]] = dict  # number of blocked claims by account key

    def render_due(self) -> int:
        """Render the emails that are due, and return their number.

        If a run has more emails to clients than the send limit, all of them are held.
        """
        now = self.clock.now()
        due = (
            mail
            for client_id, ids in self.outbox.unreported_by_client().items()
            for mail in self._client_mails(client_id, ids, now)
        )
        # Reads only as many emails as needed to check the limit, because there may be thousands.
        first = list(islice(due, self.settings.send_limit + 1))
        needs_release = len(first) > self.settings.send_limit
        count = 0
        for recipient, preferences, kind, events in chain(first, due):
            count += self._write(
                kind, events, recipient, preferences.language, now, needs_release=needs_release
            )
        if needs_release:
            log.warning(
                f"{plural(count, 'email')} to clients held: more than {self.settings.send_limit} in one run "
                "(RECOURS_MAIL_BRAKE). To send them, type 'recours mail release'."
            )
        return count + self._summary(now)

    def _client_mails(
        self, client_id: Any, ids: Sequence[int], now: datetime
    ) -> list[tuple[Recipient, Preferences, MailKind, list[OutboxEvent]]]:
        recipient = self.outbox.recipient(client_id)
        if why := _unreachable(recipient):
            self._decline(self.outbox.still_unreported(ids), why, logging.WARNING)
            return []
        events = self.outbox.still_unreported(ids)
        assert recipient is not None  # noqa: S101 (_unreachable has checked it)
        preferences, fault = parse_preferences(recipient.preferences, self.settings.language)
        if fault:
            log.warning(f"Client {client_id}: {fault}; the default is used")
        mails = []
        for name, kind in _KINDS.items():
            of_kind = [event for event in events if event.name is name]
            if not preferences.wants(kind):
                self.outbox.decline(of_kind, "not wanted by the client")
                continue
            frequency = preferences.frequency
            zone = self.policy.zone
            due = [event for event in of_kind if digest_due(event.written_at, frequency, now, zone)]
            due = self._still_valid(due)
            mails += [
                (recipient, preferences, kind, due[place : place + MOST_CLAIMS])
                for place in range(0, len(due), MOST_CLAIMS)
            ]
        return mails

    def _still_valid(self, events: Sequence[OutboxEvent]) -> list[OutboxEvent]:
        """The events whose reason still applies. The others are declined, because they have lapsed."""
        valid: list[OutboxEvent] = []
        for place in range(0, len(events), _AT_ONCE):
            some = events[place : place + _AT_ONCE]
            now = self.outbox.reasons(some, self.clock.now())
            lapsed: list[OutboxEvent] = []
            for event in some:
                applies = is_still_valid(event, now, self.policy.skip_claim_statuses)
                (valid if applies else lapsed).append(event)
            self._decline(lapsed, LAPSED, logging.INFO)
        return valid

    def _decline(self, events: Sequence[OutboxEvent], why: str, level: int) -> None:
        """Record and log that no email reports these events. If `events` is empty, another run has declined them."""
        if not events:
            return
        self.outbox.decline(events, why)
        references = sorted(
            {clean(event.facts.get("reference") or event.carrier or "?", 60) for event in events}
        )
        more = f" and {len(references) - _SHOWN} more" if len(references) > _SHOWN else ""
        log.log(level, f"No email about {', '.join(references[:_SHOWN])}{more}: {why}")

    def _summary(self, now: datetime) -> int:
        """Write a daily email to the operator about problems that only they can fix, and about given-up claims.

        A new fault is emailed at once, together with all pending events.
        """
        events = self._still_valid(self.outbox.events_of_operator())
        if not events:
            return 0
        if not is_address(self.settings.admin):
            self.outbox.decline(events, "there was no ADMIN_EMAIL")
            log.warning(
                f"{plural(len(listed_events(events)), 'operator notice')} not sent: ADMIN_EMAIL is not set"
            )
            return 0
        operator = Recipient(None, self.settings.admin, None, is_active=True, preferences=None)
        reports = [[event] for event in events if event.name is EventName.WEEKLY_REPORT]
        summary = [event for event in events if event.name is not EventName.WEEKLY_REPORT]
        mails = [(MailKind.WEEKLY_REPORT, report) for report in reports]
        if summary and (
            summary_due(self.outbox.last_summary(), now, self.policy.zone) or self._has_new(summary, now)
        ):
            mails.append((MailKind.OPERATOR_SUMMARY, summary))
        return sum(
            self._write(kind, mail_events, operator, self.settings.language, now)
            for kind, mail_events in mails
        )

    def _has_new(self, events: Sequence[OutboxEvent], now: datetime) -> bool:
        """Return whether the events include a fault that no recent email reported."""
        faults = {fault_key(event) for event in events} - {None}
        return bool(faults) and not faults <= set(
            map(fault_key, self.outbox.reported_faults(now - _RECENTLY))
        )

    def _write(
        self,
        kind: MailKind,
        events: list[OutboxEvent],
        recipient: Recipient,
        language: str,
        now: datetime,
        *,
        needs_release: bool = False,
    ) -> int:
        """Render and store one email. Return 1, or 0 if another run reported its events or an error occurred."""
        of_accounts = any(event.name in (*FAULTS, EventName.ACCOUNT_REFUSED) for event in events)
        blocked = self.blocked() if of_accounts else {}
        try:
            if kind is MailKind.WEEKLY_REPORT:
                mail = Rendered(**events[0].facts)  # the report was rendered when its event was written
            else:
                head = Branding(self.settings.service, self.settings.claim_url, self.policy.zone)
                mail = render(kind, events, language, recipient.name, head, self.outbox.catalog, blocked)
        except Exception:  # a failure must not block other emails, and the events stay pending
            references = ", ".join(clean(event.facts.get("reference") or "?", 60) for event in events[:5])
            log.exception(f"Could not render the email about {references}: internal error")
            return 0
        draft = Draft(
            message_id=f"<{self.new_id()}@recours.invalid>",
            kind=kind,
            client_id=recipient.client_id,
            recipient=recipient.email or "",
            language=language,
            subject=mail.subject,
            plain=mail.plain,
            html=mail.html,
        )
        return int(self.outbox.write(draft, events, now, needs_release=needs_release))


def _unreachable(recipient: Recipient | None) -> str | None:
    if recipient is None:
        return "the client is not known"
    if not recipient.is_active:
        return "the client is not active"
    if not is_address(recipient.email):
        return "the client's address is not one"
    return None
