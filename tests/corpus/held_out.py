"""The templates that were kept from the making of the rules."""

from tests.corpus.held_out_good import GOOD
from tests.corpus.held_out_hollow import HOLLOW
from tests.corpus.model import Template

HELD_OUT: tuple[Template, ...] = (*HOLLOW, *GOOD)
