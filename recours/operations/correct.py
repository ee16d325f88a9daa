"""A claim's tracking number or carrier, corrected by a person: written as the service itself would write it.

A number is held against the form of the carrier that serves the claim then. One whose check digit does not fit is doubtful
and taken all the same: carriers do not keep to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import Claim, FetchStatus, tidy_number
from recours.core.text import clean, is_text
from recours.operations.accounts import carrier_named
from recours.operations.refusals import ClaimRefusal, ClaimsRefusedError
from recours.runs.source import Unfit

_LONGEST = 60  # characters of a number of a carrier that recours does not know


@dataclass(frozen=True)
class Correction:
    """What is written; None: it stays. `doubtful`: by its check digit, the number is mistyped."""

    number: str | None = None
    carrier: str | None = None
    doubtful: bool = False

    def details(self, before: Claim) -> dict[str, Any]:
        """The old and the new value of what it changes."""
        values = {
            "number": (before.number and clean(before.number, _LONGEST), self.number),
            "carrier": (before.carrier_name, self.carrier),
        }
        return {name: [old, new] for name, (old, new) in values.items() if new is not None}


def correction_of(
    claim: Claim, number: str | None, carrier: str | None, catalog: Catalog, spellings: Sequence[str] = ()
) -> Correction:
    """What to write so that a claim has this number and this carrier, by any of its names. Raises ClaimsRefusedError.

    `spellings`: all names of carriers that the service's column can hold; none: it holds any.
    """
    if claim.fetch_status == FetchStatus.SUCCESS:
        raise ClaimsRefusedError(ClaimRefusal.of(claim, Unfit.HAS_POD))
    name = claim.carrier_name if carrier is None else _carrier_name(claim, carrier, catalog, spellings)
    typed = claim.number if number is None else _number(claim, number)
    served_by = catalog.resolve(name, typed, claim.client_id)
    spec = catalog.specs[served_by] if served_by else None
    if spec and typed and not spec.number_form.fullmatch(typed):
        raise ClaimsRefusedError(_not_of(claim, typed, spec))
    correction = Correction(
        number=typed if typed != claim.number else None,
        carrier=name if name != claim.carrier_name else None,
        doubtful=bool(spec and typed and spec.is_doubtful(typed)),
    )
    if correction.number is None and correction.carrier is None:
        raise ClaimsRefusedError(ClaimRefusal.of(claim, "no_correction"))
    return correction


def _carrier_name(claim: Claim, typed: str, catalog: Catalog, spellings: Sequence[str]) -> str:
    """As people write it, or one of these spellings; as it stands in the claim if that is another name of the same carrier."""
    of_all = catalog.with_accounts(())
    spec = carrier_named(of_all, typed)
    if of_all.resolve(claim.carrier_name) == spec.key:
        return claim.carrier_name
    return next((word for word in spellings if of_all.resolve(word) == spec.key), spec.name)


def _number(claim: Claim, typed: str) -> str:
    number = tidy_number(typed) if is_text(typed) and "\0" not in typed else None
    if number is None or len(number) > _LONGEST:
        raise ClaimsRefusedError(ClaimRefusal.of(claim, "no_number", longest=str(_LONGEST)))
    return number


def _not_of(claim: Claim, number: str, spec: CarrierSpec) -> ClaimRefusal:
    facts = {"number": clean(number, _LONGEST), "carrier": spec.name, "example": spec.number_example}
    return ClaimRefusal.of(claim, "not_of_carrier", **facts)
