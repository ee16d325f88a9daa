"""Documents that prove no delivery of our parcel, regardless of the carrier's name for them."""

from dataclasses import replace
from functools import partial
from random import Random

from tests.corpus.model import Made, Parcel, Template, Truth
from tests.corpus.parcels import CARRIERS, LANGUAGES, number_of
from tests.corpus.third import good
from tests.corpus.third.content import Kind, made, templates
from tests.corpus.third.pictures import empty_pad, logo, nothing

_LABEL = "number sender recipient weight shipped ref"
_BLANK = "number sender when_ who_ sign_"
_PAPER = "pdf pdf layer scan"
KINDS = (
    Kind(name="unavailable"),
    Kind(name="announced", fields="weight sender"),
    Kind(
        name="label_text", words="label", fields=_LABEL, layouts="boxes roll", outputs="pdf", has_barcode=True
    ),
    Kind(
        name="label_picture",
        words="label",
        fields=_LABEL,
        layouts="boxes roll",
        outputs="picture",
        has_barcode=True,
    ),
    Kind(
        name="label_scan",
        words="label",
        fields=_LABEL,
        layouts="boxes table",
        outputs="scan layer",
        has_barcode=True,
    ),
    Kind(name="customs", fields="number sender recipient shipped sender_sign", grid="goods", outputs=_PAPER),
    Kind(
        name="commercial_invoice",
        fields="number ref sender recipient shipped",
        grid="goods",
        outputs="pdf layer",
    ),
    Kind(name="manifest", fields="shipped driver driver_sign", grid="manifest", outputs=_PAPER),
    Kind(name="pickup", fields="number shipped sender driver driver_sign", outputs="pdf layer web mail"),
    Kind(name="blank_text", words="blank", fields=_BLANK, outputs="pdf layer"),
    Kind(name="blank_scan", words="blank", fields=_BLANK, outputs="scan picture"),
    Kind(name="permission", fields="recipient issued recipient_sign", outputs=_PAPER),
    Kind(name="absent", fields="shop until"),
    Kind(name="access", fields="recipient"),
    Kind(name="refused", fields="recipient weight"),
    Kind(name="wrong_address", fields="recipient ref"),
    Kind(name="waiting", fields="shop until"),
    Kind(name="transit", journey=(0, 1)),
    Kind(name="out", journey=(0, 1, 2)),
    Kind(name="returned", journey=(0, 1, 2, 4, 5), fields="sender_sign"),
    Kind(name="partial", grid="partial"),
    Kind(name="unknown", outputs="web mail pdf"),
    Kind(name="claim", fields="ref recipient sender shipped recipient_sign", outputs=_PAPER),
    Kind(name="searching", layouts="letter columns", outputs="pdf mail"),
    Kind(name="bill", fields="ref amount", grid="bill", outputs="pdf layer"),
    Kind(name="quote", fields="ref weight amount", outputs="pdf mail"),
    Kind(name="conditions", outputs="pdf web"),
    Kind(name="survey", outputs="mail web"),
    Kind(name="login", inputs=2, outputs="web"),
    Kind(name="error", outputs="web"),
    Kind(name="cookie_wall", outputs="web"),  # only the carrier's name below the menu
    Kind(name="posting", fields="number shipped weight amount recipient", layouts="roll letter"),
    Kind(name="correction"),
    Kind(name="scheduled"),
    Kind(name="duties", fields="amount"),
    Kind(name="lost", fields="ref amount", layouts="letter columns", outputs="pdf mail"),
    Kind(name="failed_list", grid="failed", layouts="letter table", outputs=_PAPER),
    Kind(name="other_list", words="list", grid="others", layouts="letter boxes table", outputs="pdf layer"),
    Kind(name="help", outputs="web pdf"),
)


def _proof_of_another(random: Random, parcel: Parcel, *, language: str, is_same_carrier: bool) -> Made:
    """A good document of another parcel, and in some cases of another carrier."""
    subject = replace(parcel, number=parcel.other_number)
    if not is_same_carrier:
        carrier = random.choice([other for other in CARRIERS if other != parcel.carrier])
        subject = replace(parcel, carrier=carrier, number=number_of(random, carrier))
    kind = random.choice([kind for kind in good.KINDS if not {"scan", "picture"} & set(kind.outputs.split())])
    document = made(random, subject, kind=kind, language=language, is_good=False)
    return replace(document, truth=Truth(number_shown=False, has_signature=document.truth.has_signature))


PICTURES = [
    Template(make.__name__, CARRIERS, is_good=False, make=make) for make in (nothing, logo, empty_pad)
]
TEMPLATES = [
    *templates(KINDS, is_good=False),
    *(
        Template(
            f"other_{owner}_{language}",
            CARRIERS,
            is_good=False,
            make=partial(_proof_of_another, language=language, is_same_carrier=owner == "parcel"),
        )
        for owner in ("parcel", "carrier")
        for language in LANGUAGES
    ),
]
