"""A second corpus: proofs of delivery and what is none, drawn without a look at the rules that judge them.

Its layouts follow what is public: the letter of UPS's API (UPS-API/api-documentation, issues 39, 68 and 76), the
delivery lists and receipts that the mediator of La Poste describes (report of 2024), the statuses that paketda.de
(DPD), packlink.es (GLS) and gls-spain.es explain, the addresses that GLS gives before there is a proof
(OCA/l10n-spain 5039). It is meant to be run once, after the rules were written; whoever changes a rule to please it
needs a new one.
"""

from collections.abc import Iterator
from hashlib import sha256
from random import Random

from tests.corpus.model import Document, Made, Parcel, Template
from tests.corpus.parcels import parcel
from tests.corpus.second import good, hollow
from tests.corpus.second.good import Draw
from tests.corpus.second.words import CARRIERS, LANGUAGES, case

COPIES = {True: 3, False: 2}  # of each template: good, hollow
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
    """All of them, made one at a time; the same bytes each time."""
    for template in TEMPLATES:
        for copy in range(COPIES[template.is_good]):
            carrier = template.carriers[copy % len(template.carriers)]
            random = Random(f"{SEED}/{template.name}/{copy}")
            subject = parcel(random, carrier)
            made = template.make(random, subject)
            yield Document(
                name=f"{template.name}-{copy}",
                content=made.content,
                media_type=made.media_type,
                carrier=carrier,
                number=subject.number,
                kind=made.kind,
                is_good=template.is_good,
                truth=made.truth,
            )


def digest() -> str:
    """SHA-256 over the bytes of all documents, in order."""
    total = sha256()
    for document in documents():
        total.update(document.content)
    return total.hexdigest()
