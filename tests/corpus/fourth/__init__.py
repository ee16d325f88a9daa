"""The fourth corpus: frozen documents, used once to measure how proofs of delivery are told from hollow ones.

It was written without knowledge of the program's rules. wordings/ has its texts in six languages; facts
invents what a document says; sheets composes it; printing (PDF), web (HTML), pictures and emptiness make
the file; kinds, good and hollow list the kinds.

Wordings are our own, after public sources: Colissimo's tracking codes, La Poste's API (okapi-feedback),
TrackingMore's and AfterShip's lists of states, ShipEngine's and ShipStation's event types, public PostNL and
BRT clients, DHL on its Einlieferungsbeleg, posttip.de on Nachforschung, SVA and evofenedex on waybills,
camara.es and easyfirma.es on the albarán, gazzettadigitale.it on the POD, lecoursgratuit.com and minilex.fr
on bordereau and lettre de voiture, USPS's letter of proof, FedEx's on signature proofs, and carriers' terms.
"""

from collections.abc import Iterator

from tests.corpus import documents as drawing
from tests.corpus.fourth import good, hollow
from tests.corpus.model import Document

SEED = 20261130
TEMPLATES = (*good.TEMPLATES, *hollow.TEMPLATES)
COPIES = {"signature": 6, "photo": 12, "proof": 14}  # of kinds without wordings, by the name's first word


def copies(name: str) -> int:
    """How many documents a template gives: one for each wording, several of a picture."""
    return 1 if name[-1].isdigit() else COPIES.get(name.partition("_")[0], 8)


def documents() -> Iterator[Document]:
    for template in TEMPLATES:
        yield from drawing.documents(template, copies(template.name), SEED)
