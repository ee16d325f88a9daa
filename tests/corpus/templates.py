"""The templates that the rules were made by, and those that were kept from their making."""

from tests.corpus.held_out import HELD_OUT
from tests.corpus.model import Template
from tests.corpus.visible import VISIBLE

TEMPLATES: tuple[Template, ...] = (*VISIBLE, *HELD_OUT)
