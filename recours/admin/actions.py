"""Actions of people on claims, carriers, accounts and emails. Each action is recorded with its author and time."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from recours.accounts.rules import (
    AccountCheck,
    AccountRefusedError,
    carrier_named,
    checked_text,
    limits_in,
    limits_text,
)
from recours.admin.accounts import AccountActions
from recours.admin.attach import LONGEST_NAME, Attacher, Attachment, NotAttachedError, proof_to_detach
from recours.admin.claim_file import FileRow, read_claim_file
from recours.admin.dossier import make_dossier
from recours.admin.erase import Eraser
from recours.admin.fetch import RequestedFetch
from recours.admin.results import AttachResult, RecoursError, ResultSentences
from recours.app import App
from recours.carriers.registry import CATALOG
from recours.core.accounts import ClientAccount, account_name, carrier_of
from recours.core.actions import MAILS
from recours.core.claim import Claim
from recours.core.errors import REFUSED_KINDS, ErrorKind, RunError
from recours.core.evidence import EvidenceKind
from recours.core.localized import Localized
from recours.core.mail import is_address
from recours.core.outcome import NotADocumentError
from recours.core.text import clean
from recours.core.times import EXAMPLES, time_ahead
from recours.core.translations import N_, Counted, translate
from recours.database.by_person import DETACH, correct, detach, require_room
from recours.database.engine import DatabaseError
from recours.evidence.attached_files import appraise_file, read_file
from recours.evidence.manifests import write_manifests
from recours.evidence.store import DocumentStore, is_inside
from recours.mail.service import mail_service, send_test
from recours.reporting.claim_reports import evidence_of
from recours.reporting.labels import check_error, reason_of
from recours.reporting.records import ListedClaim
from recours.reporting.snapshot import Reports
from recours.runs.eligibility import (
    Correction,
    EnrollCriteria,
    ReopenCriteria,
    correction_of,
    why_not_enroll,
    why_not_exclude,
    why_not_reopen,
)
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError, Unfit, UnfitClaimsError, why_erased
from recours.runs.source import unknown_claim

LONGEST_WHY = 300
MOST_CLAIMS = 5000  # in one action


@dataclass(frozen=True)
class ActionResult:
    """The result of an action. `subject`: the reference of a claim, or the key of a carrier or an account.

    `is_done`: False if nothing was changed (`sentence` says why), or if checked credentials were not accepted.
    `is_already_done`: no change was necessary. `before`, `after`: the claim's number and carrier before and after the action.
    """

    subject: str
    sentence: str
    is_done: bool = True
    is_already_done: bool = False
    before: str = ""
    after: str = ""


class FileAction(StrEnum):
    """Actions on the claims that a file lists."""

    CORRECT = "correct"
    REOPEN = "reopen"
    EXCLUDE = "exclude"


class FileResult(NamedTuple):
    """The result of one line of a file."""

    line: int
    result: ActionResult


@dataclass(frozen=True)
class AccountResult(ActionResult):
    """The result for an account at a carrier. `client_id` None: the default account."""

    client_id: Any = None
    carrier: str = ""  # its display name
    accepted: bool | None = None  # by the carrier; None: no call was made, or the answer is unclear
    kind: ErrorKind | None = None  # of the error; None: no error
    error: str | None = None  # the carrier's answer, or why no call was made


class CorrectRequestError(RecoursError):
    """The request is invalid: correct it."""


SENTENCES: dict[str, str] = {
    "reopened": N_("{reference} reopened: the next run asks the carrier."),
    "excluded": N_("{reference} excluded: recours no longer works on it."),
    "detached": N_(
        "{reference}: the proof was detached and is kept as {path}. The next runs look for another proof."
    ),
    "detached_next": N_(
        "{reference}: the proof was detached and is kept as {path}. The best of the other proofs replaces it."
    ),
    "to_erase": N_("To be erased permanently: {amount}."),
    "erased": N_("Erased: {amount}."),
    "nothing": N_("nothing"),
    "not_erased": N_(
        "Not erased: backups, logs, exported files and dossiers, and the service's own tables, including "
        "notifications."
    ),
    "undeleted": N_("{path} could not be deleted ({why}), so its record is kept. Run the erasure again."),
    "enrolled": N_("{reference} enrolled: the fetch worker's next run asks the carrier."),
    "corrected": N_("{reference} corrected: the next run starts over."),
    "corrected_only": N_(
        "{reference} corrected. recours does not fetch its proof: the claim is not enrolled, or its status "
        "says that no proof is needed."
    ),
    "doubtful": N_("The check digit of {number} is wrong: is the number mistyped?"),
    "did_file": N_("{count} lines: {done} done, {already} unchanged, {refused} not possible."),
    "would_do_file": N_(
        "{count} lines: {done} can be done, {already} unchanged, {refused} not possible. Nothing was changed."
    ),
    "paused": N_("{carrier} is paused until someone resumes it. Claims stay due, and no attempt is used."),
    "paused_until": N_("{carrier} is paused until {until}. Claims stay due, and no attempt is used."),
    "paused_again": N_("It was already paused: the new reason and end replace the previous ones."),
    "not_ahead": N_("'{text}' is not a time within the next year. Examples: {examples}."),
    "others_go_on": N_("Its claims that are fetched from {others} are not paused."),
    "resumed": N_("{carrier} resumed: the next run calls it."),
    "still_closed": N_("{carrier} resumed, but it cannot be called yet: {reason}."),
    "not_paused": N_("{carrier} was not paused; nothing was changed."),
    "closed_otherwise": N_("{carrier} was not paused; nothing was changed. It cannot be called: {reason}."),
    "refusal_lifted": N_("The pause after the earlier rejection is over."),
    "limits_changed": N_("{client}'s account with {carrier}: limits {limits}."),
    "limits_default": N_("{client}'s account with {carrier}: limits reset to the carrier's."),
    "account_kept": N_("{client}'s credentials for {carrier} are stored; the next run uses them."),
    "account_removed": N_(
        "{client}'s account with {carrier} was removed. The client's claims now use the default account, if "
        "there is one."
    ),
    "released": N_("{count} emails released: the next run sends them."),
    "released_one": N_("1 email released: the next run sends it."),
    "none_held": N_("No email is held."),
    "no_address": N_("'{text}' is not an email address, such as someone@example.com."),
    "no_mail_server": N_("No mail server is set: set SMTP_HOST, or smtp_host in the table system_settings."),
    "mail_not_sent": N_("Not sent: {error}."),
    "mail_sent": N_("Email to {address} accepted by {server} (from {sender}, {security})."),
    "no_encryption": N_("no encryption"),
}

_ERASED_COUNTS = {
    "claims": Counted("{count} claim", "{count} claims"),
    "documents": Counted("{count} document", "{count} documents"),
    "mails": Counted("{count} email", "{count} emails"),
    "accounts": Counted("{count} carrier account", "{count} carrier accounts"),
}
_AT_ONCE = 500  # claims in one transaction
_MOST_SUGGESTIONS = 20  # unknown references for which a similar one is suggested
_ATTACH = "attach"  # recorded as the worker of the attempt

# Returns why an action on the claim with this reference is impossible, or None if it is possible.
_WhyNot = Callable[[str, ListedClaim], ClaimRefusal | None]
# Acts on claims; takes the claims, a name and a time. Returns the ids of the claims that had not changed before that.
_Do = Callable[[Sequence[Claim], str, datetime], set[Any]]


@dataclass(frozen=True)
class Actions:
    """Carries out actions on one database. All methods raise RecoursError with a sentence for the person.

    `by`: the person's name, as recorded. `language`: the person's language. An action on several claims changes all
    claims that allow the action and returns a result for each claim, in the order of the references.
    """

    app: App
    by: str
    language: str = "en"

    def __post_init__(self) -> None:
        """Clean the name, which may come from outside recours."""
        object.__setattr__(self, "by", clean(self.by, LONGEST_NAME))

    @property
    def reports(self) -> Reports:
        return Reports(self.app)

    # ---------------------------------------------------------------- claims

    def dossier(self, reference: str, language: str) -> bytes:
        """Return a ZIP with the claim's evidence and a cover page in this language."""
        with self._translating_errors():
            return make_dossier(self.app, reference, language)

    def fetch(self, references: Sequence[str]) -> RequestedFetch:
        """Prepare a fetch of these claims, to be run by the caller."""
        references = tuple(dict.fromkeys(references))
        with self._translating_errors():
            self._require_few(references)
        return RequestedFetch(self.app.settings, self._sentences, references, self.by)

    def reopen(self, references: Sequence[str], *, dry_run: bool = False) -> list[ActionResult]:
        """Restart claims that recours gave up on. `dry_run`: only report which claims could be reopened."""
        app = self.app

        def why_not(_: str, listed: ListedClaim) -> ClaimRefusal | None:
            is_leased = listed.leased_until(app.clock.now()) is not None
            return why_not_reopen(listed.claim, app.policy, is_leased=is_leased)

        do = None if dry_run else app.given_up.start_over
        return self._each(references, why_not, do, partial(self._done, "reopened"))

    def reopen_all(self, criteria: ReopenCriteria) -> Iterator[str]:
        """Reopen all matching claims in batches, so that runs can continue; yield their references."""
        app = self.app
        policy = self.app.policy
        for part in app.given_up.given_up(criteria, app.clock.now()):
            may = [claim for claim, _ in part if not policy.sets_aside(claim)]
            reopened = app.given_up.start_over(may, self.by, app.clock.now()) if may else set()
            yield from (claim.reference for claim in may if claim.id in reopened)

    def exclude(self, references: Sequence[str], why: str, *, dry_run: bool = False) -> list[ActionResult]:
        """Exclude claims from processing. `why`: the person's reason, which is recorded. `dry_run`: see `reopen`."""
        reason = _reason(why)
        with self._translating_errors():
            if not reason and not dry_run:
                raise ClaimsRefusedError(ClaimRefusal("no_reason"))
        exclude = partial(self.app.enrollment.exclude, why=reason)
        done = partial(self._done, "excluded")
        return self._each(
            references, lambda _, row: why_not_exclude(row.claim), None if dry_run else exclude, done
        )

    def enroll(self, references: Sequence[str], *, dry_run: bool = False) -> list[ActionResult]:
        """Enroll claims, including excluded ones. `dry_run`: see `reopen`."""
        app = self.app

        def why_not(_: str, listed: ListedClaim) -> ClaimRefusal | None:
            return why_not_enroll(listed.claim, app.policy)

        enroll = None if dry_run else app.enrollment.enroll_named
        return self._each(references, why_not, enroll, partial(self._done, "enrolled"))

    def enroll_all(self, criteria: EnrollCriteria) -> int:
        """Enroll all matching claims that await a decision, and return their number."""
        app = self.app
        return app.enrollment.enroll_all(criteria, app.policy, app.catalog, app.clock.now)

    def correct(
        self, reference: str, *, number: str | None = None, carrier: str | None = None
    ) -> ActionResult:
        """Correct a claim's tracking number or carrier (any name of the carrier); None: unchanged."""
        app = self.app
        now = self.app.clock.now()
        with self._translating_errors():
            claim = self.reports.require(reference).claim
            correction = self._correction(claim, number, carrier)
            if not correct(app.assessor, [(claim, correction)], self.by, now):
                raise ClaimsRefusedError(self._why_not_done(claim, now))
        return self._corrected(correction, reference, claim)

    def correct_all(self, rows: Sequence[FileRow], *, dry_run: bool = False) -> list[ActionResult]:
        """Correct the claims in these rows. `dry_run`: see `reopen`."""
        by_reference = {row.reference: row for row in rows}
        corrections: dict[Any, Correction] = {}

        def why_not(reference: str, listed: ListedClaim) -> ClaimRefusal | None:
            row = by_reference[reference]
            claim = listed.claim
            try:
                corrections[claim.id] = self._correction(claim, row.number, row.carrier)
            except ClaimsRefusedError as error:
                return error.refusals[0]
            return None

        def do(claims: Sequence[Claim], by: str, now: datetime) -> set[Any]:
            pairs = [(claim, corrections[claim.id]) for claim in claims]
            return {claim.id for claim in correct(self.app.assessor, pairs, by, now)}

        def done(reference: str, claim: Claim) -> ActionResult:
            return self._corrected(corrections[claim.id], reference, claim)

        return self._each(list(by_reference), why_not, None if dry_run else do, done)

    def _correction(self, claim: Claim, number: str | None, carrier: str | None) -> Correction:
        """Validate a correction. Raises ClaimsRefusedError."""
        border = self.app.database.border
        correction = correction_of(claim, number, carrier, self.app.catalog, border.values_of("carrier"))
        require_room(border, correction.values)
        return correction

    def _corrected(self, correction: Correction, reference: str, claim: Claim) -> ActionResult:
        number = correction.number or claim.number
        will_fetch = claim.is_ours and not self.app.policy.sets_aside(claim)
        text = self._say("corrected" if will_fetch else "corrected_only", reference=claim.reference)
        if correction.doubtful:
            text += f" {self._say('doubtful', number=number)}"
        return ActionResult(
            reference,
            text,
            before=_parcel(claim.number, claim.carrier_name),
            after=_parcel(number, correction.carrier or claim.carrier_name),
        )

    def act_on_file(
        self, action: FileAction, content: bytes, why: str = "", *, dry_run: bool = False
    ) -> list[FileResult]:
        """Act on the claims of a CSV file, line by line. `why`: for exclusions. `dry_run`: see `reopen`."""
        with self._translating_errors():
            rows = read_claim_file(content, MOST_CLAIMS, needs_values=action is FileAction.CORRECT)
        readable = [row for row in rows if row.fault is None]
        references = [row.reference for row in readable]
        if action is FileAction.CORRECT:
            results = self.correct_all(readable, dry_run=dry_run)
        elif action is FileAction.REOPEN:
            results = self.reopen(references, dry_run=dry_run)
        else:
            results = self.exclude(references, why, dry_run=dry_run)
        by_reference = {result.subject: result for result in results}
        return [
            FileResult(
                row.line,
                self._refused(row.reference, row.fault) if row.fault else by_reference[row.reference],
            )
            for row in rows
        ]

    def file_summary(self, results: Sequence[FileResult], *, dry_run: bool = False) -> str:
        done = sum(result.is_done for _, result in results)
        already = sum(result.is_already_done for _, result in results)
        return self._say(
            "would_do_file" if dry_run else "did_file",
            count=len(results),
            done=done,
            already=already,
            refused=len(results) - done - already,
        )

    def attach(
        self,
        reference: str,
        content: bytes | Path,
        name: str,
        *,
        kind: EvidenceKind = EvidenceKind.LETTER,
        signed_by: str | None = None,
        at: date | None = None,
        anyway: str | None = None,
    ) -> AttachResult:
        """Attach a proof to a claim. `name`: the file name. `content`: the bytes of the file, or its path.

        `at`: the delivery time, see `Attachment`. `anyway`: why to accept a file that would be refused, or None.
        """
        app = self.app
        with self._translating_errors():
            reason = _reason(anyway or "")
            if anyway is not None and not reason:
                raise ClaimsRefusedError(ClaimRefusal("no_reason"))
            content = _content_of(content) if isinstance(content, Path) else content
            documents = DocumentStore(app.settings.pod_dir, app.settings.access)
            documents.prepare()
            listed = self.reports.require(reference)
            attacher = Attacher(
                records=self.reports.records,
                claims=replace(app.claims, worker=_ATTACH),
                documents=documents,
                appraise=appraise_file,
                policy=app.policy,
                token=uuid.uuid4().hex,
            )
            name = clean(name, 200)
            attachment = Attachment(name, content, self.by, kind, signed_by, at, reason)
            document, pod_url = attacher.attach(listed, attachment, app.clock.now())
            write_manifests(app.settings, app.database, _ATTACH, app.clock)
            evidence = evidence_of(app, listed)
            result: AttachResult = self._sentences.attached(reference, document, pod_url, evidence)
        return result

    def accept(self, reference: str, sha256: str, why: str) -> AttachResult:
        """Accept a refused file, given its SHA-256. `why`: the person's reason, which is recorded."""
        with self._translating_errors():
            listed = self.reports.require(reference)
            pieces = self.reports.records.evidence(listed.claim.id)
            piece = next((piece for piece in pieces if piece.sha256 == sha256), None)
            if piece is None or not is_inside(self.app.settings.pod_dir, piece.path):
                raise NotAttachedError("no_piece", reference=listed.claim.reference)
        path = Path(piece.path)
        return self.attach(reference, path, path.name, kind=piece.kind, anyway=why)

    def detach(self, reference: str, chosen: str = "", why: str = "") -> ActionResult:
        """Withdraw a proof, given its path or SHA-256 ("": the claim's POD). The file is kept as refused."""
        app = self.app
        now = self.app.clock.now()
        with self._translating_errors():
            listed = self.reports.require(reference)
            claim = listed.claim
            pieces = self.reports.records.evidence(listed.claim.id)
            piece, following = proof_to_detach(listed, pieces, chosen)
            documents = DocumentStore(app.settings.pod_dir, app.settings.access)
            path = Path(piece.path)
            apart = documents.refuse(path) if is_inside(documents.folder, piece.path) else path
            is_pod = piece.path == listed.pod_url
            if not detach(
                app.assessor,
                claim,
                piece,
                str(apart),
                now,
                by=self.by,
                why=_reason(why),
                is_pod=is_pod,
                following=following,
            ):
                raise ClaimsRefusedError(self._why_not_done(claim, now))
            if apart != path:
                path.unlink(missing_ok=True)
            write_manifests(app.settings, app.database, DETACH, app.clock)
        key = "detached" if is_pod and not following else "detached_next"
        return self._result(claim.reference, key, reference=clean(claim.reference, 100), path=apart)

    def erase(
        self,
        references: Sequence[str] = (),
        *,
        client: Any = None,
        deleted: bool = False,
        dry_run: bool = False,
    ) -> list[ActionResult]:
        """Erase all data of these claims, of a client (address or id), or of claims that the service has deleted.

        Return how much was erased, what recours cannot erase, and what failed. `dry_run`: only report the amount.
        """
        with self._translating_errors():
            eraser = Eraser(self.app, self.by)
            if client is not None:
                subject = eraser.of_client(client)
            else:
                subject = eraser.of_deleted() if deleted else eraser.of_claims(references)
            erased, refusals = (eraser.outlook(subject), []) if dry_run else eraser.erase(subject)
        counts = [
            self._sentences.counted(*forms, count)
            for name, forms in _ERASED_COUNTS.items()
            if (count := getattr(erased, name))
        ]
        amount = ", ".join(counts) or self._say("nothing")
        undeleted = [
            self._say("undeleted", path=clean(path), why=clean(why)) for path, why in erased.undeleted.items()
        ]
        failures = [refusal.sentence(self.language) for refusal in refusals] + undeleted
        result = self._result(subject.name, "to_erase" if dry_run else "erased", amount=amount)
        return [
            replace(result, is_already_done=not counts),
            self._result(subject.name, "not_erased"),
            *(ActionResult("", sentence, is_done=False) for sentence in failures),
        ]

    # ---------------------------------------------------------------- carriers

    def pause(self, carrier: str, why: str = "", client: Any = "", until: str = "") -> ActionResult:
        """Pause a carrier (by any of its names), or a client's account there, for all runs on all machines.

        `until`: see `time_ahead`; "": until someone resumes it.
        """
        catalog = self.app.catalog
        zone = self.app.settings.policy.zone
        end = time_ahead(until, self.app.clock.now(), zone) if until else None
        if until and end is None:
            raise CorrectRequestError(self._say("not_ahead", text=clean(until, 40), examples=EXAMPLES))
        with self._translating_errors():
            key, name = self._carrier_or_account(carrier, client)
            queue = self.app.queue()
            earlier = queue.status(key).stopped
            queue.stop(key, self.by, _reason(why), end)
        at = Localized(self.language, zone).minute(end)
        text = self._say("paused_until" if end else "paused", carrier=name, until=at)
        if earlier:
            text += f" {self._say('paused_again')}"
        keys = () if client else catalog.keys_of(name)
        if also := [catalog.name_of(other) for other in keys if other != key]:
            text += f" {self._say('others_go_on', others=', '.join(also))}"
        return ActionResult(key, text)

    def resume(self, carrier: str, client: Any = "") -> ActionResult:
        """Resume a carrier, or a client's account there."""
        with self._translating_errors():
            key, name = self._carrier_or_account(carrier, client)
            queue = self.app.queue()
            stop = queue.resume(key, self.by)
            refusal = queue.status(key).refusal
        if stop is None:
            sentence = "closed_otherwise" if refusal else "not_paused"
        else:
            sentence = "still_closed" if refusal else "resumed"
        reason = reason_of(self.language, refusal, name).rstrip(".") if refusal else ""
        return self._result(key, sentence, is_done=stop is not None, carrier=name, reason=reason)

    def check(self, carrier: str) -> AccountResult:
        """Check the default account's credentials with one real call, within limits and pauses."""
        with self._translating_errors():
            key = carrier_named(CATALOG, carrier).key
            earlier = self.app.queue().status(key).refusal
            (checked,) = AccountActions(self.app).check_all([key], self.by)
            result = self._checked(key, checked)
        if result.accepted and earlier and earlier.kind in REFUSED_KINDS:
            return replace(result, sentence=f"{result.sentence} {self._say('refusal_lifted')}")
        return result

    def _checked(
        self, key: str, checked: AccountCheck, account: ClientAccount | None = None
    ) -> AccountResult:
        """Return the result of a check of the default account, or of a client's account."""
        carrier = CATALOG.name_of(carrier_of(key), carrier_of(key))
        error = check_error(self.language, checked)
        client = account.client.display_name if account else ""
        is_fine = checked.is_accepted
        return AccountResult(
            key,
            checked_text(self.language, checked, carrier, client, error),
            is_done=bool(is_fine),
            client_id=account.client_id if account else None,
            carrier=carrier,
            accepted=is_fine,
            kind=None if is_fine else checked.kind,
            error=None if is_fine else error,
        )

    # ---------------------------------------------------------------- accounts of clients

    def set_limits(self, client: Any, carrier: str, text: str) -> ActionResult:
        """Set the limits of a client's account, such as `100/day TRACKING=20/hour`; "": the carrier's limits."""
        with self._translating_errors():
            accounts, account, names = self._account(client, carrier)
            own = limits_in(CATALOG.specs[account.carrier], text.split()) if text.strip() else None
            if not accounts.store.set_limits(account, own, self.by, self.app.clock.now()):
                raise AccountRefusedError("changed", **names)
        key = "limits_changed" if own else "limits_default"
        return self._result(account.key, key, **names, limits=limits_text(own or {}))

    def remove_account(self, client: Any, carrier: str) -> ActionResult:
        """Delete the credentials of a client's account."""
        with self._translating_errors():
            accounts, account, names = self._account(client, carrier)
            if not accounts.store.remove(account, self.by, self.app.clock.now()):
                raise AccountRefusedError("changed", **names)
        return self._result(account.key, "account_removed", **names)

    def set_account(
        self,
        client: Any,
        carrier: str,
        credentials: Mapping[str, Any],
        limits: Mapping[str, str] | None = None,
        *,
        is_new: bool = False,
        check: bool = False,
    ) -> AccountResult:
        """Seal and store credentials, and test them if `check`. `is_new`: never replace. `limits` None: unchanged."""
        with self._translating_errors():
            accounts = AccountActions(self.app)
            new = accounts.new(client, carrier, credentials, limits)
            accounts.put_all([new], self.by, replace=not is_new)
            sentence = self._say("account_kept", client=new.client.display_name, carrier=new.spec.name)
            account = accounts.account(new.client.id, new.spec.key)
            if check:
                (result,) = self.check_accounts([account])
                return replace(result, sentence=f"{sentence} {result.sentence}")
        return AccountResult(account.key, sentence, client_id=new.client.id, carrier=new.spec.name)

    def check_account(self, client: Any, carrier: str) -> AccountResult:
        """Check a client's credentials with one real call, within limits and pauses."""
        with self._translating_errors():
            _, account, _ = self._account(client, carrier)
            (result,) = self.check_accounts([account])
        return result

    def check_accounts(self, chosen: Sequence[ClientAccount]) -> Iterator[AccountResult]:
        """Check each of these accounts. An error with one account does not affect the other accounts."""
        checks = AccountActions(self.app).check_all([account.key for account in chosen], self.by)
        for account, checked in zip(chosen, checks, strict=True):
            yield self._checked(account.key, checked, account)

    # ---------------------------------------------------------------- emails

    def release_mails(self) -> ActionResult:
        """Release the emails held by the send limit."""
        app = self.app
        with self._translating_errors():
            released = mail_service(app).outbox.release(self.by, app.clock.now())
        key = {0: "none_held", 1: "released_one"}.get(released, "released")
        return self._result(MAILS, key, is_done=released > 0, count=released)

    def send_test_mail(self, address: str) -> ActionResult:
        """Send one email to this address and report the mail server's answer."""
        recipient = address.strip()
        if not is_address(recipient):
            raise CorrectRequestError(self._say("no_address", text=clean(recipient, 100)))
        with self._translating_errors():
            server, fault = send_test(self.app, self.by, recipient)
        if server is None:
            raise CorrectRequestError(self._say("no_mail_server"))
        if fault:
            return self._result(MAILS, "mail_not_sent", is_done=False, error=clean(fault, 500))
        return self._result(
            MAILS,
            "mail_sent",
            address=recipient,
            server=f"{server.host}:{server.port}",
            sender=server.sender,
            security=self._say("no_encryption") if server.security == "none" else server.security,
        )

    # ---------------------------------------------------------------- shared

    def _carrier_or_account(self, carrier: str, client: Any) -> tuple[str, str]:
        """Return the key and name of a carrier, or of the client's account there."""
        if not client:
            spec = carrier_named(CATALOG, carrier)
            return spec.key, spec.name
        _, account, names = self._account(client, carrier)
        return account.key, account_name(names["carrier"], names["client"])

    def _account(self, client: Any, carrier: str) -> tuple[AccountActions, ClientAccount, dict[str, Any]]:
        """Find an account; return it with the names of its client and carrier."""
        accounts = AccountActions(self.app)
        account = accounts.account(client, carrier)
        carrier_name = CATALOG.specs[account.carrier].name
        return accounts, account, {"client": account.client.display_name, "carrier": carrier_name}

    def _each(
        self,
        references: Sequence[str],
        why_not: _WhyNot,
        do: _Do | None,
        done: Callable[[str, Claim], ActionResult],
    ) -> list[ActionResult]:
        """Act on all claims that allow the action. Without `do`, only report. `done` creates the result of a claim."""
        references = list(dict.fromkeys(references))
        with self._translating_errors():
            self._require_few(references)
            listed = self.reports.records.find_all(references)
            claims: list[Claim] = []
            results: dict[str, ActionResult] = {}
            for reference in references:
                row = listed.get(reference)
                if row:
                    refusal = why_erased(row.claim) or why_not(reference, row)
                elif len(references) - len(listed) <= _MOST_SUGGESTIONS:
                    refusal = unknown_claim(self.app.claims, reference)
                else:
                    refusal = ClaimRefusal(Unfit.UNKNOWN, reference)
                if refusal:
                    results[reference] = self._refused(reference, refusal)
                elif row:
                    claims.append(row.claim)
            names = {row.claim.id: reference for reference, row in listed.items()}
            try:
                for first in range(0, len(claims), _AT_ONCE):
                    for claim, fault in self._do_with_all(claims[first : first + _AT_ONCE], do):
                        name = names[claim.id]
                        results[name] = (
                            ActionResult(name, fault, is_done=False) if fault else done(name, claim)
                        )
            except DatabaseError as lost:  # completed actions remain in effect
                text = str(self._sentences.no_database(str(lost)))
                missing = {names[claim.id] for claim in claims} - results.keys()
                results |= {name: ActionResult(name, text, is_done=False) for name in missing}
        return [results[reference] for reference in references]

    def _do_with_all(self, claims: Sequence[Claim], do: _Do | None) -> Iterator[tuple[Claim, str | None]]:
        """Act on all claims at once, then singly on failed ones. Yield claims and errors. Raises DatabaseError."""
        fault = None
        now = self.app.clock.now()
        try:
            finished = do(claims, self.by, now) if do else {claim.id for claim in claims}
        except DatabaseError as error:
            if not (error.is_from_server or error.is_rejection):
                raise
            finished = set()
            fault = str(self._sentences.no_database(str(error)))
        for claim in claims:
            if claim.id in finished:
                yield claim, None
            elif len(claims) > 1:
                yield from self._do_with_all([claim], do)
            else:
                yield claim, fault or self._why_not_done(claim, now).sentence(self.language)

    def _why_not_done(self, claim: Claim, now: datetime) -> ClaimRefusal:
        """Return why an action failed that was possible when the claim was read: a lease or another change."""
        why = Unfit.LEASED if self.app.claims.is_leased(claim, now) else "changed"
        return ClaimRefusal(why, claim.reference, facts={"what": claim.reference})

    def _refused(self, subject: str, refusal: ClaimRefusal) -> ActionResult:
        sentence = refusal.sentence(self.language)
        return ActionResult(subject, sentence, is_done=False, is_already_done=refusal.is_already_done)

    def _done(self, key: str, subject: str, claim: Claim) -> ActionResult:
        return self._result(subject, key, reference=claim.reference)

    def _require_few(self, references: Sequence[str]) -> None:
        count = len(references)
        if count > MOST_CLAIMS:
            facts = {"count": str(count), "most": str(MOST_CLAIMS)}
            raise ClaimsRefusedError(ClaimRefusal("too_many", facts=facts))

    @property
    def _sentences(self) -> ResultSentences:
        return ResultSentences(self.language, self.app.settings.policy.zone)

    def _say(self, key: str, **facts: Any) -> str:
        return translate(self.language, SENTENCES[key]).format(**facts)

    def _result(self, subject: str, key: str, *, is_done: bool = True, **facts: Any) -> ActionResult:
        return ActionResult(subject, self._say(key, **facts), is_done)

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Translate refusals and errors into a RecoursError in the person's language."""
        sentences = self._sentences
        try:
            yield
        except AccountRefusedError as refused:
            raise sentences.account_refused(refused) from refused
        except NotAttachedError as refused:
            raise sentences.not_attached(refused) from refused
        except UnfitClaimsError as refused:
            raise sentences.refused(refused.refusals[0]) from refused
        except ClaimsRefusedError as refused:
            raise CorrectRequestError(refused.sentences(self.language)) from refused
        except DatabaseError as fault:
            raise sentences.no_database(str(fault)) from fault
        except RunError as fault:
            raise sentences.bad_run(str(fault)) from fault


def _content_of(path: Path) -> bytes:
    """Read a file. Raises NotAttachedError if that fails."""
    try:
        return read_file(path)
    except NotADocumentError as why:
        raise NotAttachedError("file", file=clean(path.name or str(path)), reason=str(why)) from why


def _parcel(number: str | None, carrier: str) -> str:
    return ", ".join(clean(text, LONGEST_NAME) for text in (number, carrier) if text)


def _reason(why: str) -> str:
    """Return the reason on one line."""
    return clean(" ".join(why.split()), LONGEST_WHY)
