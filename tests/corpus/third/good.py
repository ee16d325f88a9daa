"""Documents that prove our parcel's delivery; a person would accept each of them."""

from tests.corpus.model import Template
from tests.corpus.parcels import CARRIERS
from tests.corpus.third.content import Kind, templates
from tests.corpus.third.pictures import door_photo, signature_picture, stamped_photo

_PROOFS = "letter summary receipt card note"
_PROVEN = "number shipped when who where sign"
KINDS = (
    Kind(name="letter", fields="shipped when who where sign", layouts="letter", outputs="pdf"),
    Kind(
        name="summary",
        fields="status number when who where weight shipped",
        layouts="boxes table",
        outputs="pdf web",
    ),
    Kind(name="receipt", fields="number when who sign", layouts="roll", outputs="pdf layer"),
    Kind(name="list", grid="list", layouts="letter boxes table", outputs="pdf pdf layer"),
    Kind(name="page", fields="where ref weight", outputs="web"),
    Kind(name="tracking", journey=(0, 1, 2, 3), outputs="web web pdf"),
    Kind(name="mail", outputs="mail mail pdf", layouts="table"),
    Kind(name="neighbour", fields="where", outputs="web mail pdf layer"),
    Kind(name="safe_place", has_photo=True, outputs="web pdf"),
    Kind(name="point", fields="shop weight", outputs="web mail pdf"),
    Kind(name="locker", fields="shop weight", outputs="web mail pdf"),
    Kind(name="mailbox", fields="recipient", outputs="web mail pdf"),
    Kind(name="reception", fields="ref sign", outputs="web pdf layer"),
    Kind(
        name="note",
        fields="number sender when who where sign",
        grid="goods",
        outputs="pdf layer scan",
    ),
    Kind(name="card", fields="number when who where sign", layouts="boxes", outputs="pdf layer scan"),
    Kind(name="all_parcels", grid="three", fields="where sign", outputs="pdf web"),
    Kind(name="code", fields="ref", outputs="web mail pdf"),
    Kind(name="cash", fields="amount where sign", outputs="pdf web layer"),
    Kind(name="enquiry", layouts="letter columns", outputs="pdf mail"),
    Kind(name="second_attempt", journey=(0, 1, 2, 4, 2, 3), outputs="web pdf"),
    Kind(name="electronic", words="summary receipt", fields="number when who sign", outputs="web pdf"),
    Kind(name="scan", words=_PROOFS, fields=_PROVEN, outputs="scan picture"),
    Kind(name="scan_text", words=_PROOFS, fields=_PROVEN, outputs="layer"),
    Kind(
        name="pages",
        words=_PROOFS,
        fields=_PROVEN,
        layouts="letter boxes table columns",
        outputs="pdf layer scan",
    ),
    Kind(name="rotated", words=_PROOFS, fields=_PROVEN, outputs="rotated"),
    Kind(
        name="reversed",
        words=_PROOFS,
        fields="number when who where weight",
        layouts="reversed",
        outputs="pdf layer",
    ),
    Kind(name="columns", words=_PROOFS, fields=_PROVEN, layouts="columns", outputs="pdf layer"),
)
PICTURES = [
    Template(make.__name__, CARRIERS, is_good=True, make=make)
    for make in (door_photo, stamped_photo, signature_picture)
]
TEMPLATES = templates(KINDS, is_good=True)
