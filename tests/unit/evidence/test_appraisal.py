"""What a document shows, and whether it proves anything: the rules, by extracted content."""

import time
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageDraw
from reportlab.pdfgen.canvas import Canvas

from recours.core.evidence import Appraisal, EvidenceKind, Expected, Findings
from recours.evidence import numbers
from recours.evidence.appraisal import appraise, appraise_reading
from recours.evidence.reading import Cell, Reading, Row
from tests.corpus.drawing import (
    add_noise,
    encoded,
    paper,
    pdf,
    place,
    print_on,
    scanned,
    sign,
    sign_on,
    web_page,
    write,
)

NUMBER = "XY123456789FR"


def rows_of(text: str) -> tuple[Row, ...]:
    """Rows of cells, separated by `|`."""
    return tuple(
        tuple(Cell(cell.strip(), at * 100.0) for at, cell in enumerate(line.split("|")) if cell.strip())
        for line in text.split("\n")
    )


def appraised(text: str, number: str = NUMBER, carrier: str = "chronopost", **more: bool) -> Appraisal:
    return appraise_reading(Reading(rows=rows_of(text), **more), Expected(carrier, number))


def findings_of(text: str, number: str = NUMBER, carrier: str = "chronopost") -> Findings:
    appraisal = appraised(text, number, carrier)
    assert appraisal.hollow is None
    return appraisal.findings


# ---------------------------------------------------------------- who signed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Nom du réceptionnaire : DUPONT", "DUPONT"),
        ("Nom, prénom et signature du réceptionnaire : DE LA TOUR", "DE LA TOUR"),
        ("Signé par : Mme Anne-Lise PETIT", "Mme Anne-Lise PETIT"),
        ("Signataire|K. Müller", "K. Müller"),
        ("Signataire\nGARNIER SOPHIE", "GARNIER SOPHIE"),
        ("Colis|Signataire|Poids\nXY|O’BRIEN|1 kg", "O’BRIEN"),
        ("Received by: DUPONT (neighbour)", "DUPONT"),
        ("It was signed for by J. MOREAU on 5 October 2026.", "J. MOREAU"),
        ("Consignee's name|MARTIN", "MARTIN"),
        ("Angenommen von: S. WEISS", "S. WEISS"),
        ("Signed|DUPONT|Service area|LILLE\nDelivered|5 Oct 2026|Terms apply|here", "DUPONT"),
        # A missing name is better than a wrong one.
        ("Réceptionnaire : SARL DUPONT", None),
        ("Réceptionnaire : GARDIEN", None),
        ("Réceptionnaire : (non renseigné)", None),
        ("Received by: Front desk", None),
        ("Signed by: 12 rue des Lilas", None),
        ("Signed by|Delivered on\n|05/10/2026", None),
        ("Destinataire : MARTIN", None),
        ("Unterschrieben von: Hausbewohner", None),
        ("Signed by the recipient", None),
        ("Signed: Yes", None),
        ("Signed Copy Enclosed", None),
        ("Signataire : N/A\nMerci Beaucoup", None),
    ],
)
def test_the_signatory_is_a_persons_name(text: str, name: str | None) -> None:
    assert findings_of(f"{NUMBER} a été livré le 05/10/2026\n{text}").signatory == name


# ---------------------------------------------------------------- when and where


@pytest.mark.parametrize(
    ("text", "delivered"),
    [
        ("Livré le : 05/10/2026 à 10:31", "2026-10-05T10:31"),
        ("Livré le lundi 5 octobre 2026 à 10h31", "2026-10-05T10:31"),
        ("a été livré à M. DUPONT le 1er octobre 2026", "2026-10-01"),
        ("Date de livraison|05/10/26\nHeure|10 h 31", "2026-10-05T10:31"),
        ("Date de livraison prévue : 04/10/2026\nDate de livraison : 05/10/2026", "2026-10-05"),
        ("Expédié le 02/10/2026\nLivré le 05/10/2026", "2026-10-05"),
        ("Delivered on : Oct 5, 2026 02:31 PM", "2026-10-05T14:31"),
        ("was delivered on Monday, 5 October 2026 at 10:31", "2026-10-05T10:31"),
        ("Delivery date: 2026-10-05T10:31:00", "2026-10-05T10:31"),
        ("Zugestellt am: 05.10.2026 um 10:31 Uhr", "2026-10-05T10:31"),
        ("wurde am 5. Oktober 2026, 10:31 Uhr in LILLE zugestellt", "2026-10-05T10:31"),
        ("Signataire|Date\nDUPONT|05/10/2026 10:31", "2026-10-05T10:31"),
        (
            "05/10/2026 10:31|Votre colis est livré\n05/10/2026 07:10|En cours de livraison",
            "2026-10-05T10:31",
        ),
        ("LE HAVRE|Livré|05/10/2026 10:31\nPARIS|Arrivé|03/10/2026 07:10", "2026-10-05T10:31"),
        ("05/10/2026|Colis livré|LE HAVRE\n03/10/2026|Arrivé|PARIS", "2026-10-05"),
        ("05/10/2026|LILLE|10:31|Votre colis est livré", "2026-10-05T10:31"),
        ("05/10/2026 10:31 Livré - LILLE\n05/10/2026 07:10 En cours de livraison", "2026-10-05T10:31"),
        # Another date than the delivery's, or none.
        ("05/10/2026 10:31 Non livré - absent", None),
        ("Livré\nImprimé le : 07/10/2026", None),
        ("Sera livré le 05/10/2026. Livré.", None),
        ("Livré le 31/02/2026", None),
        ("Estimated delivery date: 05/10/2026. Delivered.", None),
    ],
)
def test_the_time_is_that_of_the_delivery(text: str, delivered: str | None) -> None:
    assert appraised(f"{NUMBER} delivered\n{text}").findings.delivered == delivered


@pytest.mark.parametrize(
    ("date", "delivered"),
    [
        ("10/05/2026", None),  # May or October
        ("10/25/2026", "2026-10-25"),
        ("25/10/2026", "2026-10-25"),
        ("10/05/2026 2:31 PM", "2026-10-05T14:31"),
        ("05.10.2026", "2026-10-05"),
    ],
)
def test_an_ambiguous_date_is_ignored(date: str, delivered: str | None) -> None:
    findings = findings_of(
        f"Tracking number 1Z5R89390357567127\nDelivered on: {date}",
        number="1Z5R89390357567127",
        carrier="ups",
    )
    assert findings.delivered == delivered


@pytest.mark.parametrize(
    ("text", "town"),
    [
        ("Lieu : 59000 LILLE", "LILLE"),
        ("Adresse de livraison : 12 rue des Lilas, 42000 SAINT-ÉTIENNE", "SAINT-ÉTIENNE"),
        ("Delivery city|LE HAVRE", "LE HAVRE"),
        ("Delivered on 5 October 2026 at 10:31 in Lille and signed by DUPONT", "Lille"),
        ("Ort: Köln", "Köln"),
        ("a été distribué à 59000 LILLE, contre signature, le 5 octobre 2026", "LILLE"),
        ("a été livré à DUPONT, à PARIS (75011), le 5 octobre 2026", "PARIS"),
        ("Livré le|05/10/2026 à 10:31\n|à PARIS (75011)", "PARIS"),
        ("was delivered without contact in Lille on 5 October 2026", "Lille"),
        ("wurde am 5. Oktober 2026 um 10:31 Uhr kontaktlos in LILLE zugestellt", "LILLE"),
        ("Destination Service Area|LILLE - FRANCE|Origin Service Area|PARIS", "LILLE"),
        ("05/10/2026 10:31 Livré - LILLE\n02/10/2026 09:00 Pris en charge - PARIS", "LILLE"),
        ("05/10/2026|Livré|LE HAVRE\n03/10/2026|Arrivé|PARIS", "LE HAVRE"),
        # It may be a person or a door: a missing place is better than a wrong one.
        ("05/10/2026|Livré|DUPONT\n03/10/2026|Arrivé", None),
        ("05/10/2026 10:31 Livré - DUPONT\n03/10/2026 07:10 Pris en charge", None),
        ("a été livré à DUPONT le 5 octobre 2026", None),
        ("remis le 05/10/2026 à M. DUPONT", None),
        ("wurde in Ihrem Briefkasten am 5. Oktober 2026 zugestellt", None),
        ("was delivered in Person on 5 October 2026", None),
        ("avant d'être livré à 59000 LILLE", None),
        ("Delivery location: Front door", None),
        ("Lieu : boîte aux lettres", None),
    ],
)
def test_the_place_is_a_town(text: str, town: str | None) -> None:
    assert appraised(f"{NUMBER} delivered\n{text}").findings.place == town


def test_facts_come_from_the_row_of_our_parcel() -> None:
    text = (
        "Colis|Livré le|Signataire|Ville\n"
        "AB987654321FR|04/10/2026|MARTIN|PARIS\n"
        f"{NUMBER}|05/10/2026|DUPONT|LILLE\n"
        "CD987654321FR|06/10/2026|ROUX|LYON"
    )
    findings = findings_of(text)
    assert (findings.signatory, findings.delivered, findings.place) == ("DUPONT", "2026-10-05", "LILLE")


def test_facts_come_from_the_section_of_our_parcel() -> None:
    parcels = (("AB987654321FR", "MARTIN", 4), (NUMBER, "DUPONT", 5), ("CD987654321FR", "ROUX", 6))
    text = "\n".join(
        f"N° de colis : {number}\nLivré le : 0{day}/10/2026\nSignataire : {name}"
        for number, name, day in parcels
    )
    findings = findings_of(text)
    assert (findings.signatory, findings.delivered) == ("DUPONT", "2026-10-05")


def test_shared_facts_apply_to_every_parcel_handed_over_together() -> None:
    text = f"Colis : {NUMBER}\nColis : AB987654321FR\nLivré le : 05/10/2026\nSignataire : DUPONT"
    assert findings_of(text).signatory == "DUPONT"


def test_facts_come_from_the_delivery_event() -> None:
    text = (
        f"{NUMBER}\nDate|Lieu|Événement\n02/10/2026 09:00|PARIS|Pris en charge\n"
        "05/10/2026 07:10|LYON|En cours de livraison\n05/10/2026 10:31|LILLE|Livré"
    )
    findings = findings_of(text)
    assert (findings.delivered, findings.place) == ("2026-10-05T10:31", "LILLE")


# ---------------------------------------------------------------- the number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("COLIS XY 123.456-789 FR", "XY123456789FR"),
        ("0998 0000 0200 33 F", "09980000020033"),
        ("09980000020033", "09980000020033F"),
        ("008182709980000020033350276C", "09980000020033"),  # inside a bar code
        ("25009980000020033", "09980000020033"),
        ("1Z 5R8 939 03 5756 7127", "1Z5R89390357567127"),
    ],
)
def test_a_number_is_found_in_any_format(text: str, number: str) -> None:
    assert numbers.shows(text, number)
    assert not numbers.shows(text, number[:-2] + "00")


@pytest.mark.parametrize("number", ["12345678901", "98765432109876", "ZX61QJIX"])
def test_part_of_a_longer_number_is_another(number: str) -> None:
    assert not numbers.shows(f"TEL 9{number}7 9{number}", number)


@pytest.mark.parametrize(
    ("text", "number", "other"),
    [
        ("N° de colis : AB987654321FR", NUMBER, "AB987654321FR"),
        ("Tracking number|12345678902 (1 parcel)", "12345678901", "12345678902"),
        ("Your parcel 1234 5678 902 was delivered", "12345678901", "12345678902"),
        ("Colis|Poids\n12345678901234|1 kg", "98765432109876", "12345678901234"),
        ("Votre envoi RK 123 456 785 FR", NUMBER, "RK123456785FR"),
        ("Confermiamo che il pacco ZB41VYPO è stato consegnato", "ZH11PLNP", "ZB41VYPO"),
    ],
)
def test_a_proof_of_another_parcel_is_hollow(text: str, number: str, other: str) -> None:
    signed = "Livré le 05/10/2026\nSigné par DUPONT"
    assert appraised(f"{text}\n{signed}", number).hollow == f"it shows another parcel's number ({other})"
    beside_ours = appraised(f"{text}\nColis n° {number}\n{signed}", number)
    assert (beside_ours.hollow, beside_ours.findings.number) == (None, True)


@pytest.mark.parametrize(
    "text",
    [
        "SIRET 12345678901234 – Tél. 01 23 45 67 89 – Commande n° 12345678901234",
        "Livraison : 05/10/2026 10:31",
        "Numéro de compte : 12345678901234",
    ],
)
def test_other_numbers_are_not_parcel_numbers(text: str) -> None:
    for number in ("98765432109876", "31000001", "9876543210"):
        appraisal = appraised(f"{text}\nLivré le 05/10/2026\nSigné par DUPONT", number)
        assert (appraisal.hollow, appraisal.findings.number) == (None, False)


def test_a_delivery_address_is_not_a_parcel_number() -> None:
    text = (
        "Numéro de colis ZV57ZBCE\nLivré le 07/08/2026\nAdresse de livraison 12 rue des Tilleuls, 54000 NANCY"
    )
    assert findings_of(text, "ZV57ZBCE", "gls").place == "NANCY"


@pytest.mark.parametrize(
    ("text", "is_like"), [("ZB41VYPO", True), ("ZB41VYPOX", False), ("MARTINEZ", False), ("zb41vypo", False)]
)
def test_a_number_in_our_format_is_a_parcel_number(text: str, is_like: bool) -> None:
    assert numbers.is_like(text, "ZH11PLNP") is is_like


# ---------------------------------------------------------------- the signature


@pytest.mark.parametrize(
    ("text", "reading", "expected"),
    [
        ("Signé par DUPONT", {"has_handwriting": True}, True),
        ("Signé par DUPONT", {"has_signature_image": True, "has_picture": True}, True),
        ("Livré", {"has_signature_image": True, "has_picture": True}, None),
        ("Livré. Signature non requise.", {}, False),
        ("Delivered, contactless", {}, False),
        ("Zugestellt, ohne Unterschrift", {}, False),
        ("Livré", {}, None),
    ],
)
def test_a_signature_is_found_denied_or_undecided(
    text: str, reading: dict[str, bool], expected: bool | None
) -> None:
    assert appraised(f"{NUMBER} {text}", NUMBER, "chronopost", **reading).findings.has_signature is expected


@pytest.mark.parametrize(("signed", "hollow"), [(True, False), (False, True)])
def test_only_ink_besides_the_text_of_a_scan_counts_as_a_picture(signed: bool, hollow: bool) -> None:
    sheet = paper((1240, 1754), 250)
    lines = [f"Récépissé du colis {NUMBER}", "Nom : __________", "Signature :"]
    print_on(sheet, 150, 200, lines, size=24)
    if signed:
        sign_on(sheet, Random(1), (300, 900, 500, 200))

    def draw(canvas: Canvas) -> None:
        place(canvas, sheet, (0, 0, 595, 842))
        canvas.setFillAlpha(0)
        write(canvas, 72, 740, lines)

    appraisal = appraise(pdf(draw), "application/pdf", Expected("chronopost", NUMBER))
    assert bool(appraisal.hollow) is hollow


def test_a_gradient_is_blank() -> None:
    content = encoded(Image.linear_gradient("L").resize((640, 240)), "image/png")
    assert appraise(content, "image/png", Expected("ups", NUMBER, EvidenceKind.PHOTO)).hollow == NO_PICTURE


def test_a_signature_image_has_a_signature() -> None:
    sheet = paper((300, 120))
    sign_on(sheet, Random(1), (20, 20, 260, 80))
    content = encoded(sheet, "image/png")
    for kind, expected in ((EvidenceKind.SIGNATURE, True), (EvidenceKind.PHOTO, None)):
        appraisal = appraise(content, "image/png", Expected("ups", NUMBER, kind))
        assert appraisal == Appraisal(Findings(has_signature=expected))


def test_a_signature_drawn_on_a_page_is_seen_and_a_logo_or_a_table_is_not() -> None:
    def page(*, signed: bool, in_letterhead: bool = False) -> bytes:
        def draw(canvas: Canvas) -> None:
            write(canvas, 60, 700, [f"Colis {NUMBER} livré le 05/10/2026", "Signataire : DUPONT"])
            canvas.grid([60, 160, 260, 360], list(range(500, 640, 20)))
            if signed:
                sign(canvas, Random(2), (60, 790 if in_letterhead else 400, 120, 40))

        return pdf(draw)

    def has_signature(content: bytes) -> bool | None:
        return appraise(content, "application/pdf", Expected("chronopost", NUMBER)).findings.has_signature

    assert has_signature(page(signed=True)) is True
    assert has_signature(page(signed=False)) is None
    assert has_signature(page(signed=True, in_letterhead=True)) is None


# ---------------------------------------------------------------- what is hollow


TEXTS = Path(__file__).parents[2] / "corpus/texts.txt"


def texts(section: str) -> list[str]:
    """The documents of a section of `texts.txt`: a blank line ends a document, `|` separates two cells of a row."""
    rest = TEXTS.read_text(encoding="utf-8").partition(f"[{section}]\n")[2]
    return rest.partition("\n\n[")[0].rstrip("\n").split("\n\n")


@pytest.mark.parametrize("text", texts("hollow"))
def test_a_document_that_shows_no_delivery_is_hollow(text: str) -> None:
    assert appraised(text).hollow


@pytest.mark.parametrize("text", texts("another paper, though it is signed"))
def test_a_signed_document_of_another_kind_is_hollow(text: str) -> None:
    assert appraised(text).hollow
    assert appraised(text, has_handwriting=True, has_ink=True).hollow


@pytest.mark.parametrize("text", texts("proof"))
def test_a_document_that_shows_a_delivery_is_a_proof(text: str) -> None:
    assert appraised(text).hollow is None


def test_a_menu_of_links_is_not_a_title() -> None:
    def page(menu: str) -> bytes:
        return web_page("DPD", f"{menu}<p>Colis {NUMBER} livré le 05/10/2026</p>")

    expected = Expected("chronopost", NUMBER)
    links = "".join(f'<li><a href="/">{name}</a></li>' for name in ("Retours", "Réclamation"))
    assert appraise(page(f"<ul>{links}</ul>"), "text/html", expected).hollow is None
    assert appraise(page("<h1>Réclamation</h1>"), "text/html", expected).hollow
    linked = f'<p>Livré le 05/10/2026, colis</p><p><a href="/">{NUMBER}</a></p>'
    assert appraise(web_page("DPD", linked), "text/html", expected).findings.number


@pytest.mark.parametrize("words", ["DRIVER RELEASE", "Signature not required", "Signature not on file"])
def test_a_remark_that_nobody_signed_is_not_a_signatory(words: str) -> None:
    assert appraised(f"{NUMBER} delivered\nReceived by: {words}").findings.signatory is None


def test_a_footer_with_the_date_of_the_answer_is_not_a_number() -> None:
    text = "Delivered on 10/15/2026\nReceived by: DUPONT\nTracking results provided by UPS: Apr 03"
    assert appraised(text, "1Z5R89390357567127", "ups").hollow is None


def test_a_delivery_page_with_a_login_form_is_not_a_login_page() -> None:
    proof = f"Colis {NUMBER}\nLivré le : 05/10/2026"
    assert appraised(proof, asks_for_password=True).hollow is None
    assert appraised(f"Colis {NUMBER} livré", asks_for_password=True).hollow == "it is a login page"
    assert appraised("Livré le : 05/10/2026", asks_for_password=True).hollow == "it is a login page"


def test_unreadable_pictures_leave_every_finding_undecided() -> None:
    assert appraised("Scanned with PocketScan", has_picture=True) == Appraisal(Findings())
    letters_without_meaning = "\ufffd" * 50
    assert appraised(letters_without_meaning, has_ink=True, has_picture=True) == Appraisal(Findings())


def test_an_unknown_number_need_not_be_on_the_document() -> None:
    assert appraised("Livré. Page 1/1", number="") == Appraisal(Findings(is_readable=True))
    assert appraised("Page 1/1", number="").hollow == "it shows no delivery"


def test_a_frame_and_paper_grain_show_nothing() -> None:
    sheet = paper((400, 300), 250)
    print_on(sheet, 20, 20, [])
    assert appraise(encoded(sheet, "image/png"), "image/png", Expected("ups", NUMBER)).hollow == "it is blank"
    sheet.paste(120, (30, 30, 370, 34))
    sheet.paste(120, (30, 30, 33, 270))
    assert why_hollow(sheet, "image/png") == NO_PICTURE
    sheet.paste(30, (100, 100, 130, 130))
    assert why_hollow(sheet, "image/png") == NO_PICTURE
    sign_on(sheet, Random(4), (60, 120, 240, 90))
    assert why_hollow(sheet, "image/png") is None


NO_PICTURE = "it shows no signature, photo or page of text"


def why_hollow(sheet: Image.Image, media_type: str = "image/jpeg") -> str | None:
    return appraise(encoded(sheet, media_type), media_type, Expected("ups", NUMBER)).hollow


@pytest.mark.parametrize("size", [(150, 120), (620, 440), (1240, 1754)])
@pytest.mark.parametrize(
    ("inset", "width", "shade"), [(0, 3, 120), (0.04, 1, 120), (0.08, 3, 200), (0.1, 2, 160)]
)
def test_a_thin_empty_frame_shows_nothing_straight_or_tilted(
    size: tuple[int, int], inset: float, width: int, shade: int
) -> None:
    sheet = paper(size, 250)
    edge = int(inset * min(size))
    box = (edge, edge, size[0] - 1 - edge, size[1] - 1 - edge)
    ImageDraw.Draw(sheet).rectangle(box, outline=shade, width=width)
    assert why_hollow(sheet) == NO_PICTURE
    assert why_hollow(scanned(sheet, Random(4), skew=1, noise=16)) == NO_PICTURE
    sign_on(sheet, Random(4), (size[0] * 0.15, size[1] * 0.25, size[0] * 0.7, size[1] * 0.5))
    assert why_hollow(sheet) is None


def test_a_caption_in_a_frame_is_not_a_page() -> None:
    sheet = paper((420, 180))
    ImageDraw.Draw(sheet).rectangle((4, 4, 415, 175), outline=120, width=2)
    print_on(sheet, 30, 120, ["X ______________________", "Signature du destinataire"])
    assert why_hollow(sheet) == NO_PICTURE


@pytest.mark.parametrize(
    ("kind", "hollow"),
    [(EvidenceKind.LETTER, None), (EvidenceKind.SIGNATURE, NO_PICTURE), (EvidenceKind.PHOTO, NO_PICTURE)],
)
def test_a_page_of_print_counts_only_as_a_letter(kind: EvidenceKind, hollow: str | None) -> None:
    sheet = paper((620, 877))
    line = "Le colis a bien été remis au destinataire contre signature"
    print_on(sheet, 40, 60, [line] * 12)
    reason = appraise(encoded(sheet, "image/png"), "image/png", Expected("ups", NUMBER, kind)).hollow
    assert reason == hollow


@pytest.mark.parametrize("ground", [(255, 255, 255), (200, 20, 40), (20, 40, 120)])
def test_a_logo_shows_nothing(ground: tuple[int, int, int]) -> None:
    logo = Image.new("RGB", (480, 360), ground)
    draw = ImageDraw.Draw(logo)
    draw.ellipse((60, 120, 180, 240), fill=(250, 200, 0))
    draw.rectangle((220, 140, 420, 220), fill=(90, 90, 90))
    draw.polygon(((240, 210), (300, 150), (360, 210)), fill=(255, 255, 255))
    assert why_hollow(logo, "image/png") == NO_PICTURE


@pytest.mark.parametrize("number", range(8))
def test_a_dim_photograph_is_not_blank_but_grain_is(number: int) -> None:
    """A box about as bright as the grain around it, and one a little darker under the same grain."""
    random = Random(number)
    shade, grain = random.choice((100, 160, 200)), random.choice((40, 60, 80))
    wall = add_noise(paper((320, 240), shade), random, grain)
    assert why_hollow(add_noise(paper((320, 240), shade), random, 24)) == NO_PICTURE
    wall.paste(shade - grain // 2, (90, 120, 220, 210))
    assert why_hollow(wall) is None
    in_the_dark = paper((640, 480), 60)
    in_the_dark.paste(40, (180, 240, 440, 420))
    assert why_hollow(add_noise(in_the_dark, random, 30)) is None


# ---------------------------------------------------------------- what is read


def test_a_web_page_is_read_in_rows_and_cells() -> None:
    body = "<table><tr><th>Signed by</th><th>City</th></tr><tr><td>DUPONT</td><td>Lille</td></tr></table>"
    appraisal = appraise(
        web_page("POD", f"{body}<p>Parcel {NUMBER}<br>Delivered&nbsp;on 5 Oct 2026</p>"),
        "text/html",
        Expected("dpd", NUMBER),
    )
    assert appraisal == Appraisal(
        Findings(is_readable=True, number=True, signatory="DUPONT", delivered="2026-10-05", place="Lille")
    )


def test_text_in_a_form_and_beside_its_label_is_read() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.beginForm("overlay")
        write(canvas, 0, 0, ["DUPONT"])
        canvas.endForm()
        write(canvas, 60, 700, ["Signataire"])
        write(canvas, 200, 720, [NUMBER])
        canvas.translate(200, 700)
        canvas.doForm("overlay")

    findings = appraise(pdf(draw), "application/pdf", Expected("chronopost", NUMBER)).findings
    assert (findings.number, findings.signatory) == (True, "DUPONT")


def test_a_picture_in_a_letter_is_not_automatically_a_signature() -> None:
    sheet = paper((300, 120))
    sign_on(sheet, Random(3), (20, 20, 260, 80))

    def draw(canvas: Canvas) -> None:
        write(canvas, 60, 700, [f"Colis {NUMBER} livré le 05/10/2026"])
        place(canvas, sheet, (60, 500, 150, 60))

    assert (
        appraise(pdf(draw), "application/pdf", Expected("chronopost", NUMBER)).findings.has_signature is None
    )


@pytest.mark.sample("other words without end", every=4)
@pytest.mark.parametrize(
    "unit",
    [
        "livre\n",
        "date\n",
        "delivered on ",
        "signé par A ",
        "proof of delivery ",
        "COLIS 12 ",
        "1",
        "5/5/",
        "a.",
        "é",
        "|a",
        "wurde ",
        "livre in a ",
        "livre a 59000 ",
        "livre|n/a\n",
        "5/5/2026|livre|A\n",
        "n a ",
        "AB ",
    ],
)
def test_an_endless_text_is_appraised_in_one_pass(unit: str) -> None:
    """If any of the patterns restarted at each place, it would take minutes."""
    text = (unit * 100_000)[:100_000]
    appraised(text)


def test_dates_of_a_signed_page_are_counted_once() -> None:
    began = time.process_time()
    appraised("signé par DUPONT\n" + "date 5/5/26\ndate 6/5/26\n" * 1500)
    assert time.process_time() - began < 5  # seconds; 20 if counted again at each date
