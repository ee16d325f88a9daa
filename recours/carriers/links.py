"""Fetches proofs that a carrier's answer links to.

Links are untrusted input. They are fetched only over HTTPS, only from the carrier's own hosts, and without our
credentials. Redirects are not followed, and the usual limits on the size and duration of an answer apply.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

from recours.carriers import answers
from recours.carriers.client import Client, add_delivery, further_evidence
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import CallError, Failure, Outcome, Retrieved, begins_as
from recours.core.quota import Capability
from recours.core.sentences import Sentence

_LONGEST_LINK = 4000  # characters; a signed link of S3 has about 1,500
_HTTPS = 443


class LinkClient(Client):
    """A carrier whose tracking answers link to the proofs. `track` returns the links in the delivery's `hints`."""

    # The fields of an answer that contain links, best first, with the kind of evidence behind each link.
    links: ClassVar[Mapping[str, EvidenceKind]]
    hosts: ClassVar[re.Pattern[str]]  # hosts that may be called

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """Track even if the delivery is known, because links expire."""
        tracked = self.track(number, session)
        self.note_accepted(tracked, session)
        if isinstance(tracked, Failure):
            return add_delivery(tracked, delivery)
        delivery = tracked.completed_by(delivery or Delivery())
        session.delivery_known(delivery)
        return add_delivery(self._linked(delivery, session), delivery)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        return self.fetch(number, delivery, session)

    @abstractmethod
    def without_link(self, delivery: Delivery, now: datetime) -> Sentence:
        """The failure to report if a delivery has no link."""

    def _linked(self, delivery: Delivery, session: CarrierSession) -> Outcome:
        """The documents behind the links to allowed hosts, or why they are missing. Raises CallError."""
        urls = {name: delivery.hints[name] for name in self.links if name in delivery.hints}
        requests = {name: request for name, url in urls.items() if (request := link_request(url, self.hosts))}
        if not requests:
            key = Sentence.PROOF_LINK_EMPTY if urls else self.without_link(delivery, session.now())
            detail = "the link leads to another host, so it was not followed" if urls else ""
            return Failure.of(key, self.spec.name, None, HTTPStatus.OK, detail=detail)
        name, *other_names = requests
        outcome = self._document(name, delivery, _follow(requests[name], self.spec.name, session))
        for name in other_names:
            if answer := further_evidence(session, requests[name]):
                outcome = _merged(outcome, self._document(name, delivery, answer))
        return outcome

    def _document(self, link: str, delivery: Delivery, answer: Response | Failure) -> Outcome:
        """The document behind a link. A web page, such as a login form, is not a document."""
        if isinstance(answer, Failure):
            return answer
        if answer.is_ok and begins_as(answer.body):
            source = f"{self.spec.key} {link}"
            return Retrieved.single(answer.body, delivery, source, kind=self.links[link])
        return answers.failure_of(self.spec.name, Sentence.PROOF_LINK_EMPTY, answer)


def link_request(url: str, hosts: re.Pattern[str]) -> Request | None:
    """A request for a carrier's link, or None if the link leads to a host that is not the carrier's."""
    # Reject spaces, control characters and backslashes, because URL parsers disagree on them.
    if len(url) > _LONGEST_LINK or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https" and parts.port in (None, _HTTPS)
    except ValueError:
        return None
    host = parts.hostname or ""
    if not is_secure or "@" in parts.netloc or not hosts.fullmatch(host):
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request("GET", path, {"Accept": "application/pdf, image/*"}, origin=f"https://{host}")


def _follow(request: Request, name: str, session: CarrierSession) -> Response | Failure:
    try:
        return session.call(Capability.POD, request)
    except CallError as failed:
        # Such an answer cannot be a document, but may be a redirect to a login page.
        is_no_answer = failed.failure.kind is ErrorKind.BAD_RESPONSE
        # If the name is not resolved, the host does not exist: DNS works, because tracking has just succeeded.
        if not is_no_answer and failed.failure.resolved:
            raise
        return Failure.of(Sentence.PROOF_LINK_EMPTY, name, None, failed.failure.http_status)


def _merged(outcome: Outcome, further: Outcome) -> Outcome:
    """Merge the documents of two links. If only one link led to a document, return that outcome."""
    if isinstance(outcome, Retrieved):
        return outcome.with_pieces_of(further)
    return further if isinstance(further, Retrieved) else outcome
