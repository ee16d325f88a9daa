"""The carriers there are. A new one is a module beside this one and a line in each of these tables."""

from collections.abc import Callable, Mapping

from recours.carriers import chronopost
from recours.core.carrier import Catalog
from recours.runs.ports import CarrierClient

CATALOG = Catalog([chronopost.SPEC])

CLIENTS: Mapping[str, Callable[[dict[str, str]], CarrierClient]] = {
    chronopost.SPEC.key: chronopost.Chronopost,
}
