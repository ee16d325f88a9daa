"""A second corpus: proofs of delivery and what is none, drawn without a look at the rules that judge them.

Its layouts follow what is public: the letter of UPS's API (UPS-API/api-documentation, issues 39, 68 and 76), the
delivery lists and receipts that the mediator of La Poste describes (report of 2024), the statuses that paketda.de
(DPD), packlink.es (GLS) and gls-spain.es explain, the addresses that GLS gives before there is a proof
(OCA/l10n-spain 5039). It is meant to be run once, after the rules were written; whoever changes a rule to please it
needs a new one.
"""

from collections.abc import Iterator
from random import Random

from tests.corpus.documents import documents as documents_of
from tests.corpus.model import Document, Made, Parcel, Template
from tests.corpus.parcels import LANGUAGES
from tests.corpus.second import good, hollow
from tests.corpus.second.good import Draw
from tests.corpus.second.words import CARRIERS, case

SEED = 20261130
_WIDESPREAD = ("ups", "gls", "dpd", "fedex", "dhl_express")  # each in several of the languages


def _template(
    name: str, draw: Draw, carriers: tuple[str, ...], languages: tuple[str, ...], turn: int
) -> Template:
    turn %= len(carriers)

    def make(random: Random, subject: Parcel) -> Made:
        spoken = [language for language in languages if subject.carrier in CARRIERS[language]]
        return draw(case(random, subject, random.choice(spoken)))

    return Template(name, carriers[turn:] + carriers[:turn], name.partition("-")[0] in good.KINDS, make)


TEMPLATES: tuple[Template, ...] = (
    *(
        _template(f"{name}-{language}", draw, CARRIERS[language], (language,), turn)
        for turn, (name, draw) in enumerate((good.KINDS | hollow.IN_LANGUAGES).items())
        for language in LANGUAGES
    ),
    *(
        _template(name, draw, _WIDESPREAD, LANGUAGES, turn)
        for turn, (name, draw) in enumerate(hollow.ANY_LANGUAGE.items())
    ),
)


def documents() -> Iterator[Document]:
    """Three of each good template and two of each hollow one, drawn one at a time."""
    for template in TEMPLATES:
        yield from documents_of(template, 3 if template.is_good else 2, SEED)
