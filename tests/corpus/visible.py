"""The templates that the rules were made with.

To add one, write a function of a Random and a Parcel that returns a file with its truth, and list it in VISIBLE.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from PIL import Image, ImageDraw
from reportlab.pdfgen.canvas import Canvas

from recours.core.appraisal import EvidenceKind
from tests.corpus.drawing import (
    EMBEDDED,
    add_noise,
    encoded,
    paper,
    pdf,
    place,
    print_on,
    scanned,
    sign,
    sign_on,
    table,
    web_page,
    write,
    write_runs,
)
from tests.corpus.model import Made, Parcel, Template, Truth
from tests.corpus.parcels import long_date

PDF, HTML, PNG, JPEG, GIF = "application/pdf", "text/html", "image/png", "image/jpeg", "image/gif"


def told(parcel: Parcel, **other: Any) -> Truth:
    """What a complete proof of the parcel shows; `other`: where this one differs."""
    truth = Truth(
        number_shown=True,
        signatory=parcel.signatory,
        has_signature=True,
        delivered=parcel.delivered,
        place=parcel.place,
    )
    return replace(truth, **other)


NOTHING = Truth(number_shown=False)
UNSEEN = Truth(number_shown=None)


def spaced(number: str, sign: str = " ") -> str:
    """In groups of three."""
    return sign.join(number[at : at + 3] for at in range(0, len(number), 3))


def letter(
    random: Random, title: Sequence[str], lines: Sequence[str], *, signed: bool = True, **more: Any
) -> bytes:
    """A page with a title and lines of text, signed below."""

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 770, title, size=15)
        end = write(canvas, 60, 690, lines)
        if signed:
            sign(canvas, random, (60, end - 120, 180, 60))

    return pdf(page, **more)


def pairs(random: Random, title: Sequence[str], rows: Sequence[tuple[str, str]], *, signed: bool) -> bytes:
    """A page whose labels stand in one column and their values in another."""

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 770, title, size=15)
        write(canvas, 60, 700, [label for label, _ in rows])
        write(canvas, 260, 700, [value for _, value in rows])
        if signed:
            sign(canvas, random, (260, 420, 160, 50))

    return pdf(page)


def signature(random: Random, size: tuple[int, int] = (420, 160)) -> Image.Image:
    sheet = paper(size, random.choice((255, 250, 246)))
    sign_on(sheet, random, (30, 30, size[0] - 60, size[1] - 60))
    return sheet


# ---------------------------------------------------------------- Chronopost


def chronopost_letter(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Numéro de colis : {parcel.number}",
        f"Livré le : {parcel.delivered:%d/%m/%Y à %H:%M}",
        f"Lieu : {parcel.postcode} {parcel.place}",
        f"Nom du réceptionnaire : {parcel.signatory}",
    ]
    return Made(letter(random, ["CHRONOPOST", "Preuve de livraison"], lines), PDF, told(parcel))


def chronopost_english(random: Random, parcel: Parcel) -> Made:
    rows = [
        ("Parcel number", parcel.number),
        ("Sender's reference", f"CMD-{random.randrange(10**6):06}"),
        ("Delivery date and time", f"{parcel.delivered:%d/%m/%Y %H:%M}"),
        ("Delivery location", f"{parcel.place} ({parcel.postcode})"),
        ("Consignee's name", parcel.signatory),
    ]
    return Made(pairs(random, ["CHRONOPOST", "Proof of delivery"], rows, signed=True), PDF, told(parcel))


def chronopost_table(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 770, ["Chronopost – preuve de livraison"], size=14)
        rows = [
            ["N° de colis", "Date", "Réceptionnaire", "Lieu de livraison", "Poids"],
            [
                parcel.number,
                f"{parcel.delivered:%d/%m/%Y}",
                parcel.signatory,
                f"{parcel.postcode} {parcel.place}",
                f"{random.uniform(0.2, 9):.1f} kg",
            ],
        ]
        table(canvas, 40, 700, rows, [100, 70, 120, 150, 60])
        write(canvas, 60, 600, ["Signature du destinataire :"])
        sign(canvas, random, (60, 500, 180, 60))

    return Made(pdf(page), PDF, told(parcel, delivered=parcel.delivered.date()))


def chronopost_unsigned(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Colis n° {spaced(parcel.number)}",
        f"Livré le {long_date(parcel.delivered, 'fr')}",
        f"Lieu de livraison : {parcel.place}",
        "Réceptionnaire : GARDIEN",
        "Signature non requise pour ce produit.",
    ]
    return Made(
        letter(random, ["CHRONOPOST"], lines, signed=False),
        PDF,
        told(parcel, signatory=None, has_signature=False),
    )


def chronopost_scan(random: Random, parcel: Parcel) -> Made:
    sheet = paper()
    print_on(sheet, 40, 30, ["CHRONOPOST", f"Colis {parcel.number}", f"Livré le {parcel.delivered:%d/%m/%Y}"])
    sign_on(sheet, random, (60, 250, 300, 90))
    return Made(encoded(scanned(sheet, random), PNG), PNG, told(parcel, number_shown=None))


# ---------------------------------------------------------------- Colissimo, La Poste


def colissimo_letter(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["La Poste – Colissimo", "Justificatif de livraison"], size=13, font=EMBEDDED)
        lines = [
            f"Numéro du colis : {spaced(parcel.number)}",
            f"Date de livraison : {parcel.delivered:%d/%m/%Y}   Heure : {parcel.delivered:%H:%M}",
            f"Nom du signataire : {parcel.signatory}",
            f"Adresse de livraison : 12 rue des Lilas, {parcel.postcode} {parcel.place}",
            f"Expéditeur : BOUTIQUE DU PARC SARL, SIRET {random.randrange(10**13, 10**14)}",
        ]
        write(canvas, 60, 700, lines, font=EMBEDDED)
        write(canvas, 60, 590, ["Signature :"], font=EMBEDDED)
        place(canvas, signature(random), (60, 500, 180, 70))

    return Made(pdf(page), PDF, told(parcel))


def colissimo_prose(random: Random, parcel: Parcel) -> Made:
    lines = [
        "Madame, Monsieur,",
        f"Nous vous confirmons que votre colis {parcel.number.lower()} a été livré",
        f"le {long_date(parcel.delivered, 'fr')} à {parcel.place} et signé par {parcel.signatory}.",
        "Le service client est indisponible le dimanche.",
    ]
    return Made(letter(random, ["LA POSTE"], lines), PDF, told(parcel))


def colissimo_mailbox(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Votre colis n° {parcel.number} a été livré dans votre boîte aux lettres",
        f"le {parcel.delivered:%d/%m/%Y} à {parcel.delivered:%Hh%M}.",
        "Ce produit est remis sans signature.",
        f"Commande {random.randrange(10**8)} – client 00{random.randrange(10**5)}",
    ]
    truth = told(parcel, signatory=None, has_signature=False, place=None)
    return Made(
        letter(random, ["Colissimo", "Attestation de livraison"], lines, signed=False, compressed=False),
        PDF,
        truth,
    )


def laposte_page(random: Random, parcel: Parcel) -> Made:
    earlier = parcel.delivered - timedelta(hours=3)
    body = (
        f"<h1>Suivi de l'envoi {parcel.number}</h1><table><tr><th>Date</th><th>Étape</th></tr>"
        f"<tr><td>{parcel.delivered:%d/%m/%Y %H:%M}</td><td>Votre colis est livré.</td></tr>"
        f"<tr><td>{earlier:%d/%m/%Y %H:%M}</td><td>En cours de préparation.</td></tr></table>"
        "<p><a href='/connexion'>Connectez-vous</a> pour suivre tous vos envois.</p>"
    )
    truth = told(parcel, signatory=None, has_signature=False, place=None)
    return Made(web_page("La Poste", body), HTML, truth)


# ---------------------------------------------------------------- UPS


def ups_page(random: Random, parcel: Parcel, *, received: bool = False) -> Made:
    day = parcel.delivered
    rows = [
        f"Tracking Number : {parcel.number}",
        f"Reference Number(s) : {random.randrange(10**10)}, {random.randrange(10**8)}",
        "Service Type : UPS Express Saver®</span>",
        f"Package Weight : {random.uniform(1, 9):.1f} LBS",
        f"Shipped or Billed on : {day - timedelta(days=2):%b %d, %Y}",
        f"Delivered on : {day:%b %d, %Y %I:%M %p}",
        f"Delivered to : {parcel.place}, FR" if received else "Delivered to : Empfänger",
    ]
    if received:
        rows.append(f"Received by : {parcel.signatory}")
    body = (
        "<h1>Delivery Notification</h1><div>Dear Customer,</div><p>This is in response to your request for delivery "
        "information concerning the shipment listed below.</p>"
        + "".join(f'<div class="centered-div">{row}</div>' for row in rows)
        + "<p>Thank you for giving us this opportunity to serve you</p><div>Sincerely,</div>"
        f"<div>United Parcel Service</div><div> Tracking results provided by UPS: {day + timedelta(days=4):%b %d, %Y} 06:41 AM</div>"
    )
    truth = told(
        parcel,
        signatory=parcel.signatory if received else None,
        has_signature=False,
        place=parcel.place if received else None,
    )
    return Made(web_page("Delivery Notification", body), HTML, truth)


def ups_page_received(random: Random, parcel: Parcel) -> Made:
    return ups_page(random, parcel, received=True)


def ups_page_french(random: Random, parcel: Parcel) -> Made:
    picture = base64.b64encode(encoded(signature(random, (200, 80)), GIF)).decode()
    body = (
        f"<h1>Avis de livraison</h1><p>Numéro de suivi&nbsp;: <b>{spaced(parcel.number)}</b><br>"
        f"Livré le&nbsp;: {parcel.delivered:%d.%m.%Y} à {parcel.delivered:%H h %M}<br>Ville&nbsp;: {parcel.place}<br>"
        f"Reçu par&nbsp;: {parcel.signatory}<br>Signature&nbsp;: <img src='data:image/gif;base64,{picture}'></p>"
    )
    return Made(web_page("UPS", body), HTML, told(parcel))


def signature_alone(media_type: str) -> Callable[[Random, Parcel], Made]:
    def make(random: Random, parcel: Parcel) -> Made:
        sheet = signature(random, (random.randint(120, 600), random.randint(100, 240)))
        truth = told(parcel, number_shown=None)
        return Made(encoded(sheet, media_type), media_type, truth, EvidenceKind.SIGNATURE)

    return make


# ---------------------------------------------------------------- DHL


def dhl_german(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Sendungsnummer: {parcel.number}",
        f"Zugestellt am: {parcel.delivered:%d.%m.%Y} um {parcel.delivered:%H:%M} Uhr",
        f"Zustellort: {parcel.postcode} {parcel.place}",
        f"Angenommen von: {parcel.signatory}",
        f"Kundennummer: {random.randrange(10**9, 10**10)}",
        "Unterschrift:",
    ]
    return Made(letter(random, ["DHL Paket", "Ablieferungsnachweis"], lines), PDF, told(parcel))


def dhl_left(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Ihre Sendung {parcel.number} wurde am {long_date(parcel.delivered, 'de')}",
        f"in {parcel.place} am vereinbarten Ablageort zugestellt.",
        "Eine Unterschrift war nicht erforderlich.",
    ]
    truth = told(parcel, signatory=None, has_signature=False)
    return Made(letter(random, ["DHL"], lines, signed=False), PDF, truth)


def dhl_express_letter(random: Random, parcel: Parcel) -> Made:
    rows = [
        ("Waybill Number", spaced(parcel.number)),
        ("Your shipment reference", f"PO {random.randrange(10**6)}"),
        ("Signed by", parcel.signatory),
        ("Delivered on", long_date(parcel.delivered, "en")),
        ("Delivery city", parcel.place),
        ("Number of pieces", "1"),
    ]
    return Made(
        pairs(random, ["DHL Express", "Electronic proof of delivery"], rows, signed=True), PDF, told(parcel)
    )


def dhl_express_detail(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["PROOF OF DELIVERY"], size=14)
        lines = [
            f"Shipment {parcel.number} was delivered on {long_date(parcel.delivered, 'en')}",
            f"and signed for by {parcel.signatory}.",
        ]
        write(canvas, 60, 730, lines)
        pieces = [[f"JD01{random.randrange(10**14, 10**15)}", "1.5 kg"] for _ in range(4)]
        table(canvas, 60, 680, [["Piece", "Weight"], *pieces], [160, 60])
        write(canvas, 60, 540, [f"Shipper account: {random.randrange(10**8, 10**9)}"])
        place(canvas, signature(random), (300, 480, 150, 60))
        write(canvas, 300, 550, ["Signature"])

    return Made(pdf(page), PDF, told(parcel, place=None))


# ---------------------------------------------------------------- FedEx


def fedex_letter(random: Random, parcel: Parcel) -> Made:
    day = parcel.delivered

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, [f"{day + timedelta(days=3):%B %d, %Y}", "Dear Customer,"])
        write(
            canvas, 60, 740, [f"The following is the proof-of-delivery for tracking number: {parcel.number}"]
        )
        write(canvas, 60, 710, ["Delivery Information:"], font="Helvetica-Bold")
        left = [
            ("Status:", "Delivered"),
            ("Signed for by:", parcel.signatory),
            ("Service type:", "FedEx Priority"),
        ]
        right = [
            ("Delivery Location:", f"{parcel.place}, {parcel.postcode}"),
            ("Delivery date:", f"{day:%b %d, %Y %H:%M}"),
            ("Special Handling:", "Residential Delivery"),
        ]
        for x, column in ((60, left), (320, right)):
            write(canvas, x, 690, [label for label, _ in column], font="Helvetica-Bold")
            write(canvas, x + 100, 690, [value for _, value in column])
        place(canvas, signature(random), (320, 560, 150, 60))
        write(canvas, 60, 520, [f"Ship Date: {day - timedelta(days=2):%b %d, %Y}", "Signature image above."])

    return Made(pdf(page), PDF, told(parcel))


def fedex_unsigned(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"The following is the proof-of-delivery for tracking number {parcel.number}.",
        f"Delivery date: {parcel.delivered:%b %d, %Y %H:%M}",
        f"Delivered to: Residence   Delivery Location: {parcel.place}",
        "Proof-of-delivery details appear below; however, no signature is available for this shipment",
        "because a signature was not required.",
        f"Reference: Order {random.randrange(10**8)}",
    ]
    truth = told(parcel, signatory=None, has_signature=False)
    return Made(letter(random, ["FedEx"], lines, signed=False), PDF, truth)


# ---------------------------------------------------------------- DPD


def dpd_letter(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Expéditeur : ATELIER BLEU SAS – SIRET {random.randrange(10**13, 10**14)} – Tél. 01 23 45 67 89",
        f"N° de colis : {parcel.number[:4]} {parcel.number[4:8]} {parcel.number[8:]}",
        f"Livré le : {parcel.delivered:%d.%m.%Y} à {parcel.delivered:%H:%M:%S}",
        f"Destinataire : Société Horizon, 3 avenue Foch, {parcel.postcode} {parcel.place}",
        f"Réceptionné par : {parcel.signatory}",
    ]
    return Made(letter(random, ["DPD France", "Preuve de livraison"], lines), PDF, told(parcel, place=None))


def dpd_several(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["DPD – récapitulatif de livraison"], size=14)
        rows = [[number, "1,2 kg"] for number in (parcel.other_number, parcel.number)]
        table(canvas, 60, 740, [["N° de colis", "Poids"], *rows], [160, 60])
        lines = [
            f"Date de livraison : {parcel.delivered:%d/%m/%Y %H:%M}",
            f"Nom du réceptionnaire : {parcel.signatory}",
            f"Ville : {parcel.place}",
        ]
        write(canvas, 60, 650, lines)
        sign(canvas, random, (60, 520, 180, 60))

    return Made(pdf(page), PDF, told(parcel))


def dpd_photo(random: Random, parcel: Parcel) -> Made:
    """Of a parcel in front of a door."""
    sheet = add_noise(paper((320, 240)), random, 160).convert("RGB")
    sheet.paste((150, 110, 60), (90, 120, 220, 210))
    truth = told(parcel, number_shown=None, has_signature=False)
    return Made(encoded(sheet, JPEG), JPEG, truth, EvidenceKind.PHOTO)


# ---------------------------------------------------------------- GLS


def gls_runs(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["GLS – Proof of Delivery"], size=14)
        number = parcel.number
        write_runs(canvas, 60, 730, ["Parcel num", "ber: ", number[:3], number[3:7], number[7:]])
        write_runs(
            canvas,
            60,
            710,
            ["Delivered ", "on: ", f"{parcel.delivered:%d.%m.}", f"{parcel.delivered:%Y %H:%M}"],
        )
        write_runs(canvas, 60, 690, ["Received ", "by: ", parcel.signatory])
        write_runs(canvas, 60, 670, ["Place of ", "delivery: ", parcel.place])
        sign(canvas, random, (60, 560, 180, 60))

    return Made(pdf(page, compressed=False), PDF, told(parcel))


def gls_german(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["GLS", "Zustellnachweis"], size=14)
        rows = [
            ["Paketnummer", "Zustelldatum", "Uhrzeit", "Ort", "Empfangen von"],
            [
                parcel.number,
                f"{parcel.delivered:%d.%m.%Y}",
                f"{parcel.delivered:%H:%M}",
                parcel.place,
                parcel.signatory,
            ],
        ]
        table(canvas, 40, 710, rows, [90, 80, 60, 130, 130])
        write(canvas, 60, 620, ["Unterschrift"])
        sign(canvas, random, (60, 540, 150, 50))

    return Made(pdf(page), PDF, told(parcel))


# ---------------------------------------------------------------- any carrier


def web_table(random: Random, parcel: Parcel) -> Made:
    rows = [
        ("Tracking number", parcel.number),
        ("Status", "Delivered"),
        ("Delivery date", f"{parcel.delivered:%Y-%m-%d %H:%M}"),
        ("City", parcel.place),
        ("Signed by", parcel.signatory),
    ]
    cells = "".join(f"<tr>\n<th>{label}</th>\n<td>{value}</td>\n</tr>" for label, value in rows)
    body = f"<table>{cells}</table><footer>Error 404? Contact us. Sign in for more.</footer>"
    return Made(web_page("POD", body), HTML, told(parcel, has_signature=False))


def web_list(random: Random, parcel: Parcel) -> Made:
    body = (
        f"<dl><dt>N° de suivi</dt><dd>{parcel.number}</dd><dt>Livraison effectuée le</dt>"
        f"<dd>{parcel.delivered:%d/%m/%Y à %Hh%M}</dd><dt>Remis à</dt><dd>{parcel.signatory}</dd>"
        f"<dt>Lieu</dt><dd>{parcel.postcode} {parcel.place}</dd></dl>"
    )
    return Made(web_page("Preuve", body), HTML, told(parcel, has_signature=False))


def turned_letter(random: Random, parcel: Parcel) -> Made:
    """Drawn across a page that the viewer turns."""

    def page(canvas: Canvas) -> None:
        canvas.translate(595, 0)
        canvas.rotate(90)
        lines = [
            "Proof of delivery",
            f"Tracking number: {parcel.number}",
            f"Delivered: {parcel.delivered:%d %b %Y %H:%M}",
            f"Received by: {parcel.signatory}",
            f"City: {parcel.place}",
        ]
        write(canvas, 60, 520, lines, size=12)
        sign(canvas, random, (60, 250, 180, 60))

    return Made(pdf(page, turned=90), PDF, told(parcel))


def form_letter(random: Random, parcel: Parcel) -> Made:
    """What the page shows is in a form, as overlays are."""

    def page(canvas: Canvas) -> None:
        canvas.beginForm("overlay")
        lines = [
            f"Numéro d'envoi : {parcel.number}",
            f"Distribué le : {parcel.delivered:%d/%m/%Y} {parcel.delivered:%H:%M}",
            f"Signataire : {parcel.signatory}",
            f"Lieu de remise : {parcel.place}",
        ]
        write(canvas, 0, 100, lines)
        canvas.endForm()
        write(canvas, 60, 780, ["Preuve de distribution"], size=14)
        canvas.translate(60, 550)
        canvas.doForm("overlay")

    return Made(pdf(page), PDF, told(parcel, has_signature=False))


def encrypted_letter(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Tracking no. {parcel.number}",
        f"Date of delivery: {parcel.delivered:%d-%m-%Y %H:%M}",
        f"Signatory: {parcel.signatory}",
        f"Town: {parcel.place}",
    ]
    made = letter(random, ["Proof of delivery"], lines, encrypted=True)
    return Made(made, PDF, told(parcel))


def scan_in_pdf(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        sheet = paper((500, 700))
        print_on(sheet, 40, 40, ["Bordereau de livraison", parcel.number, parcel.signatory])
        sign_on(sheet, random, (80, 400, 250, 80))
        place(canvas, scanned(sheet, random), (0, 0, 595, 842))

    return Made(pdf(page), PDF, told(parcel, number_shown=None))


def scan_with_a_footer(random: Random, parcel: Parcel) -> Made:
    """The program that scanned it wrote its name below the picture."""

    def page(canvas: Canvas) -> None:
        sheet = paper((500, 650))
        print_on(sheet, 40, 40, ["Delivery slip", parcel.number])
        sign_on(sheet, random, (80, 400, 250, 80))
        place(canvas, scanned(sheet, random), (0, 60, 595, 780))
        write(canvas, 200, 20, ["Scanned with PocketScan – page 1/1"], size=7)

    return Made(pdf(page), PDF, told(parcel, number_shown=None))


def poor_scan(random: Random, parcel: Parcel) -> Made:
    sheet = paper((500, 360), 240)
    print_on(sheet, 30, 20, ["POD", parcel.number, f"{parcel.delivered:%d.%m.%Y}"], size=14)
    sign_on(sheet, random, (60, 200, 240, 80), ink=90)
    made = encoded(scanned(sheet, random, skew=8, noise=40, blur=1.4), JPEG, quality=12)
    return Made(made, JPEG, told(parcel, number_shown=None))


def small_print(random: Random, parcel: Parcel) -> Made:
    lines = [
        f"Colis : {parcel.number}",
        f"Date et heure de livraison : {parcel.delivered:%d/%m/%Y %H:%M}",
        f"Nom et prénom du réceptionnaire : {parcel.signatory}",
        f"Localité : {parcel.place}",
        "En cas d'erreur 404 ou de service indisponible, veuillez réessayer plus tard.",
        "Connectez-vous à votre espace client. Les documents de plus d'un an ne sont pas disponibles.",
    ]
    return Made(letter(random, ["Preuve de livraison"], lines), PDF, told(parcel))


def events_with_a_login(random: Random, parcel: Parcel) -> Made:
    """A tracking page as a browser prints it: events from the last one down, and the site's own links on the second page."""
    day = parcel.delivered
    lines = [
        f"{day:%d/%m/%Y %H:%M} Livré - {parcel.place}",
        f"{day - timedelta(hours=3):%d/%m/%Y %H:%M} En cours de livraison - {parcel.place}",
        f"{day - timedelta(days=1):%d/%m/%Y %H:%M} Arrivé en agence - ROUEN",
    ]

    def first(canvas: Canvas) -> None:
        write(canvas, 60, 780, [f"Suivi de votre colis {parcel.number}"], size=14)
        write(canvas, 60, 730, lines)

    def second(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["Aide", "Identifiez-vous", "Mot de passe oublié", "Nous contacter"])

    return Made(pdf(first, second), PDF, told(parcel, signatory=None, has_signature=False))


def events_in_columns(random: Random, parcel: Parcel) -> Made:
    """Without headings; the parcel came through a town that begins with an article."""
    day = parcel.delivered
    rows = [
        [f"{day:%d/%m/%Y}", f"{day:%H:%M}", "Colis livré", parcel.place],
        [f"{day - timedelta(days=1):%d/%m/%Y}", "07:10", "En transit", random.choice(("LE MANS", "ROUEN"))],
        [f"{day - timedelta(days=2):%d/%m/%Y}", "18:02", "Pris en charge", "LE HAVRE"],
    ]

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, [f"N° d'envoi {parcel.number}"], size=14)
        table(canvas, 60, 740, rows, [80, 50, 130, 130])

    return Made(pdf(page), PDF, told(parcel, signatory=None, has_signature=False))


def attested(random: Random, parcel: Parcel) -> Made:
    """The place stands before the date."""
    at = random.choice((f"{parcel.postcode} {parcel.place}", f"{parcel.place} ({parcel.postcode})"))
    lines = [
        f"Nous attestons que le colis {parcel.number} a été livré à {at}, contre signature,",
        f"le {long_date(parcel.delivered, 'fr')}.",
        f"Signataire : {parcel.signatory}",
    ]
    return Made(letter(random, ["Attestation de livraison"], lines), PDF, told(parcel))


def four_columns(random: Random, parcel: Parcel) -> Made:
    """Two pairs of a label and its value in each row."""
    rows = [
        ["Waybill", parcel.number, "Pieces", "1"],
        ["Signed", parcel.signatory, "Service Area", f"{parcel.place} - FRANCE"],
        ["Delivered", f"{parcel.delivered:%d %b %Y %H:%M}", "Terms", "Delivered at place"],
    ]

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["Shipment summary"], size=14)
        table(canvas, 60, 740, rows, [80, 150, 90, 150])

    return Made(pdf(page), PDF, told(parcel, has_signature=False))


def dim_photo(random: Random, parcel: Parcel) -> Made:
    """Of a parcel that is about as bright as the door behind it."""
    shade, most = random.choice((90, 140, 180)), random.randint(50, 80)
    sheet = add_noise(paper((320, 240), shade), random, most)
    sheet.paste(shade - most // 2, (90, 120, 220, 210))
    truth = told(parcel, number_shown=None, has_signature=False)
    return Made(encoded(sheet, JPEG), JPEG, truth, EvidenceKind.PHOTO)


# ---------------------------------------------------------------- hollow ones


def blank_pdf(random: Random, parcel: Parcel) -> Made:
    return Made(pdf(*[lambda _: None] * random.randint(1, 3)), PDF, NOTHING)


def footer_only(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 800, [random.choice(("CHRONOPOST", "UPS", "La Poste – Colissimo"))])
        canvas.line(60, 790, 535, 790)
        write(canvas, 500, 30, ["Page 1/1"], size=7)

    return Made(pdf(page), PDF, NOTHING)


def framed_pdf(random: Random, parcel: Parcel) -> Made:
    def page(canvas: Canvas) -> None:
        canvas.rect(40, 40, 515, 762)
        canvas.line(40, 400, 555, 400)

    return Made(pdf(page), PDF, NOTHING)


def white_picture_in_pdf(random: Random, parcel: Parcel) -> Made:
    sheet = paper((300, 400), random.choice((255, 250, 240)))
    return Made(pdf(lambda canvas: place(canvas, sheet, (0, 0, 595, 842))), PDF, NOTHING)


def empty_form(random: Random, parcel: Parcel) -> Made:
    rows = [
        ["N° de colis", "Livré le", "Nom du réceptionnaire", "Lieu"],
        ["", "", "", ""],
    ]
    shown = random.random() < 0.5
    rows[1][0] = parcel.number if shown else ""

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 770, ["Preuve de livraison"], size=14)
        table(canvas, 40, 700, rows, [110, 100, 150, 100])
        write(canvas, 40, 620, ["Signature :", "Observations :"])

    return Made(pdf(page), PDF, Truth(number_shown=shown))


FILLERS = ("N/A", "-", "n/a", "......", "______", "Néant", "non renseigné", "__/__/____", "—", "unknown")


def form_of_fillers(random: Random, parcel: Parcel) -> Made:
    labels = random.choice(
        (
            ("Livré le", "Signé par", "Lieu"),
            ("Delivered", "Received by", "Delivered to"),
            ("Zugestellt am", "Angenommen von", "Ort"),
        )
    )
    filled = [(f"N° {parcel.number}", ""), *((label, random.choice(FILLERS)) for label in labels)]
    if random.random() < 0.5:
        rows = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in filled)
        return Made(web_page("POD", f"<table>{rows}</table>"), HTML, Truth(number_shown=True))
    lines = [f"{label} : {value}" for label, value in filled]
    return Made(letter(random, ["POD"], lines, signed=False), PDF, Truth(number_shown=True))


def framed_picture_in_pdf(random: Random, parcel: Parcel) -> Made:
    """A scan of nothing: a pale line runs around the sheet, a little askew."""
    width, height = random.choice(((400, 560), (620, 877), (210, 297)))
    sheet = paper((width, height), random.choice((255, 250, 240)))
    edge = random.randint(0, width // 10)
    box = (edge, edge, width - 1 - edge, height - 1 - edge)
    ImageDraw.Draw(sheet).rectangle(box, outline=random.choice((130, 160, 200)), width=random.randint(1, 3))
    if random.random() < 0.5:
        sheet = scanned(sheet, random, skew=1.0, noise=16)
    return Made(pdf(lambda canvas: place(canvas, sheet, (0, 0, 595, 842))), PDF, NOTHING)


def one_colour(media_type: str) -> Callable[[Random, Parcel], Made]:
    def make(random: Random, parcel: Parcel) -> Made:
        sheet = paper((random.randint(50, 600), random.randint(50, 400)), random.choice((255, 251, 128, 0)))
        return Made(encoded(sheet, media_type), media_type, UNSEEN)

    return make


def grain(random: Random, parcel: Parcel) -> Made:
    sheet = add_noise(paper((300, 200), random.choice((255, 245, 230))), random, random.randint(6, 24))
    return Made(encoded(sheet, JPEG, quality=random.choice((20, 60, 90))), JPEG, UNSEEN)


def frame(random: Random, parcel: Parcel) -> Made:
    sheet = paper((400, 300))
    inner = paper((388, 288))
    sheet.paste(180, (0, 0, 400, 300))
    sheet.paste(inner, (6, 6))
    return Made(encoded(sheet, PNG), PNG, UNSEEN)


def speck(random: Random, parcel: Parcel) -> Made:
    size = random.randint(1, 3)
    return Made(encoded(paper((size, size), random.randrange(256)), GIF), GIF, UNSEEN)


ERRORS = (
    "<h1>500 Internal Server Error</h1><p>nginx</p>",
    "<h1>Service temporairement indisponible</h1><p>Veuillez réessayer plus tard.</p>",
    "<h2>Une erreur technique est survenue</h2><p>Code : {number}-500</p>",
    "<h1>404 Not Found</h1><p>The requested URL was not found on this server.</p>",
    "<h1>Wartungsarbeiten</h1><p>Unser System ist momentan nicht erreichbar. Sendung {number}</p>",
    "<h1>Access denied</h1><p>You do not have permission to view parcel {number}.</p>",
    "<p>Votre session a expiré.</p><p>Veuillez vous reconnecter pour consulter {number}.</p>",
    "<h1>Oops!</h1><p>Something went wrong on our side.</p>",
    "<p>Please verify that you are not a robot.</p><div class='captcha'></div>",
    "<p>We use cookies to improve your experience.</p><button>Accept all cookies</button>",
    "<h1>Maintenance en cours</h1><p>Le site est en maintenance jusqu'à 06:00.</p>",
)


def error_page(random: Random, parcel: Parcel) -> Made:
    body = random.choice(ERRORS).format(number=parcel.number)
    return Made(web_page("Portal", body), HTML, Truth(number_shown=parcel.number in body))


def login_page(random: Random, parcel: Parcel) -> Made:
    body = (
        f"<h1>Preuve de livraison {parcel.number}</h1><form action='/login'><label>E-mail</label><input name=mail>"
        "<label>Mot de passe</label><input type='password' name='p'><button>Se connecter</button></form>"
    )
    return Made(web_page("Connexion", body), HTML, Truth(number_shown=True))


def login_without_password(random: Random, parcel: Parcel) -> Made:
    asks = random.choice(
        (
            "<h1>Sign in to continue</h1><input name=user><button>Next</button>",
            "<h1>Connectez-vous</h1><p>pour accéder à vos preuves de livraison</p><a href='/sso'>SSO</a>",
            "<h1>Bitte melden Sie sich an</h1><input name=kennung><a href='#'>Passwort vergessen?</a>",
        )
    )
    return Made(web_page("Login", asks), HTML, NOTHING)


UNAVAILABLE = (
    "La preuve de livraison du colis {number} n'est pas encore disponible.",
    "Aucun document n'est disponible pour l'envoi {number}.",
    "Le justificatif de livraison demandé est introuvable ({number}).",
    "The proof of delivery for tracking number {number} is not available at this time.",
    "No proof of delivery was found for parcel {number}.",
    "We are sorry: the POD for {number} could not be retrieved.",
    "Für die Sendung {number} liegt kein Zustellnachweis vor.",
    "Der Ablieferungsnachweis zu {number} ist derzeit nicht verfügbar.",
)


def unavailable_letter(random: Random, parcel: Parcel) -> Made:
    said = random.choice(UNAVAILABLE).format(number=parcel.number)
    made = letter(random, ["Service clients"], ["Madame, Monsieur,", said, "Cordialement"], signed=False)
    return Made(made, PDF, Truth(number_shown=True))


def unavailable_page(random: Random, parcel: Parcel) -> Made:
    said = random.choice(UNAVAILABLE).format(number=parcel.number)
    return Made(web_page("POD", f"<div><p>{said}</p></div>"), HTML, Truth(number_shown=True))


def anothers(make: Callable[[Random, Parcel], Made]) -> Callable[[Random, Parcel], Made]:
    """A good proof, of another parcel than the one that was asked about."""

    def made(random: Random, parcel: Parcel) -> Made:
        other = make(random, replace(parcel, number=parcel.other_number))
        return Made(other.content, other.media_type, replace(other.truth, number_shown=False))

    return made


def json_error(random: Random, parcel: Parcel) -> Made:
    lines = ["{", '  "status": 404,', '  "title": "No data found",', f'  "instance": "/{parcel.number}"', "}"]
    return Made(letter(random, [], lines, signed=False), PDF, Truth(number_shown=True))


def in_transit(random: Random, parcel: Parcel) -> Made:
    said = random.choice(
        (
            "Votre colis {number} est en cours de livraison.",
            "Parcel {number} is in transit. Estimated delivery date: {day:%d/%m/%Y}",
            "Die Sendung {number} wurde noch nicht zugestellt.",
        )
    )
    body = f"<h1>Suivi</h1><p>{said.format(number=parcel.number, day=parcel.delivered)}</p>"
    return Made(web_page("Tracking", body), HTML, Truth(number_shown=True))


ALL = ("chronopost", "colissimo", "ups", "dhl", "dhl_express", "fedex", "dpd", "gls")
_GOOD: tuple[tuple[Callable[[Random, Parcel], Made], tuple[str, ...]], ...] = (
    (chronopost_letter, ("chronopost",)),
    (chronopost_english, ("chronopost",)),
    (chronopost_table, ("chronopost",)),
    (chronopost_unsigned, ("chronopost",)),
    (chronopost_scan, ("chronopost",)),
    (colissimo_letter, ("colissimo",)),
    (colissimo_prose, ("colissimo",)),
    (colissimo_mailbox, ("colissimo", "laposte")),
    (laposte_page, ("laposte",)),
    (ups_page, ("ups",)),
    (ups_page_received, ("ups",)),
    (ups_page_french, ("ups",)),
    (dhl_german, ("dhl",)),
    (dhl_left, ("dhl",)),
    (dhl_express_letter, ("dhl_express",)),
    (dhl_express_detail, ("dhl_express",)),
    (fedex_letter, ("fedex",)),
    (fedex_unsigned, ("fedex",)),
    (dpd_letter, ("dpd",)),
    (dpd_several, ("dpd",)),
    (dpd_photo, ("dpd",)),
    (gls_runs, ("gls",)),
    (gls_german, ("gls",)),
    (web_table, ("gls", "mondial_relay", "dhl", "dpd")),
    (web_list, ("mondial_relay", "laposte", "chronopost")),
    (turned_letter, ALL),
    (form_letter, ("colissimo", "chronopost")),
    (encrypted_letter, ("dhl_express", "gls")),
    (scan_in_pdf, ALL),
    (scan_with_a_footer, ALL),
    (poor_scan, ALL),
    (small_print, ("chronopost", "dpd", "colissimo")),
    (events_with_a_login, ("chronopost", "dpd", "colissimo")),
    (events_in_columns, ("colissimo", "laposte", "gls")),
    (attested, ("colissimo", "chronopost")),
    (four_columns, ("dhl_express", "dhl", "dpd")),
    (dim_photo, ALL),
)
_HOLLOW: tuple[tuple[Callable[[Random, Parcel], Made], tuple[str, ...]], ...] = (
    (blank_pdf, ALL),
    (footer_only, ALL),
    (framed_pdf, ALL),
    (white_picture_in_pdf, ALL),
    (framed_picture_in_pdf, ALL),
    (empty_form, ("chronopost", "dpd")),
    (form_of_fillers, ("chronopost", "dpd", "dhl")),
    (grain, ALL),
    (frame, ALL),
    (speck, ALL),
    (error_page, ALL),
    (login_page, ALL),
    (login_without_password, ALL),
    (unavailable_letter, ALL),
    (unavailable_page, ALL),
    (json_error, ALL),
    (in_transit, ALL),
)
VISIBLE = (
    *(Template(make.__name__, carriers, is_good=True, make=make) for make, carriers in _GOOD),
    *(
        Template(f"signature_{form}", ALL, is_good=True, make=signature_alone(f"image/{form}"))
        for form in ("png", "jpeg", "gif")
    ),
    *(Template(make.__name__, carriers, is_good=False, make=make) for make, carriers in _HOLLOW),
    *(
        Template(f"one_colour_{form}", ALL, is_good=False, make=one_colour(f"image/{form}"))
        for form in ("png", "jpeg", "gif")
    ),
    *(
        Template(f"anothers_{make.__name__}", carriers, is_good=False, make=anothers(make))
        for make, carriers in (
            (chronopost_letter, ("chronopost",)),
            (chronopost_table, ("chronopost",)),
            (ups_page, ("ups",)),
            (fedex_letter, ("fedex",)),
            (gls_german, ("gls",)),
            (dhl_german, ("dhl",)),
        )
    ),
)
