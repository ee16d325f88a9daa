"""What a person does to claims, carriers, accounts and mails. Each action is recorded: who did it, and when."""

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
from recours.admin.attach import LONGEST_NAME, Attacher, Attachment, NotAttachedError, piece_to_take_back
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
from recours.core.translations import N_, translate
from recours.database.by_person import DETACH, correct, detach, require_room
from recours.database.engine import DatabaseError
from recours.evidence.by_hand import appraise_file, read_file
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
MOST_CLAIMS = 5000  # of one action


@dataclass(frozen=True)
class ActionResult:
    """What came of an action. `subject`: the reference of a claim, or the key of a carrier or an account.

    `is_done`: False: nothing was changed, and `sentence` says why; of a check, that the carrier did not accept the credentials.
    `is_so_already`: nothing had to be. `before`, `after`: what a claim's number and carrier were, and what they are now.
    """

    subject: str
    sentence: str
    is_done: bool = True
    is_so_already: bool = False
    before: str = ""
    after: str = ""


class FileAction(StrEnum):
    """What is done with the claims of a file."""

    CORRECT = "correct"
    REOPEN = "reopen"
    EXCLUDE = "exclude"


class FileResult(NamedTuple):
    """What came of a line of a file."""

    line: int
    result: ActionResult


@dataclass(frozen=True)
class AccountResult(ActionResult):
    """An account at a carrier, and what one call showed of it. `client_id`: None: the default account."""

    client_id: Any = None
    carrier: str = ""  # as people write it
    accepted: bool | None = None  # by the carrier; None: it was not asked, or did not say
    kind: ErrorKind | None = None  # of what is in the way; None: nothing is
    error: str | None = None  # what the carrier said, or what kept it from being asked


class CorrectRequestError(RecoursError):
    """What was asked for cannot be done as it was asked: correct it."""


SENTENCES: dict[str, str] = {
    "reopened": N_("{reference} starts over: the next run asks the carrier."),
    "excluded": N_("{reference}: excluded; no run works on it."),
    "detached": N_("{reference}: the proof was taken back and is kept as {path}; runs look for another one."),
    "detached_next": N_(
        "{reference}: the proof was taken back and is kept as {path}; the best of the others counts."
    ),
    "to_erase": N_(
        "To be erased for good: claims {claims}, documents {documents}, e-mails {mails}, carrier accounts {accounts}."
    ),
    "erased": N_(
        "Erased: claims {claims}, documents {documents}, e-mails {mails}, carrier accounts {accounts}."
    ),
    "not_erased": N_(
        "Not erased: backups, logs, exported files and dossiers, and the service's own tables, notifications among them."
    ),
    "undeleted": N_("{path} could not be deleted ({why}): its record is kept. Erase it again."),
    "enrolled": N_("{reference}: enrolled; the fetch worker's next run asks the carrier."),
    "corrected": N_("{reference}: corrected; the next run starts over with it."),
    "doubtful": N_(
        "{reference}: corrected; the next run starts over with it. The check digit of {number} does not fit: is it mistyped?"
    ),
    "did_file": N_("{count} lines: {done} done, {already} already so, {refused} not possible."),
    "would_do_file": N_(
        "{count} lines: {done} can be done, {already} already so, {refused} not possible. Nothing was changed."
    ),
    "paused": N_("{carrier} is paused until someone resumes it. Claims stay due, and no attempt is used."),
    "paused_until": N_("{carrier} is paused until {until}. Claims stay due, and no attempt is used."),
    "paused_again": N_("It was paused already: the new reason and end replace the old ones."),
    "not_ahead": N_("'{text}' is no time within the next year: write for example {examples}."),
    "others_go_on": N_("Its claims that are asked of {others} go on."),
    "resumed": N_("{carrier} resumed: the next run calls it."),
    "still_closed": N_("{carrier} resumed. It takes no call yet: {reason}."),
    "not_paused": N_("{carrier} was not paused; nothing was changed."),
    "closed_otherwise": N_("{carrier} was not paused; nothing was changed. It takes no call: {reason}."),
    "refusal_lifted": N_("The pause that a refusal had left is lifted."),
    "limits_changed": N_("{client} at {carrier}: limits {limits}."),
    "limits_default": N_("{client} at {carrier}: the carrier's limits."),
    "account_kept": N_("The credentials of {client} at {carrier} are kept; the next run asks with them."),
    "account_removed": N_(
        "{client} at {carrier}: removed. Its claims are asked with the default account, if there is one."
    ),
    "released": N_("{count} mails released: the next run sends them."),
    "released_one": N_("1 mail released: the next run sends it."),
    "none_held": N_("No mail is held."),
    "no_address": N_("'{text}' is not one mail address, such as someone@example.com."),
    "no_mail_server": N_("No mail server is set: SMTP_HOST, or smtp_host in the table system_settings."),
    "mail_not_sent": N_("Not sent: {error}."),
    "mail_sent": N_("E-mail to {address} accepted by {server} (from {sender}, {security})."),
    "no_encryption": N_("no encryption"),
}

_AT_ONCE = 500  # claims of one transaction
_MOST_GUESSED = 20  # claims that do not exist, for which the nearest one is looked for
_ATTACH = "attach"  # instead of a worker, in the record of attempts

# Why an action cannot be done with the claim of a reference; None: it can.
_WhyNot = Callable[[str, ListedClaim], ClaimRefusal | None]
# Does something with claims for a person, at a time; returns the ids of those that nobody changed meanwhile.
_Do = Callable[[Sequence[Claim], str, datetime], set[Any]]


@dataclass(frozen=True)
class Actions:
    """Over one database. All methods raise RecoursError, whose text is a sentence for the person.

    `by`: the person's name, for the record. `language`: theirs. An action on several claims does what can be done: each has
    its own result, in the order of the references.
    """

    app: App
    by: str
    language: str = "en"

    def __post_init__(self) -> None:
        """A name may come from outside."""
        object.__setattr__(self, "by", clean(self.by, LONGEST_NAME))

    @property
    def reports(self) -> Reports:
        return Reports(self.app)

    # ---------------------------------------------------------------- claims

    def dossier(self, reference: str, language: str) -> bytes:
        """The ZIP with a claim's evidence and a cover page in this language."""
        with self._translating_errors():
            return make_dossier(self.app, reference, language)

    def fetch(self, references: Sequence[str]) -> RequestedFetch:
        """What has the carriers of these claims asked now, once it is run."""
        references = tuple(dict.fromkeys(references))
        with self._translating_errors():
            self._require_few(references)
        return RequestedFetch(self.app.settings, self._sentences, references, self.by)

    def reopen(self, references: Sequence[str], *, dry_run: bool = False) -> list[ActionResult]:
        """Retry given-up claims from the start. `dry_run`: only say which ones could be."""
        app = self.app

        def why_not(_: str, listed: ListedClaim) -> ClaimRefusal | None:
            is_leased = listed.leased_until(app.clock.now()) is not None
            return why_not_reopen(listed.claim, app.policy, is_leased=is_leased)

        do = None if dry_run else app.given_up.start_over
        return self._each(references, why_not, do, partial(self._done, "reopened"))

    def reopen_all(self, criteria: ReopenCriteria) -> Iterator[str]:
        """Have all of these start over, a part at a time, so that runs go on meanwhile; the references of those that do."""
        app = self.app
        policy = self.app.policy
        for part in app.given_up.given_up(criteria, app.clock.now()):
            may = [claim for claim, _ in part if not policy.sets_aside(claim)]
            reopened = app.given_up.start_over(may, self.by, app.clock.now()) if may else set()
            yield from (claim.reference for claim in may if claim.id in reopened)

    def exclude(self, references: Sequence[str], why: str, *, dry_run: bool = False) -> list[ActionResult]:
        """Take claims out of all work. `why`: the person's words, which are kept. `dry_run`: as above."""
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
        """Have recours work on claims, also on those that were excluded. `dry_run`: as above."""
        app = self.app

        def why_not(_: str, listed: ListedClaim) -> ClaimRefusal | None:
            return why_not_enroll(listed.claim, app.policy)

        enroll = None if dry_run else app.enrollment.enroll_named
        return self._each(references, why_not, enroll, partial(self._done, "enrolled"))

    def enroll_all(self, criteria: EnrollCriteria) -> int:
        """Have recours work on all of these of which nobody has said anything yet; how many they are."""
        app = self.app
        return app.enrollment.enroll_all(criteria, app.policy, app.catalog, app.clock.now)

    def correct(
        self, reference: str, *, number: str | None = None, carrier: str | None = None
    ) -> ActionResult:
        """Correct a claim's tracking number or its carrier, by any of its names; None: it stays."""
        app = self.app
        now = self.app.clock.now()
        with self._translating_errors():
            claim = self._listed(reference).claim
            correction = self._correction(claim, number, carrier)
            if not correct(app.assessor, [(claim, correction)], self.by, now):
                raise ClaimsRefusedError(self._why_not_done(claim, now))
        return self._corrected(correction, reference, claim)

    def correct_all(self, rows: Sequence[FileRow], *, dry_run: bool = False) -> list[ActionResult]:
        """The same with the claims of these rows. `dry_run`: as above."""
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
        """Raises ClaimsRefusedError."""
        border = self.app.database.border
        correction = correction_of(claim, number, carrier, self.app.catalog, border.values_of("carrier"))
        require_room(border, correction.values)
        return correction

    def _corrected(self, correction: Correction, reference: str, claim: Claim) -> ActionResult:
        number = correction.number or claim.number
        key = "doubtful" if correction.doubtful else "corrected"
        return replace(
            self._result(reference, key, reference=claim.reference, number=number),
            before=_parcel(claim.number, claim.carrier_name),
            after=_parcel(number, correction.carrier or claim.carrier_name),
        )

    def act_on_file(
        self, action: FileAction, content: bytes, why: str = "", *, dry_run: bool = False
    ) -> list[FileResult]:
        """Do it with the claims that a CSV names; a result for each line. `why`: of an exclusion. `dry_run`: as above."""
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
        already = sum(result.is_so_already for _, result in results)
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
        """Give a claim a proof that the person has. `name`: of the file, which is read if `content` is its path.

        `at`: of the delivery, see `Attachment`. `anyway`: why it counts though it would be refused; None: it does not.
        """
        app = self.app
        with self._translating_errors():
            reason = _reason(anyway or "")
            if anyway is not None and not reason:
                raise ClaimsRefusedError(ClaimRefusal("no_reason"))
            content = _content_of(content) if isinstance(content, Path) else content
            documents = DocumentStore(app.settings.pod_dir, app.settings.access)
            documents.make_sure()
            attacher = Attacher(
                records=self.reports.records,
                claims=replace(app.claims, worker=_ATTACH),
                documents=documents,
                appraise=appraise_file,
                policy=app.policy,
                token=uuid.uuid4().hex,
            )
            name = clean(name, 200)
            attachment = Attachment(reference, name, content, self.by, kind, signed_by, at, reason)
            document, pod_url = attacher.attach(attachment, app.clock.now())
            write_manifests(app.settings, app.database, _ATTACH, app.clock)
            evidence = evidence_of(app, self.reports.records.find(reference))
            result: AttachResult = self._sentences.attached(reference, document, pod_url, evidence)
        return result

    def accept(self, reference: str, sha256: str, why: str) -> AttachResult:
        """Have a file count that was refused and kept, by its SHA-256. `why`: the person's words, which are kept."""
        with self._translating_errors():
            listed = self._listed(reference)
            pieces = self.reports.records.evidence(listed.claim.id)
            piece = next((piece for piece in pieces if piece.sha256 == sha256), None)
            if piece is None or not is_inside(self.app.settings.pod_dir, piece.path):
                raise NotAttachedError("no_piece", reference=listed.claim.reference)
        path = Path(piece.path)
        return self.attach(reference, path, path.name, kind=piece.kind, anyway=why)

    def detach(self, reference: str, chosen: str = "", why: str = "") -> ActionResult:
        """Take a proof back, by its path or its SHA-256 ("": the claim's POD). It is kept as refused."""
        app = self.app
        now = self.app.clock.now()
        with self._translating_errors():
            listed = self._listed(reference)
            claim = listed.claim
            pieces = self.reports.records.evidence(listed.claim.id)
            piece, following = piece_to_take_back(listed, pieces, chosen)
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
        """Erase all that is kept of these claims, of a client (address or id), or of claims that the service has deleted.

        How much that was, what stays, and what could not be erased. `dry_run`: only say how much that is.
        """
        with self._translating_errors():
            eraser = Eraser(self.app, self.by)
            if client is not None:
                subject = eraser.of_client(client)
            else:
                subject = eraser.of_deleted() if deleted else eraser.of_claims(references)
            erased, refusals = (eraser.outlook(subject), []) if dry_run else eraser.erase(subject)
        facts = {name: getattr(erased, name) for name in ("claims", "documents", "mails", "accounts")}
        undeleted = [
            self._say("undeleted", path=clean(path), why=clean(why)) for path, why in erased.undeleted.items()
        ]
        failures = [refusal.sentence(self.language) for refusal in refusals] + undeleted
        return [
            self._result(subject.name, "to_erase" if dry_run else "erased", **facts),
            self._result(subject.name, "not_erased"),
            *(ActionResult("", sentence, is_done=False) for sentence in failures),
        ]

    def _listed(self, reference: str) -> ListedClaim:
        listed = self.reports.records.find(reference)
        if listed is None:
            raise ClaimsRefusedError(unknown_claim(self.app.claims, reference))
        if refusal := why_erased(listed.claim):
            raise ClaimsRefusedError(refusal)
        return listed

    # ---------------------------------------------------------------- carriers

    def pause(self, carrier: str, why: str = "", client: Any = "", until: str = "") -> ActionResult:
        """Stop a carrier, by any of its names, or a client's account there, for all runs on all machines.

        `until`: see `time_ahead`; "": until it is resumed.
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
        """Take a carrier, or a client's account there, up again."""
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
        """Try the default account's credentials with one real call, within limits and pauses."""
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
        """What a check showed of the default account, or of a client's."""
        carrier = CATALOG.name_of(carrier_of(key), carrier_of(key))
        error = check_error(self.language, checked)
        client = account.client.named if account else ""
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
        """Set the limits of a client's account, such as `100/day TRACKING=20/hour`. "": the carrier's."""
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
        """Keep a client's credentials, sealed; `is_new`: it must have none. `limits`: None: they stay. `check`: try them too."""
        with self._translating_errors():
            accounts = AccountActions(self.app)
            new = accounts.new(client, carrier, credentials, limits)
            accounts.put_all([new], self.by, replace=not is_new)
            sentence = self._say("account_kept", client=new.client.named, carrier=new.spec.name)
            account = accounts.account(new.client.id, new.spec.key)
            if check:
                (result,) = self.check_accounts([account])
                return replace(result, sentence=f"{sentence} {result.sentence}")
        return AccountResult(account.key, sentence, client_id=new.client.id, carrier=new.spec.name)

    def check_account(self, client: Any, carrier: str) -> AccountResult:
        """Try a client's credentials with one real call, within limits and pauses."""
        with self._translating_errors():
            _, account, _ = self._account(client, carrier)
            (result,) = self.check_accounts([account])
        return result

    def check_accounts(self, chosen: Sequence[ClientAccount]) -> Iterator[AccountResult]:
        """The same with each of these. A trouble of one costs the others nothing."""
        checks = AccountActions(self.app).check_all([account.key for account in chosen], self.by)
        for account, checked in zip(chosen, checks, strict=True):
            yield self._checked(account.key, checked, account)

    # ---------------------------------------------------------------- mails

    def release_mails(self) -> ActionResult:
        """Have the mails that the send limit holds be sent after all."""
        app = self.app
        with self._translating_errors():
            released = mail_service(app).outbox.release(self.by, app.clock.now())
        key = {0: "none_held", 1: "released_one"}.get(released, "released")
        return self._result(MAILS, key, is_done=released > 0, count=released)

    def send_test_mail(self, address: str) -> ActionResult:
        """Send one mail to this address, and say what the mail server answered."""
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

    # ---------------------------------------------------------------- what all share

    def _carrier_or_account(self, carrier: str, client: Any) -> tuple[str, str]:
        """The key and the name of a carrier, or of the account that a `client` has there."""
        if not client:
            spec = carrier_named(CATALOG, carrier)
            return spec.key, spec.name
        _, account, names = self._account(client, carrier)
        return account.key, account_name(names["carrier"], names["client"])

    def _account(self, client: Any, carrier: str) -> tuple[AccountActions, ClientAccount, dict[str, Any]]:
        """An account, with the names of its client and its carrier."""
        accounts = AccountActions(self.app)
        account = accounts.account(client, carrier)
        carrier_name = CATALOG.specs[account.carrier].name
        return accounts, account, {"client": account.client.named, "carrier": carrier_name}

    def _each(
        self,
        references: Sequence[str],
        why_not: _WhyNot,
        do: _Do | None,
        done: Callable[[str, Claim], ActionResult],
    ) -> list[ActionResult]:
        """Do it with those claims that allow it; without `do`, only tell. `done`: the good news of a claim, by its reference."""
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
                elif len(references) - len(listed) <= _MOST_GUESSED:
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
            except DatabaseError as lost:  # what was done until then stays done
                text = str(self._sentences.no_database(str(lost)))
                missing = {names[claim.id] for claim in claims} - results.keys()
                results |= {name: ActionResult(name, text, is_done=False) for name in missing}
        return [results[reference] for reference in references]

    def _do_with_all(self, claims: Sequence[Claim], do: _Do | None) -> Iterator[tuple[Claim, str | None]]:
        """Do it with all at once, then singly with those left; each with what stood in the way. Raises DatabaseError."""
        fault = None
        now = self.app.clock.now()
        try:
            finished = do(claims, self.by, now) if do else {claim.id for claim in claims}
        except DatabaseError as error:
            if not (error.was_answered or error.is_of_rules):
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
        """Of a claim that allowed it when it was read."""
        why = Unfit.LEASED if self.app.claims.is_leased(claim, now) else "changed"
        return ClaimRefusal(why, claim.reference, facts={"what": claim.reference})

    def _refused(self, subject: str, refusal: ClaimRefusal) -> ActionResult:
        sentence = refusal.sentence(self.language)
        return ActionResult(subject, sentence, is_done=False, is_so_already=refusal.is_so_already)

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
        """What is refused, and a fault on the way, becomes the error that says it in the person's language."""
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
    """Raises NotAttachedError if the file cannot be taken."""
    try:
        return read_file(path)
    except NotADocumentError as why:
        raise NotAttachedError("file", file=clean(path.name or str(path)), reason=str(why)) from why


def _parcel(number: str | None, carrier: str) -> str:
    return ", ".join(clean(text, LONGEST_NAME) for text in (number, carrier) if text)


def _reason(why: str) -> str:
    """In one line, whatever was typed."""
    return clean(" ".join(why.split()), LONGEST_WHY)
