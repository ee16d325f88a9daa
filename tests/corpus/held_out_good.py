"""Proofs in the forms that carriers give them: what they say, not how exactly they look."""

import base64
from datetime import timedelta
from random import Random

from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

from recours.core.appraisal import EvidenceKind
from tests.corpus.drawing import (
    EMBEDDED,
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
from tests.corpus.parcels import CARRIERS, another_number, long_date


def truth_of(parcel: Parcel, *, is_signed: bool = True) -> Truth:
    """All of the parcel's facts are on the document; without a signature no signatory is."""
    return Truth(
        number_shown=True,
        signatory=parcel.signatory if is_signed else None,
        has_signature=is_signed,
        delivered=parcel.delivered,
        place=parcel.place,
    )


def on_paper(parcel: Parcel) -> Truth:
    """The same of a picture: a person can read it."""
    return Truth(
        number_shown=None,
        signatory=parcel.signatory,
        has_signature=True,
        delivered=parcel.delivered,
        place=parcel.place,
    )


# --- Letters, carrier by carrier ---


def chronopost_columns(random: Random, parcel: Parcel) -> Made:
    """Sender on the left, delivery on the right; the number in groups; account, order and phone beside it."""
    number = parcel.number
    grouped = " ".join([number[:2], number[2:5], number[5:8], number[8:]])

    def page(canvas: Canvas) -> None:
        write(canvas, 40, 790, ["Chronopost", "PREUVE DE LIVRAISON"], size=16, font="Helvetica-Bold")
        left = [
            "EXPÉDITEUR",
            "Boutique Alba",
            "12 rue des Lilas",
            "75011 PARIS",
            "Compte : 19869502",
            "Tél. 01 42 68 53 00",
        ]
        write(canvas, 40, 720, left)
        right = [
            "LIVRAISON",
            f"Colis n° {grouped if random.random() < 0.6 else number.lower()}",
            f"Livré le {parcel.delivered:%d/%m/%Y} à {parcel.delivered:%H:%M}",
            f"à {parcel.place} ({parcel.postcode})",
            f"Nom du réceptionnaire : {parcel.signatory}",
            f"Référence client : CMD-{random.randint(10000, 99999)}",
        ]
        write(canvas, 310, 720, right)
        sign(canvas, random, (320, 540, 160, 60))
        small_print = "Le service client est indisponible le dimanche. Connectez-vous sur chronopost.fr pour tout suivi."
        write(canvas, 40, 40, [small_print], size=7)

    return Made(pdf(page, compressed=random.random() < 0.5), "application/pdf", truth_of(parcel))


def colissimo_attestation(random: Random, parcel: Parcel) -> Made:
    """An attestation in prose, over several lines, with the carrier's registration numbers in the footer."""

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 780, ["La Poste - Colissimo", "Attestation de livraison"], size=15, font=EMBEDDED)
        prose = [
            f"La Poste certifie que le Colissimo n° {parcel.number}, déposé le "
            f"{parcel.delivered - timedelta(days=3):%d/%m/%Y},",
            f"a été remis le {long_date(parcel.delivered, 'fr')}",
            f"à {parcel.postcode} {parcel.place}, contre la signature de :",
            f"Signataire : {parcel.signatory}",
        ]
        write(canvas, 60, 700, prose, font=EMBEDDED)
        sign(canvas, random, (60, 520, 200, 70))
        footer = "La Poste - SA au capital de 5 620 325 816 euros - SIRET 356 000 000 00048 - N° client 900 123 456"
        write(canvas, 60, 40, [footer], size=6, font=EMBEDDED)

    return Made(pdf(page), "application/pdf", truth_of(parcel))


def contactless(random: Random, parcel: Parcel) -> Made:
    """Left without contact: no signature, and words of an error and of a missing signature in a good letter."""
    texts = {
        "fr": [
            f"Envoi : {parcel.number}",
            f"Date de livraison : {parcel.delivered:%d.%m.%Y} {parcel.delivered:%H:%M}",
            f"Lieu de livraison : {parcel.postcode} {parcel.place}",
            "Signature non disponible : remise sans contact, en boîte aux lettres.",
            "Historique : erreur d'adresse corrigée par nos services ; colis livré.",
        ],
        "en": [
            f"Shipment: {parcel.number}",
            f"Delivery date: {parcel.delivered:%Y-%m-%d} {parcel.delivered:%H:%M}",
            f"Delivered at: {parcel.place}",
            "Signature not available: contactless delivery, left at front door.",
            "History: address error corrected; delivered.",
        ],
        "de": [
            f"Sendung: {parcel.number}",
            f"Zugestellt am: {parcel.delivered:%d.%m.%Y} um {parcel.delivered:%H:%M} Uhr",
            f"Zustellort: {parcel.postcode} {parcel.place}",
            "Unterschrift nicht verfügbar: kontaktlose Zustellung in den Briefkasten.",
            "Verlauf: fehlerhafte Anschrift korrigiert; Sendung zugestellt.",
        ],
    }
    lines = texts[random.choice(["fr", "en", "de"])]

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 380, lines, size=11, font=random.choice(["Helvetica", EMBEDDED]))

    return Made(pdf(page, size=(595, 420)), "application/pdf", truth_of(parcel, is_signed=False))


def ups_notification(random: Random, parcel: Parcel) -> Made:
    """The loose web page of the tracking interface: unclosed tags, a logo that is not there, the number in groups."""
    number = parcel.number
    if random.random() < 0.5:
        number = " ".join([number[:2], number[2:5], number[5:8], number[8:10], number[10:14], number[14:]])
    rows = random.choice(
        [
            [
                ("Tracking Number:", number),
                ("Service:", "UPS Standard"),
                ("Delivered on:", f"{long_date(parcel.delivered, 'en')}"),
                ("Delivered to:", f"{parcel.place}, FR"),
                ("Received by:", parcel.signatory),
            ],
            [
                ("Num&eacute;ro de suivi :", number),
                ("Livr&eacute; le :", f"{parcel.delivered:%d/%m/%Y %H:%M}"),
                ("Livr&eacute; &agrave; :", f"{parcel.place}, FR"),
                ("Re&ccedil;u par :", parcel.signatory),
            ],
        ]
    )
    body = "<IMG SRC='./ups_logo.gif'><H3>Delivery Notification</H3><TABLE BORDER=0>" + "".join(
        f"<TR><TD NOWRAP><B>{label}</B>&nbsp;<TD>{value}" for label, value in rows
    )
    note = "<P>Tracking results provided by UPS. Errors and omissions excepted. Log in to My Choice to see more.</HTML>"
    content = f"<HTML><HEAD><TITLE>Delivery Notification</TITLE><BODY>{body}</TABLE>{note}".encode()
    return Made(content, "text/html", truth_of(parcel))


def ups_letter(random: Random, parcel: Parcel) -> Made:
    """The letter of the website: labels above their values, dates with the month first, a shipper's number."""
    twelve = f"{parcel.delivered:%m/%d/%Y} {(parcel.delivered.hour - 1) % 12 + 1}:{parcel.delivered:%M}"
    half = "A.M." if parcel.delivered.hour < 12 else "P.M."

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 780, ["Proof of Delivery"], size=18)
        intro = ["Dear Customer,", "This notice serves as proof of delivery for the shipment listed below."]
        write(canvas, 50, 740, intro)
        pairs = (
            ("Tracking Number", parcel.number),
            ("Service", "UPS Express Saver"),
            ("Delivered On", f"{twelve} {half}"),
            ("Delivered To", f"{parcel.place}, FR"),
            ("Received By", parcel.signatory),
            ("Left At", "Reception"),
            ("Reference Number(s)", f"PO{random.randint(100000, 999999)}, {random.randint(10**9, 10**10)}"),
        )
        y = 690.0
        for label, value in pairs:
            write(canvas, 50, y, [label], size=8, font="Helvetica-Bold")
            write(canvas, 50, y - 13, [value])
            y -= 34
        closing = [
            "Thank you for giving us this opportunity to serve you.",
            "Tracking details are available for 120 days.",
        ]
        write(canvas, 50, y - 20, closing, size=9)

    truth = Truth(
        number_shown=True, signatory=parcel.signatory, delivered=parcel.delivered, place=parcel.place
    )
    return Made(pdf(page), "application/pdf", truth)


def dhl_summary(random: Random, parcel: Parcel) -> Made:
    """The electronic proof of an express shipment: a sentence, then details; piece numbers beside the waybill's."""

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 790, ["DHL Express", "Proof of Delivery"], size=16)
        sentence = f"Your shipment {parcel.number} was delivered on {long_date(parcel.delivered, 'en')}"
        write(canvas, 50, 735, [sentence], size=11)
        rows = [
            ("Signed", parcel.signatory, "Destination Service Area", f"{parcel.place}, FR"),
            ("Shipment Status", "Delivered", "Account", str(random.randint(10**8, 10**9 - 1))),
            ("Piece ID(s)", f"JD0146{random.randint(10**10, 10**11 - 1)}", "Pieces", "2"),
            ("", f"JD0146{random.randint(10**10, 10**11 - 1)}", "Weight", "3.2 kg"),
        ]
        table(canvas, 50, 690, rows, (90, 150, 130, 120))
        place(canvas, signature(random), (60, 480, 150, 60))

    return Made(pdf(page), "application/pdf", truth_of(parcel))


def overlaid_form(random: Random, parcel: Parcel) -> Made:
    """A form whose labels a program drew first and whose values it drew over them: no value follows its label."""
    labels = ("Waybill number", "Delivery date", "Time", "Signed by", "City")
    values = (
        parcel.number,
        f"{parcel.delivered:%d-%m-%Y}",
        f"{parcel.delivered:%H:%M}",
        parcel.signatory,
        parcel.place,
    )

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 780, ["PROOF OF DELIVERY"], size=16)
        for row, label in enumerate(labels):
            write(canvas, 50, 720 - 24 * row, [f"{label}:"], font="Helvetica-Bold")
        for row, value in enumerate(values):
            write(canvas, 200, 720 - 24 * row, [value])
        sign(canvas, random, (200, 500, 150, 60))

    return Made(pdf(page), "application/pdf", truth_of(parcel))


def german_receipt(random: Random, parcel: Parcel) -> Made:
    """A German record of delivery, on a page that a viewer turns, encrypted without a password."""

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 760, ["Ablieferungsnachweis"], size=17, font=EMBEDDED)
        lines = [
            f"Sendungsnummer: {parcel.number}",
            f"Auftragsnummer: {random.randint(10**9, 10**10 - 1)}   Kundennummer: 50{random.randint(10**7, 10**8 - 1)}",
            f"Zugestellt am {long_date(parcel.delivered, 'de')}",
            f"Ort: {parcel.postcode} {parcel.place}",
            f"Übergeben an: {parcel.signatory}",
            "Unterschrift des Empfängers:",
        ]
        write(canvas, 50, 700, lines, font=EMBEDDED)
        place(canvas, signature(random), (60, 520, 150, 60))

    content = pdf(page, turned=random.choice([90, 180, 270]), encrypted=random.random() < 0.5)
    return Made(content, "application/pdf", truth_of(parcel))


def fedex_pairs(random: Random, parcel: Parcel) -> Made:
    """The signed letter: two pairs of label and value in a line; the number stands in the sentence and in the table."""

    def page(canvas: Canvas) -> None:
        today = parcel.delivered + timedelta(days=11)
        write(canvas, 50, 790, [f"{today:%d}/{today:%m}/{today.year}", "Dear Customer,"])
        opening = "The following is the proof-of-delivery for tracking number:"
        write_runs(canvas, 50, 745, [opening, " ", parcel.number], size=11)
        rows = [
            ("Status:", "Delivered", "Delivered To:", "Receptionist/Front Desk"),
            ("Signed for by:", parcel.signatory, "Delivery Location:", parcel.place),
            (
                "Service type:",
                "FedEx International Priority",
                "Delivery date:",
                long_date(parcel.delivered, "en"),
            ),
        ]
        write(canvas, 50, 715, ["Delivery Information:"], font="Helvetica-Bold")
        spread(canvas, 695, rows)
        shipping = [
            (
                "Tracking number:",
                parcel.number,
                "Ship Date:",
                f"{parcel.delivered - timedelta(days=4):%m/%d/%Y}",
            )
        ]
        write(canvas, 50, 620, ["Shipping Information:"], font="Helvetica-Bold")
        spread(canvas, 600, shipping)
        write(
            canvas,
            50,
            560,
            [
                "Recipient: LYON, FR",
                "Shipper: BOSTON, MA, US",
                f"Purchase Order {random.randint(10**7, 10**8)}",
            ],
        )
        place(canvas, signature(random), (50, 420, 160, 60))

    return Made(pdf(page), "application/pdf", truth_of(parcel))


def fedex_signature_waived(random: Random, parcel: Parcel) -> Made:
    """The letter of a shipment that needed no signature, and says so at length."""

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 790, ["Dear Customer,"])
        write_runs(
            canvas, 50, 760, ["The following is the proof-of-delivery for tracking number: ", parcel.number]
        )
        rows = [
            ("Status:", "Delivered", "Delivered To:", "Residence"),
            ("Signed for by:", "Signature not required", "Delivery Location:", parcel.place),
            ("Service type:", "FedEx Ground", "Delivery date:", long_date(parcel.delivered, "en")),
        ]
        spread(canvas, 720, rows)
        notes = [
            "Proof-of-delivery details appear below; however, no signature is available for this shipment",
            "because a signature was not required. Thank you for choosing FedEx.",
        ]
        write(canvas, 50, 640, notes, size=9)

    return Made(pdf(page), "application/pdf", truth_of(parcel, is_signed=False))


def dpd_shipment(random: Random, parcel: Parcel) -> Made:
    """All parcels of one shipment in a table, ours among them, in any row."""
    numbers = [parcel.number, *(another_number(random, parcel.carrier, parcel.number) for _ in range(3))]
    random.shuffle(numbers)

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 790, ["DPD France - Relevé de livraison"], size=14)
        rows = [("N° de colis", "Date", "Heure", "Statut", "Reçu par")]
        at = parcel.delivered
        rows += [
            (number, f"{at:%d.%m.%Y}", f"{at:%H:%M}", "Colis livré", parcel.signatory) for number in numbers
        ]
        table(canvas, 50, 740, rows, (140, 80, 60, 90, 120))
        lines = [
            f"Lieu de livraison : {parcel.postcode} {parcel.place}",
            f"Référence : {random.randint(10**7, 10**8)}",
        ]
        write(canvas, 50, 600, lines)
        place(canvas, signature(random), (50, 480, 150, 60))

    return Made(pdf(page), "application/pdf", truth_of(parcel))


def gls_split(random: Random, parcel: Parcel) -> Made:
    """Three languages in each label; the number drawn sign by sign, or in pieces, under bars."""
    number = parcel.number
    piece = random.choice([1, 3, 5])
    runs = [number[at : at + piece] for at in range(0, len(number), piece)]

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 380, ["GLS", "Zustellnachweis / Proof of delivery / Preuve de livraison"], size=12)
        for bar in range(60):
            canvas.rect(50 + bar * 3, 290, random.choice([1, 2]), 40, stroke=0, fill=1)
        write_runs(canvas, 50, 275, runs, size=11, font=EMBEDDED)
        lines = [
            f"Datum / Date: {parcel.delivered:%d.%m.%Y}  Zeit / Time / Heure: {parcel.delivered:%H:%M}",
            f"Empfangen von / Received by / Reçu par: {parcel.signatory}",
            f"Ort / Place / Lieu: {parcel.postcode} {parcel.place}",
        ]
        write(canvas, 50, 240, lines, font=EMBEDDED)
        place(canvas, signature(random), (50, 90, 150, 60))

    return Made(pdf(page, size=(595, 420)), "application/pdf", truth_of(parcel))


def relay_record(random: Random, parcel: Parcel) -> Made:
    """The public tracking page of a delivered parcel, saved by hand: a menu with a login, events, opening hours."""
    at = parcel.delivered
    events = (
        (at, "Colis livré au destinataire"),
        (at - timedelta(hours=27), "Colis disponible au Point Relais"),
        (at - timedelta(hours=49), "Prise en charge en agence"),
    )
    rows = "".join(
        f"<tr><td>{when:%d/%m/%y}<td>{when:%H:%M}<td>{text}<td>{parcel.place}" for when, text in events
    )
    body = (
        "<nav><a href=/connexion>Se connecter</a> <a>Mon compte</a> <a>Aide</a></nav>"
        f"<h1>Suivi de colis</h1><p>Expédition <b>{parcel.number}</b></p><p>Statut : livré</p><table>{rows}</table>"
        "<p>Le point relais est fermé le dimanche. Une erreur&nbsp;? Contactez-nous.</p>"
        "<form><input name=q placeholder='Numéro de colis'><button>Rechercher</button></form>"
        "<footer>Ce site utilise des cookies. Service client momentanément indisponible le 15 août.</footer>"
    )
    return Made(web_page("Suivi de colis", body), "text/html", truth_of(parcel, is_signed=False))


def printed_tracking(random: Random, parcel: Parcel) -> Made:
    """A tracking page that somebody printed: the browser's lines above and below, events newest first, two pages."""
    at = parcel.delivered
    printed = at + timedelta(days=random.randint(3, 30))

    def browser(canvas: Canvas, number: int) -> None:
        write(canvas, 30, 820, [f"{printed:%d/%m/%Y %H:%M}   Suivre un envoi - La Poste"], size=7)
        write(
            canvas,
            30,
            20,
            [f"https://www.laposte.fr/outils/suivre-vos-envois?code={parcel.number}   {number}/2"],
            size=7,
        )

    def first(canvas: Canvas) -> None:
        browser(canvas, 1)
        write(canvas, 50, 770, [f"Votre envoi n° {parcel.number}"], size=15)
        events = [
            f"{long_date(at, 'fr')} : Votre envoi est livré. {parcel.place}",
            f"{long_date(at - timedelta(hours=5), 'fr')} : En cours de livraison. {parcel.place}",
            f"{long_date(at - timedelta(hours=29), 'fr')} : Votre envoi n'a pas pu être livré : destinataire absent.",
            f"{long_date(at - timedelta(hours=77), 'fr')} : Pris en charge. ROISSY",
        ]
        write(canvas, 50, 720, events)

    def second(canvas: Canvas) -> None:
        browser(canvas, 2)
        write(
            canvas,
            50,
            770,
            ["Identifiez-vous", "Page d'aide", "Informations sur les cookies", "Accessibilité"],
        )

    return Made(pdf(first, second), "application/pdf", truth_of(parcel, is_signed=False))


def page_with_picture(random: Random, parcel: Parcel) -> Made:
    """A web page with the signature in it as data, and its facts in a list of terms; many carriers' portals do so."""
    data = base64.b64encode(encoded(signature(random), "image/png")).decode()
    labels = random.choice(
        [
            ("Livraison effectuée", "Numéro d'envoi", "Livré le", "Signé par", "Ville"),
            ("Delivered", "Tracking ID", "Delivery date", "Signed by", "City"),
            ("Zugestellt", "Paketnummer", "Zustelldatum", "Unterschrieben von", "Stadt"),
        ]
    )
    number = parcel.number if random.random() < 0.5 else "<wbr>".join([parcel.number[:4], parcel.number[4:]])
    values = (number, f"{parcel.delivered:%d.%m.%Y %H:%M}", parcel.signatory, parcel.place)
    terms = "".join(
        f"<dt>{label}</dt><dd>{value}</dd>" for label, value in zip(labels[1:], values, strict=True)
    )
    body = f"<main><h1>{labels[0]}</h1><dl>{terms}</dl><img alt='' src='data:image/png;base64,{data}'></main>"
    return Made(web_page(labels[0], body), "text/html", truth_of(parcel))


def spread(canvas: Canvas, y: float, rows: list[tuple[str, str, str, str]]) -> None:
    """Pairs of label and value, two in a line, without rules."""
    for row in rows:
        for x, text in zip((50, 130, 300, 400), row, strict=True):
            write(canvas, x, y, [text], size=9)
        y -= 18


# --- Pictures ---


def signature(random: Random) -> Image.Image:
    """A signature alone, as a driver's device stores it."""
    sheet = paper((300, 120))
    sign_on(sheet, random, (15, 10, 270, 100))
    return sheet


def delivery_note(random: Random, parcel: Parcel) -> Image.Image:
    """A printed delivery note, filled in and signed by hand."""
    sheet = paper((620, 440), 250)
    ImageDraw.Draw(sheet).rectangle((20, 20, 600, 420), outline=90, width=2)
    lines = [
        "BON DE LIVRAISON",
        f"Colis {parcel.number}",
        f"Le {parcel.delivered:%d/%m/%Y %H:%M}, {parcel.place}",
        f"Reçu par {parcel.signatory}",
    ]
    print_on(sheet, 45, 45, lines, size=20)
    sign_on(sheet, random, (60, 240, 300, 130))
    return sheet


def scanned_letter(random: Random, parcel: Parcel) -> Made:
    """A PDF whose page is the scan of a signed delivery note: grey or, as by fax, in black and white."""
    sheet = scanned(delivery_note(random, parcel), random, skew=random.choice([0.5, 3]))
    if random.random() < 0.5:
        sheet = sheet.point(lambda shade: 255 if shade > 150 else 0).convert("1")
    content = pdf(lambda canvas: place(canvas, sheet, (0, 0, *A5)), size=A5, turned=random.choice([0, 90]))
    return Made(content, "application/pdf", on_paper(parcel))


def poor_photo(random: Random, parcel: Parcel) -> Made:
    """A phone's picture of a delivery note: dark, askew, blurred, grainy, and compressed until it hurts."""
    sheet = delivery_note(random, parcel).point(lambda shade: shade * 6 // 10 + 20)
    sheet = scanned(sheet, random, skew=8, noise=35, blur=1.6)
    return Made(
        encoded(sheet, "image/jpeg", quality=random.choice([8, 15, 25])), "image/jpeg", on_paper(parcel)
    )


def drawn_signature(random: Random, parcel: Parcel) -> Made:
    """A signature image: dark or faint, small, with little ink, or black on nothing, as a web page's canvas saves it."""
    kind = random.choice(["dark", "faint", "initials", "transparent"])
    truth = Truth(number_shown=None, has_signature=True)
    if kind == "transparent":
        ink = signature(random).point(lambda shade: 255 - shade)
        picture = Image.new("RGBA", ink.size, (0, 0, 0, 0))
        picture.putalpha(ink)
        return Made(encoded(picture, "image/png"), "image/png", truth, EvidenceKind.SIGNATURE)
    sheet = paper((120, 48)) if kind == "initials" else paper((300, 120))
    if kind == "initials":
        ImageDraw.Draw(sheet).line([(40, 35), (52, 12), (60, 33), (70, 15)], fill=0, width=2)
    else:
        sign_on(sheet, random, (20, 15, 240, 90), ink=150 if kind == "faint" else 10)
    media_type = random.choice(["image/png", "image/gif", "image/jpeg"])
    return Made(encoded(sheet, media_type, quality=80), media_type, truth, EvidenceKind.SIGNATURE)


def parcel_photo(random: Random, parcel: Parcel) -> Made:
    """A parcel before a door, in poor light."""
    picture = (
        Image.linear_gradient("L").resize((400, 300)).point(lambda light: 60 + light // 3).convert("RGB")
    )
    draw = ImageDraw.Draw(picture)
    draw.rectangle((130, 0, 270, 220), fill=(90, 60, 40))
    left = random.randint(90, 220)
    draw.rectangle((left, 170, left + 110, 260), fill=(170, 130, 80), outline=(120, 90, 50))
    draw.rectangle((left + 20, 190, left + 70, 215), fill=(225, 225, 220))
    content = encoded(picture, "image/jpeg", quality=30)
    return Made(content, "image/jpeg", Truth(number_shown=None), EvidenceKind.PHOTO)


LETTERS = (
    (chronopost_columns, ("chronopost",)),
    (colissimo_attestation, ("colissimo",)),
    (contactless, CARRIERS),
    (ups_notification, ("ups",)),
    (ups_letter, ("ups",)),
    (dhl_summary, ("dhl_express",)),
    (overlaid_form, ("dhl_express", "gls")),
    (german_receipt, ("dhl", "gls")),
    (fedex_pairs, ("fedex",)),
    (fedex_signature_waived, ("fedex",)),
    (dpd_shipment, ("dpd",)),
    (gls_split, ("gls",)),
    (relay_record, ("mondial_relay",)),
    (printed_tracking, ("laposte", "colissimo")),
    (page_with_picture, ("dpd", "dhl", "colissimo", "chronopost")),
)
PICTURES = (scanned_letter, poor_photo, drawn_signature, parcel_photo)
GOOD = (
    *(Template(make.__name__, carriers, is_good=True, make=make) for make, carriers in LETTERS),
    *(Template(make.__name__, CARRIERS, is_good=True, make=make) for make in PICTURES),
)
