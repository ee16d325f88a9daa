"""The table of claims in memory, as the service's own application and a person see it."""

from dataclasses import replace
from typing import Any

from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.memory.table import ClaimRow, ClaimTable


class ServiceTable(ClaimTable):
    """A table that is written to and looked at by references."""

    def __init__(self, catalog: Catalog) -> None:
        """Without a row; the carriers are those of this catalog."""
        super().__init__()
        self.catalog = catalog

    def add(self, reference: str, carrier: str = "Chronopost", **columns: Any) -> Claim:
        """A row as the service writes it."""
        number, key = len(self.rows) + 1, self.catalog.resolve(carrier)
        claim = Claim(id=number, reference=reference, carrier_name=carrier, carrier=key, **columns)
        state = replace(claim.state, retries_used=claim.retries_counted)
        return self.load(replace(claim, state=state), edited=True).claim

    def edit(self, reference: str, **columns: Any) -> None:
        """What the service's application, or a person, changes in a row. `carrier`: its name."""
        row = self.row(reference)
        if (name := columns.pop("carrier", None)) is not None:
            columns |= {"carrier_name": name, "carrier": self.catalog.resolve(name)}
        row.claim = replace(row.claim, **columns)

    def row(self, reference: str) -> ClaimRow:
        return next(row for row in self.rows.values() if row.claim.reference == reference)

    def __getitem__(self, reference: str) -> Claim:
        return self.row(reference).claim

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """The events, as (name, audience, number)."""
        return [(event.name.value, event.audience.value, event.number) for event in self.events.values()]
