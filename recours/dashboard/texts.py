"""Texts of the dashboard that are not in its templates, in one language and time zone."""

from recours.core.errors import Actor
from recours.core.localized import Localized
from recours.core.position import Standing
from recours.core.translations import N_
from recours.reporting.labels import ACTORS, STANDING, kind_name, person_named
from recours.reporting.records import COUNTED_UP_TO, DeadlineRange

MAIL_STATES = {
    "ready": N_("waiting for the mail server"),
    "held": N_("held"),
    "sending": N_("sending"),
    "sent": N_("sent"),
    "failed": N_("refused"),
    "cancelled": N_("canceled"),
    "undecided": N_("possibly sent"),
}
EVENTS = {
    "pod_failed": N_("to the client: no proof of delivery"),
    "pod_retrieved": N_("to the client: proof of delivery fetched"),
    "account_refused": N_("to the client: the carrier rejects their account"),
    "gave_up": N_("to the operator: claim given up"),
    "expired": N_("to the operator: claim given up, its deadline passed long ago"),
    "account_fault": N_("to the operator: problem with a carrier account"),
    "outage": N_("to the operator: carrier unavailable"),
    "to_correct": N_("to the operator: claims to correct"),
    "refused_documents": N_("to the operator: documents refused"),
    "run_fault": N_("to the operator: internal error in recours"),
    "weekly_report": N_("to the operator: weekly report"),
}
OUTCOMES = {
    "attached": N_("proof attached"),
    "success": N_("proof fetched"),
    "failed": N_("failed"),
    "left": N_("deferred, no attempt used"),
}
NOTIFIED = {
    "mail": N_("written"),
    "its claim was mended before anybody was told": N_("not sent: the claim was corrected first"),
    "not wanted by the client": N_("not sent: the client opted out"),
    "the client is not known": N_("not sent: unknown client"),
    "the client is not active": N_("not sent: inactive client"),
    "the client's address is not one": N_("not sent: the client's address is invalid"),
    "there was no ADMIN_EMAIL": N_("not sent: ADMIN_EMAIL was empty"),
}
DISPUTES = {
    "lost": N_("lost parcel"),
    "late_delivery": N_("late delivery"),
    "damaged": N_("damaged parcel"),
    "invalid_pod": N_("contested proof of delivery"),
}
CLAIM_STATUSES = {
    "pending": N_("pending"),
    "submitted": N_("submitted"),
    "accepted": N_("accepted"),
    "rejected": N_("rejected"),
    "paid": N_("paid"),
    "refunded": N_("refunded"),
    "closed": N_("closed"),
}
FETCH_STATUSES = {
    "pending": N_("pending"),
    "fetching": N_("fetching"),
    "failed": N_("failed"),
    "success": N_("success"),
    "not_available": N_("not available"),
    "manual": N_("manual"),
    "": N_("none"),
}
DEADLINES = {
    DeadlineRange.PASSED: N_("passed"),
    DeadlineRange.IN_3_DAYS: N_("within 3 days"),
    DeadlineRange.IN_7_DAYS: N_("within 7 days"),
    "": N_("no deadline"),
}
CARRIER_STATES = {
    "open": N_("available"),
    "unavailable": N_("unavailable"),
    "paused": N_("paused"),
    "rejected": N_("rejects our credentials"),
    "denied": N_("denies our account access"),
    "unconfigured": N_("no credentials"),
    "limit": N_("quota used up, or asked us to wait"),
}
ACCOUNT_STATES = {
    "open": N_("active"),
    "paused": N_("paused"),
    "refused": N_("rejected by the carrier"),
    "unusable": N_("unusable"),
}
CAPABILITIES = {
    "token": N_("token"),
    "tracking": N_("tracking"),
    "pod": N_("proof"),
}
VISITORS = {
    "operator": N_("operator"),
    "viewer": N_("viewer"),
}
WORKERS = {
    "pod_retry_scheduler": N_("Retry scheduler"),
    "pod_fetch_worker": N_("Fetch worker"),
}
WORKER_STATES = {
    "fine": N_("OK"),
    "overdue": N_("overdue"),
    "running": N_("running"),
    "never_ran": N_("never ran"),
    "failed": N_("last run failed"),
}
ABSENT = {
    "pod_elsewhere": N_("Other software stored this document, so it is not opened here:"),
    "pod_missing": N_("The document is missing: {name}."),
    "pod_unreadable": N_("The document cannot be read: {reason}."),
    "pod_gone": N_("No such document is recorded."),
    "pod_too_large": N_("The document is too large to display here."),
    "pod_no_document": N_("The file is not a document: {reason}."),
}
FILTERS = {
    "stage": N_("Stage"),
    "carrier": N_("Carrier"),
    "deadline": N_("Deadline"),
    "dispute": N_("Dispute"),
    "status": N_("Fetch status"),
    "kind": N_("Reason"),
    "problem": N_("Problem"),
    "from": N_("date"),
    "to": N_("date"),
}


class PageTexts(Localized):
    def name_of(self, language: str) -> str:
        """The name of a language in that language."""
        return {"fr": "Français", "en": "English"}[language]

    def kind(self, kind: str) -> str:
        return kind_name(self, kind)

    def stage(self, stage: str) -> str:
        return self(STANDING[Standing(stage)])

    def actor(self, actor: Actor) -> str:
        return self(ACTORS[actor])

    def many(self, count: int) -> str:
        """A count up to a limit: `10,000+`."""
        return f"{self.number(min(count, COUNTED_UP_TO))}{'+' if count >= COUNTED_UP_TO else ''}"

    def who(self, by: str) -> str:
        """The name of the person or program that did something."""
        return person_named(self.language, by)
