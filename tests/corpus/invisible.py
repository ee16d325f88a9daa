"""Files with an invisible proof: each shows an error, or nothing. All are hollow."""

from collections.abc import Callable
from functools import partial
from html import escape
from io import BytesIO

from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from recours.core.evidence import EvidenceKind
from tests.corpus.first.case import Case, by_language, html, paragraphs, table
from tests.corpus.first.sheet import canvas, encode
from tests.corpus.first.words import MESSAGES
from tests.corpus.model import Made, Template, Truth

ABSENT = Truth(number_shown=False)
HEIGHT = 842


def _visible(case: Case) -> str:
    """The visible text in half of the files; the others are blank."""
    message = case.random.choice(MESSAGES["error_page"][case.language]).split("|")[0]
    return case.random.choice(("", message))


def _lines(case: Case) -> list[str]:
    sentence = case.say(case.words.letter[0])
    return [
        case.words.proof,
        *(f"{label}: {value}" for label, value in case.facts()),
        sentence[:80],
        sentence[80:],
    ]


def _write(document: Canvas, case: Case, *, x: float = 60, top: float = 600, size: float = 10) -> None:
    document.setFont("Helvetica", size)
    for position, line in enumerate(_lines(case)):
        document.drawString(x, top - position * size * 1.5, line)


def _pdf(draw: Callable[[Canvas, Case], None], case: Case) -> Made:
    return Made(_page(draw, case), "application/pdf", ABSENT)


def _page(draw: Callable[[Canvas, Case], None], case: Case) -> bytes:
    buffer = BytesIO()
    document = canvas(buffer)
    document.setPageSize((595, HEIGHT))
    document.setFont("Times-Roman", 12)
    document.drawString(60, 780, _visible(case))
    draw(document, case)
    document.showPage()
    document.save()
    return buffer.getvalue()


def _white(document: Canvas, case: Case) -> None:
    document.setFillGray(1)
    _write(document, case)


def _near_white(document: Canvas, case: Case) -> None:
    document.setFillColorRGB(0.985, 0.99, 0.985)
    _write(document, case)


def _black_on_black(document: Canvas, case: Case) -> None:
    document.rect(40, 400, 515, 240, stroke=0, fill=1)
    _write(document, case)


def _no_rendering(document: Canvas, case: Case) -> None:
    """Mode 3 without a picture behind it."""
    for position, line in enumerate(_lines(case)):
        layer = document.beginText(60, 600 - 15 * position)
        layer.setFont("Helvetica", 10)
        layer.setTextRenderMode(3)
        layer.textOut(line)
        document.drawText(layer)


def _tiny(document: Canvas, case: Case) -> None:
    _write(document, case, size=0.1)


def _off_page(document: Canvas, case: Case) -> None:
    _write(document, case, x=900)


def _below_page(document: Canvas, case: Case) -> None:
    _write(document, case, top=-40)


def _under_white(document: Canvas, case: Case) -> None:
    _write(document, case)
    document.setFillGray(1)
    document.rect(40, 400, 515, 240, stroke=0, fill=1)


def _under_picture(document: Canvas, case: Case) -> None:
    _write(document, case)
    picture = ImageReader(BytesIO(encode(Image.new("L", (515, 340), 240), "PNG")))
    document.drawImage(picture, 40, 300, 515, 340)


def _transparent(document: Canvas, case: Case) -> None:
    document.setFillAlpha(0)
    _write(document, case)


def _clipped(document: Canvas, case: Case) -> None:
    path = document.beginPath()
    path.rect(10, 10, 0.5, 0.5)
    document.clipPath(path, stroke=0, fill=0)
    _write(document, case)


def _scaled_away(document: Canvas, case: Case) -> None:
    document.translate(100, 100)
    document.scale(0.001, 0.001)
    _write(document, case)


def _hidden_field(document: Canvas, case: Case) -> None:
    document.acroForm.textfield(
        name="proof",
        value=" ".join(_lines(case)),
        x=60,
        y=500,
        width=450,
        height=40,
        annotationFlags="hidden",
    )


def _nothing(_document: Canvas, _case: Case) -> None:
    """Something later hides the text, or the page has no text."""


def _edit(
    change: Callable[[PdfWriter, Case], None], draw: Callable[[Canvas, Case], None], case: Case
) -> Made:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(_page(draw, case))))
    change(writer, case)
    buffer = BytesIO()
    writer.write(buffer)
    return Made(buffer.getvalue(), "application/pdf", ABSENT)


def _crop(writer: PdfWriter, _case: Case) -> None:
    writer.pages[0].cropbox.lower_left = (0, 700)


def _annotate(writer: PdfWriter, case: Case) -> None:
    """A note that viewers do not show: flag 2 is "hidden"."""
    rectangle = ArrayObject([NumberObject(value) for value in (60, 400, 500, 600)])
    note = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/FreeText"),
            NameObject("/Rect"): rectangle,
            NameObject("/F"): NumberObject(2),
            NameObject("/DA"): TextStringObject("/Helv 10 Tf 0 g"),
            NameObject("/Contents"): TextStringObject("\n".join(_lines(case))),
        }
    )
    writer.pages[0][NameObject("/Annots")] = ArrayObject([writer._add_object(note)])


def _in_layer(document: Canvas, case: Case) -> None:
    document.addLiteral("/OC /Proof BDC")
    _write(document, case)
    document.addLiteral("EMC")


def _switch_off(writer: PdfWriter, _case: Case) -> None:
    """The optional content group of the text."""
    group = DictionaryObject(
        {NameObject("/Type"): NameObject("/OCG"), NameObject("/Name"): TextStringObject("Proof")}
    )
    reference = writer._add_object(group)
    resources = writer.pages[0]["/Resources"].get_object()
    assert isinstance(resources, DictionaryObject)
    resources[NameObject("/Properties")] = DictionaryObject({NameObject("/Proof"): reference})
    default = DictionaryObject(
        {NameObject("/OFF"): ArrayObject([reference]), NameObject("/Order"): ArrayObject()}
    )
    writer._root_object[NameObject("/OCProperties")] = DictionaryObject(
        {NameObject("/OCGs"): ArrayObject([reference]), NameObject("/D"): default}
    )


def _tell_in_metadata(writer: PdfWriter, case: Case) -> None:
    writer.add_metadata({"/Title": case.words.proof, "/Subject": " ".join(_lines(case))})


_PDF: dict[str, Callable[[Case], Made]] = {
    "white": partial(_pdf, _white),
    "near_white": partial(_pdf, _near_white),
    "black_on_black": partial(_pdf, _black_on_black),
    "no_rendering": partial(_pdf, _no_rendering),
    "tiny": partial(_pdf, _tiny),
    "off_page": partial(_pdf, _off_page),
    "below_page": partial(_pdf, _below_page),
    "under_white": partial(_pdf, _under_white),
    "under_picture": partial(_pdf, _under_picture),
    "transparent": partial(_pdf, _transparent),
    "clipped": partial(_pdf, _clipped),
    "scaled_away": partial(_pdf, _scaled_away),
    "hidden_field": partial(_pdf, _hidden_field),
    "outside_crop_box": partial(_edit, _crop, _write),
    "hidden_annotation": partial(_edit, _annotate, _nothing),
    "layer_switched_off": partial(_edit, _switch_off, _in_layer),
    "metadata_only": partial(_edit, _tell_in_metadata, _nothing),
}
_HTML = {  # {text} is the proof in paragraphs, {words} as one attribute's value; the first part belongs in the head
    "display_none": ("", '<div style="display:none">{text}</div>'),
    "display_none_by_class": (
        "<style>.late {{ display: none }}</style>",
        '<section class="late">{text}</section>',
    ),
    "visibility_hidden": ("", '<div style="visibility: hidden">{text}</div>'),
    "opacity_zero": ("", '<div style="opacity:0">{text}</div>'),
    "font_size_zero": ("", '<div style="font-size:0">{text}</div>'),
    "hidden_attribute": ("", "<div hidden>{text}</div>"),
    "off_screen": ("", '<div style="position:absolute; left:-9999px; top:0">{text}</div>'),
    "text_indent": ("", '<div style="text-indent:-9999px;overflow:hidden;white-space:nowrap">{text}</div>'),
    "same_colour": ("", '<div style="color:#fff;background-color:#ffffff">{text}</div>'),
    "no_height": ("", '<div style="height:0;overflow:hidden">{text}</div>'),
    "clipped": ("", '<div style="position:absolute;clip-path:inset(100%)">{text}</div>'),
    "scaled_away": ("", '<div style="transform:scale(0)">{text}</div>'),
    "template": ("", "<template>{text}</template>"),
    "noscript": ("", "<noscript>{text}</noscript>"),
    "comment": ("", "<!-- {text} -->"),
    "script": ("", '<script type="application/json">{{"pod": "{words}"}}</script>'),
    "closed_details": ("", "<details><summary>+</summary>{text}</details>"),
    "closed_dialog": ("", "<dialog>{text}</dialog>"),
    "aria_only": ("", '<div role="region" aria-label="{words}"></div>'),
    "hidden_input": ("", '<form><input type="hidden" name="pod" value="{words}"></form>'),
    "meta_only": ('<meta name="description" content="{words}">', ""),
    "data_attribute": ("", '<div data-proof="{words}"></div>'),
}


def _html(way: str, case: Case) -> Made:
    head, body = _HTML[way]
    text = paragraphs(case.words.proof, case.say(case.words.letter[0])) + table(case.facts())
    words = escape(" ".join(_lines(case)))
    title = case.random.choice(MESSAGES["error_page"][case.language]).split("|")[0]
    content = html(case, title, body.format(text=text, words=words), head=head.format(text=text, words=words))
    return Made(content, "text/html", ABSENT, EvidenceKind.RECORD)


WAYS: dict[str, Callable[[Case], Made]] = {
    **{f"pdf_{way}": make for way, make in _PDF.items()},
    **{f"html_{way}": partial(_html, way) for way in _HTML},
}
TEMPLATES: tuple[Template, ...] = tuple(
    by_language(f"invisible_{way}", draw, is_good=False)[position % 6]
    for position, (way, draw) in enumerate(WAYS.items())
)
