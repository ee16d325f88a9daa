"""The tables by carrier. One that is not here can be rehearsed too: of its answers nothing is known then, and all is made up."""

from types import ModuleType

from recours.rehearsal.documented import (
    chronopost,
    colissimo,
    dhl,
    dhl_express,
    dpd,
    fedex,
    gls,
    laposte,
    mondial_relay,
    ups,
)  # fmt: skip
from recours.rehearsal.forms import Documented

_MODULES: tuple[ModuleType, ...] = (
    chronopost, colissimo, laposte, ups, dhl_express, dhl, fedex, dpd, gls, mondial_relay,
)  # fmt: skip

DOCUMENTED: dict[str, Documented] = {
    module.__name__.rpartition(".")[2]: module.DOCUMENTED for module in _MODULES
}
