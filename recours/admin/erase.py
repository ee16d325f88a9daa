"""Erases claims, all data of a client, or the remaining data of claims that the service deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from recours.admin.accounts import AccountActions
from recours.app import App
from recours.core.mail import is_address
from recours.core.text import clean
from recours.database.erasing import ClaimErasure, Erased, OfClient
from recours.evidence.manifests import write_manifests
from recours.evidence.store import erase, erase_unrecorded
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError
from recours.runs.source import can_be_reference, unknown_claim

_ERASE = "erase"  # in manifests, in place of a run's name


@dataclass(frozen=True)
class Subject:
    """What to erase: the references of claims by id ("": no longer known), and possibly a client."""

    claims: Mapping[Any, str] = field(default_factory=dict)
    client: OfClient | None = None

    @property
    def name(self) -> str:
        if self.client is None:
            return ", ".join(self.claims.values())
        return self.client.client.display_name if self.client.client else self.client.address


@dataclass(frozen=True)
class Eraser:
    """Erases data from one database. `by`: the name of the person. Raises ClaimsRefusedError, DatabaseError."""

    app: App
    by: str

    @property
    def _erasure(self) -> ClaimErasure:
        return ClaimErasure(self.app.database, self.by)

    def of_claims(self, references: Sequence[str]) -> Subject:
        known = self._erasure.known_as([name for name in references if can_be_reference(name)])
        if unknown := [
            unknown_claim(self.app.claims, name) for name in references if name not in known.values()
        ]:
            raise ClaimsRefusedError(*unknown)
        return Subject(known)

    def of_client(self, named: Any) -> Subject:
        """Find a client by address or id. Emails and accounts of a deleted client may remain under its address."""
        accounts = AccountActions(self.app)
        if is_address(str(named)) and not accounts.store.client_of(named):
            former = OfClient(str(named).strip())
            if self._erasure.knows(former):
                return Subject(client=former)
        client = accounts.client(named)
        with_address = accounts.store.client_of(client.email) if client.email else []
        others = [other.id for other in with_address if other.id != client.id]
        return Subject(self._erasure.claims_of(client), OfClient(client.email, client, others))

    def of_deleted(self) -> Subject:
        return Subject(dict.fromkeys(self._erasure.claims_left(), ""))

    def outlook(self, subject: Subject) -> Erased:
        return self._erasure.outlook(list(subject.claims), subject.client)

    def erase(self, subject: Subject) -> tuple[Erased, list[ClaimRefusal]]:
        """Return what was erased, and a refusal for each claim that could not be erased."""
        app = self.app
        pod_dir = app.settings.pod_dir
        erasure = self._erasure
        erased = Erased()
        finished = erasure.erase(list(subject.claims), partial(erase, pod_dir), app.clock.now, erased)
        for claim_id in finished:
            erased.undeleted |= dict(erase_unrecorded(pod_dir, claim_id))
        if subject.client:
            erasure.erase_client(subject.client, app.clock.now(), erased)
        write_manifests(app.settings, app.database, _ERASE, app.clock)
        with app.database.outside_transactions() as connection:
            app.database.dialect.empty_log(connection)
        refusals = []
        for claim_id, reference in subject.claims.items():
            name = reference or f"id {clean(claim_id, 60)}"
            if claim_id in erased.refused:
                facts = {"why": clean(erased.refused[claim_id], 300)}
                refusals.append(ClaimRefusal("not_erased", name, facts=facts))
            elif claim_id not in finished:
                refusals.append(ClaimRefusal("in_use", name))
        return erased, refusals
