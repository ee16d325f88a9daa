"""Documents that prove nothing, as portals and services of carriers send them in the place of a proof."""

import json
from datetime import timedelta
from random import Random
from string import digits

from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A4, A5
from reportlab.pdfgen.canvas import Canvas

from tests.corpus.drawing import (
    EMBEDDED,
    Page,
    add_noise,
    encoded,
    paper,
    pdf,
    place,
    scanned,
    sign,
    table,
    web_page,
    write,
)
from tests.corpus.model import Made, Parcel, Template, Truth
from tests.corpus.parcels import CARRIERS, NAMES, long_date

NOTHING = Truth(number_shown=False)
UNREADABLE = Truth(number_shown=None)
HOUSES = NAMES | {"dpd": "DPD France"}


# --- Pages that say nothing ---


def page_number_only(random: Random, parcel: Parcel) -> Made:
    """An empty report: at most a frame, a rule, the page's number and a print date; the title may name the parcel."""
    pages = random.randint(1, 3)
    has_frame, has_rule = random.random() < 0.5, random.random() < 0.5
    label = random.choice(["{} / {}", "Page {} sur {}", "Page {} of {}", "Seite {} von {}", "- {} -"])
    printed = random.choice(["", f"{parcel.delivered + timedelta(days=9):%d/%m/%Y}"])

    def page(number: int) -> Page:
        def draw(canvas: Canvas) -> None:
            if has_frame:
                canvas.rect(30, 30, 535, 780)
            if has_rule:
                canvas.line(40, 60, 555, 60)
            write(canvas, 270, 40, [label.format(number, pages)], size=8)
            write(canvas, 480, 815, [printed], size=8)

        return draw

    title = random.choice(["", f"Proof of delivery {parcel.number}"])
    content = pdf(*map(page, range(1, pages + 1)), compressed=random.random() < 0.5, title=title)
    return Made(content, "application/pdf", NOTHING)


def letterhead_only(random: Random, parcel: Parcel) -> Made:
    """The carrier's letterhead and its legal footer, with no letter between them."""
    house = HOUSES[parcel.carrier]
    colour = random.choice([(0.8, 0.1, 0.1), (0.1, 0.2, 0.6), (1, 0.8, 0)])
    footer = random.choice(
        [
            f"{house} SAS au capital de 15 000 000 euros - RCS Paris 383 960 135 - TVA FR 10 383960135",
            f"{house} GmbH, Amtsgericht Bonn HRB 12345 - USt-IdNr. DE 812 345 678 - Tel. 0228 4333112",
            f"{house} Ltd. Registered in England no. 01234567 - VAT GB 123 4567 89 - Tel. +44 20 7946 0958",
        ]
    )

    def page(canvas: Canvas) -> None:
        canvas.setFillColorRGB(*colour)
        canvas.rect(0, 780, 595, 62, stroke=0, fill=1)
        canvas.setFillColorRGB(1, 1, 1)
        write(canvas, 40, 800, [house], size=22, font="Helvetica-Bold")
        canvas.setFillColorRGB(0, 0, 0)
        write(
            canvas,
            40,
            755,
            [random.choice(["Preuve de livraison", "Proof of delivery", "Zustellnachweis"])],
            size=14,
        )
        canvas.line(40, 50, 555, 50)
        write(canvas, 40, 38, [footer], size=7, font=EMBEDDED)

    return Made(pdf(page), "application/pdf", NOTHING)


EMPTY_FORMS = (
    ("Preuve de livraison", ("Numéro de colis", "Livré le", "Nom du réceptionnaire", "Lieu", "Signature")),
    ("Proof of delivery", ("Tracking number", "Delivered on", "Received by", "Left at", "Signature")),
    ("Zustellnachweis", ("Sendungsnummer", "Zugestellt am", "Empfänger", "Ort", "Unterschrift")),
)


def unfilled_form(random: Random, parcel: Parcel) -> Made:
    """The form of a proof whose fields nobody filled in: a ruled table, lines of dots, or colons."""
    title, labels = random.choice(EMPTY_FORMS)
    filler = random.choice(
        [None, " : ", " : ........................", " : -", " : null", " : N/A", ": __________"]
    )

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 760, [HOUSES[parcel.carrier], title], size=15)
        if filler is None:
            table(canvas, 60, 680, [(label, "") for label in labels], (180, 280), size=10)
        else:
            write(canvas, 60, 680, [label + filler for label in labels], size=11)

    return Made(pdf(page), "application/pdf", NOTHING)


# --- Refusals ---

REFUSALS = (
    (
        "Madame, Monsieur,",
        "Vous avez demandé la preuve de livraison du colis {number}.",
        "Nous sommes au regret de vous informer que ce document n'est pas disponible.",
        "Vous pouvez renouveler votre demande à partir du {later}.",
    ),
    (
        "Bonjour,",
        "Votre demande porte sur l'envoi n° {number}.",
        "Aucune preuve de livraison n'a été trouvée pour cet envoi.",
        "Veuillez agréer nos salutations distinguées. {place}, le {later}",
    ),
    (
        "Dear Customer,",
        "Proof of delivery for tracking number {number} is not available.",
        "We could not find a signature record for this shipment. Please try again after {later}.",
        "Thank you for choosing our services.",
    ),
    (
        "Dear Sir or Madam,",
        "You requested a document for shipment {number} on {later}.",
        "The requested document could not be retrieved.",
        "Yours faithfully, Customer Service, {place}",
    ),
    (
        "Sehr geehrte Damen und Herren,",
        "zu Ihrer Sendung {number} liegt kein Zustellnachweis vor.",
        "Das Dokument ist leider nicht verfügbar. Bitte versuchen Sie es ab dem {later} erneut.",
        "Mit freundlichen Grüßen, Ihr Kundenservice",
    ),
)


def refusal_letter(random: Random, parcel: Parcel) -> Made:
    """A letter, or a page, on the carrier's paper that names our parcel and says that there is no document."""
    later = parcel.delivered + timedelta(days=random.randint(2, 20))
    lines = [
        line.format(number=parcel.number, place=parcel.place.title(), later=f"{later:%d/%m/%Y}")
        for line in random.choice(REFUSALS)
    ]
    house = HOUSES[parcel.carrier]
    if random.random() < 0.3:
        content = web_page(house, f"<h1>{house}</h1>" + "".join(f"<p>{line}</p>" for line in lines))
        return Made(content, "text/html", Truth(number_shown=True))

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 790, [house], size=20, font="Helvetica-Bold")
        write(canvas, 50, 700, lines, size=11, font=random.choice(["Times-Roman", EMBEDDED]))

    return Made(pdf(page, compressed=random.random() < 0.7), "application/pdf", Truth(number_shown=True))


WAITS = (
    (
        "Suivi de votre colis {number}",
        "Votre colis est en cours d'acheminement.",
        "La preuve de livraison n'est pas encore disponible.",
        ("Colis trié sur la plateforme de départ", "Colis pris en charge"),
    ),
    (
        "Shipment {number}",
        "On the way. Estimated delivery: end of day.",
        "Proof of delivery will be available once the shipment has been delivered.",
        ("Departed from facility", "Picked up"),
    ),
    (
        "Sendung {number}",
        "Die Sendung ist unterwegs.",
        "Der Zustellnachweis steht noch nicht zur Verfügung.",
        ("Im Paketzentrum bearbeitet", "Vom Absender angekündigt"),
    ),
)


def not_yet_delivered(random: Random, parcel: Parcel) -> Made:
    """The tracking page of our parcel, still under way, in the place of its proof."""
    heading, status, note, events = random.choice(WAITS)
    earlier = [parcel.delivered - timedelta(hours=hours) for hours in (20, 41)]
    rows = [(f"{at:%d/%m/%Y %H:%M}", parcel.place, event) for at, event in zip(earlier, events, strict=True)]
    heading = heading.format(number=parcel.number)
    if random.random() < 0.5:
        cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        content = web_page(heading, f"<h1>{heading}</h1><p>{status}</p><p>{note}</p><table>{cells}</table>")
        return Made(content, "text/html", Truth(number_shown=True))

    def page(canvas: Canvas) -> None:
        write(canvas, 50, 780, [heading], size=16)
        write(canvas, 50, 740, [status, note], size=11)
        table(canvas, 50, 690, rows, (110, 130, 240))

    return Made(pdf(page), "application/pdf", Truth(number_shown=True))


# --- Errors ---

OUTAGES = (
    ("Session expirée", "Votre session a expiré. Veuillez vous reconnecter pour accéder à vos documents."),
    ("Session expired", "Your session has timed out due to inactivity. Sign in again to continue."),
    ("Sitzung abgelaufen", "Ihre Sitzung ist abgelaufen. Bitte melden Sie sich erneut an."),
    (
        "Service momentanément indisponible",
        "Nous mettons tout en œuvre pour rétablir le service au plus vite.",
    ),
    (
        "Maintenance en cours",
        "Nos services sont en maintenance du samedi 22h00 au dimanche 06h00. Revenez plus tard.",
    ),
    ("Wartungsarbeiten", "Diese Seite steht wegen Wartungsarbeiten vorübergehend nicht zur Verfügung."),
    (
        "We'll be back soon",
        "Our tracking portal is down for scheduled maintenance. Thank you for your patience.",
    ),
    (
        "Une erreur est survenue",
        "Une erreur technique empêche l'affichage du document. Référence : 7f3a9c21-55e0.",
    ),
    (
        "Oops! Something went wrong",
        "We are unable to process your request at this time. Reference #18.2d4f1702.",
    ),
    ("Aucun document", "Aucun document ne correspond à votre recherche."),
    (
        "Trop de requêtes",
        "Vous avez dépassé le nombre de consultations autorisées. Réessayez dans quelques minutes.",
    ),
    ("502 Bad Gateway", "nginx/1.24.0"),
    (
        "404 Not Found",
        "The requested URL was not found on this server. Apache/2.4.57 (Debian) Server Port 443",
    ),
    (
        "HTTP Status 500 – Internal Server Error",
        "Type Exception Report. java.lang.NullPointerException at PodServlet.doGet",
    ),
    ("Accès refusé", "Vous n'avez pas les droits nécessaires pour consulter cette page."),
    ("Zugriff verweigert", "Sie sind nicht berechtigt, dieses Dokument anzuzeigen. Vorgang 4711-20813344."),
)
MENU = (
    "Accueil", "Suivre un colis", "Preuve de livraison", "Envoyer", "Trouver un point relais", "Livré aujourd'hui",
    "Aide et contact", "Professionnels", "Signature électronique", "Carrières", "Mentions légales",
)  # fmt: skip


def outage(random: Random, parcel: Parcel) -> Made:
    """A page of the portal or of the server before it that reports an error; it may have the portal's whole menu."""
    title, text = random.choice(OUTAGES)
    house = HOUSES[parcel.carrier]
    if random.random() < 0.35:

        def page(canvas: Canvas) -> None:
            write(canvas, 60, 760, [title], size=18)
            write(canvas, 60, 715, [text], size=9)
            write(canvas, 60, 40, [f"© 2026 {house}"], size=7)

        return Made(pdf(page), "application/pdf", NOTHING)
    menu = (
        "".join(f"<li><a href='/{n}'>{entry}</a></li>" for n, entry in enumerate(MENU))
        if random.random() < 0.6
        else ""
    )
    script = f"<script>var parcel = '{parcel.number}'; render(parcel);</script>"
    body = f"<ul>{menu}</ul><h1>{title}</h1><p>{text}</p>{script}<footer>© 2026 {house}</footer>"
    return Made(web_page(f"{house} - {title}", body), "text/html", NOTHING)


def api_error(random: Random, parcel: Parcel) -> Made:
    """An interface's error in JSON or XML, in a web page or rendered as a document."""
    answers = (
        {
            "status": "404",
            "title": "No data found",
            "detail": f"No ePOD for {parcel.number}",
            "additionalDetails": [],
        },
        {"errorCode": "003", "errorLabel": "DOCUMENT NOT FOUND", "cab": parcel.number},
        {"response": {"errors": [{"code": "250002", "message": "Invalid Authentication Information."}]}},
        {
            "fault": {
                "faultstring": "Rate limit quota violation.",
                "detail": {"errorcode": "policies.QuotaViolation"},
            }
        },
        {
            "timestamp": f"{parcel.delivered:%Y-%m-%dT%H:%M:%S}",
            "error": "Internal Server Error",
            "path": "/pod",
        },
    )
    answer = random.choice(answers)
    text = json.dumps(answer, indent=random.choice([None, 2]))
    if random.random() < 0.25:
        text = (
            "<soap:Fault><faultcode>soap:Server</faultcode>\n"
            f"<faultstring>Unmarshalling Error: {parcel.number}</faultstring></soap:Fault>"
        )
    truth = Truth(number_shown=parcel.number in text)
    if random.random() < 0.5:
        escaped = text.replace("<", "&lt;")
        return Made(web_page("", f"<pre>{escaped}</pre>"), "text/html", truth)
    lines = [line[at : at + 90] for line in text.splitlines() for at in range(0, len(line), 90)]
    content = pdf(lambda canvas: write(canvas, 40, 790, lines, size=9, font="Courier"))
    return Made(content, "application/pdf", truth)


# --- Doors ---

SIGN_INS = (
    (
        "Identification",
        "Connectez-vous à votre espace client pour consulter la preuve de livraison.",
        "Mot de passe oublié ?",
    ),
    (
        "Sign in",
        "Enter your user ID to view the proof of delivery for your shipment.",
        "Forgot your password?",
    ),
    ("Anmelden", "Bitte melden Sie sich an, um den Zustellnachweis abzurufen.", "Passwort vergessen?"),
)


def sign_in(random: Random, parcel: Parcel) -> Made:
    """A login form: with a password field, with the address alone first, or with buttons of identity providers."""
    title, text, forgotten = random.choice(SIGN_INS)
    form = random.choice(
        [
            f"<input name=login><input type=password name=pw><a href=/reset>{forgotten}</a>",
            "<label>E-mail <input type=email name=loginfmt></label><button>OK</button>",
            "<button>Microsoft</button><button>Google</button><a href=/saml/start>SSO</a>",
            f"<INPUT NAME=user><INPUT TYPE='PASSWORD' NAME=secret><p>{forgotten}</p>",
        ]
    )
    target = f"<input type=hidden name=next value='/pod?number={parcel.number}'>"
    body = f"<h2>{HOUSES[parcel.carrier]}</h2><h1>{title}</h1><p>{text}</p><form method=post>{target}{form}</form>"
    return Made(web_page(f"{title} | {HOUSES[parcel.carrier]}", body), "text/html", NOTHING)


WALLS = (
    (
        "Respect de votre vie privée",
        "Nous et nos 214 partenaires utilisons des cookies. Tout accepter. Tout refuser. Paramétrer.",
    ),
    (
        "We value your privacy",
        "We use cookies to improve your experience on our site. Accept all. Reject all. Manage choices.",
    ),
    (
        "Wir verwenden Cookies",
        "Sie können Ihre Einwilligung jederzeit widerrufen. Alle akzeptieren. Nur notwendige Cookies.",
    ),
    (
        "Just a moment...",
        "Checking your browser before accessing the site. Ray ID: 8b1c2d3e4f5a6b7c. Enable cookies.",
    ),
    ("Vérification de sécurité", "Confirmez que vous êtes un humain. Recopiez les caractères de l'image."),
    ("Sicherheitsabfrage", "Bitte bestätigen Sie, dass Sie kein Roboter sind."),
    ("Attention Required!", "Please complete the security check. Pardon our interruption."),
    ("Chargement", "<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"),
    (
        "Redirection",
        "Vous allez être redirigé. <a href='https://login.example'>Cliquez ici</a> si rien ne se passe.",
    ),
    ("Loading", "<div class=spinner></div><p>Please wait while we load your document...</p>"),
)


def wall(random: Random, parcel: Parcel) -> Made:
    """What stands before a page: consent to cookies, a test for humans, a redirect, an application that never started."""
    title, text = random.choice(WALLS)
    refresh = (
        f'<meta http-equiv="refresh" content="0;url=/pod/{parcel.number}">' if random.random() < 0.5 else ""
    )
    style = (
        "<style>.signature { display: none } .delivered-on { color: #0a0 }</style>"
        if random.random() < 0.5
        else ""
    )
    return Made(web_page(title, f"<h1>{title}</h1><p>{text}</p>", refresh + style), "text/html", NOTHING)


# --- Another parcel ---


def other_letter(random: Random, parcel: Parcel) -> Made:
    """A complete proof, signed, of another parcel than the one asked about."""
    title, labels = random.choice(EMPTY_FORMS)
    values = (
        parcel.other_number,
        long_date(parcel.delivered, random.choice(["fr", "en", "de"])),
        parcel.signatory,
        f"{parcel.postcode} {parcel.place}",
    )
    rows = list(zip(labels, values, strict=False))

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 760, [HOUSES[parcel.carrier], title], size=15)
        if random.random() < 0.5:
            table(canvas, 60, 690, rows, (160, 240), size=10)
        else:
            write(canvas, 60, 680, [f"{label} : {value}" for label, value in rows], font=EMBEDDED)
        sign(canvas, random, (80, 460, 160, 60))

    truth = Truth(
        number_shown=False,
        signatory=parcel.signatory,
        has_signature=True,
        delivered=parcel.delivered,
        place=parcel.place,
    )
    return Made(pdf(page, turned=random.choice([0, 0, 90])), "application/pdf", truth)


def other_page(random: Random, parcel: Parcel) -> Made:
    """The same as a web page; the number differs from ours in one place or everywhere."""
    replaced = random.choice([digit for digit in digits if digit != parcel.number[5]])
    number = random.choice([parcel.other_number, parcel.number[:5] + replaced + parcel.number[6:]])
    rows = (
        ("Tracking Number", number),
        ("Delivered on", long_date(parcel.delivered, "en")),
        ("Delivered to", parcel.place),
        ("Received by", parcel.signatory),
    )
    body = "<H3>Delivery Notification</H3><TABLE>" + "".join(f"<TR><TD>{a} :<TD><B>{b}</B>" for a, b in rows)
    truth = Truth(
        number_shown=False, signatory=parcel.signatory, delivered=parcel.delivered, place=parcel.place
    )
    return Made(web_page("Delivery Notification", body + "</TABLE>"), "text/html", truth)


# --- Pictures that show nothing ---

PICTURES = ("image/png", "image/jpeg", "image/gif")


def one_colour(random: Random, parcel: Parcel) -> Made:
    """A picture of one colour, of every size down to one pixel; PNG and GIF also transparent."""
    size = random.choice([(1, 1), (10, 10), (300, 120), (620, 440), (1000, 20)])
    media_type = random.choice(PICTURES)
    colour = random.choice([(255, 255, 255), (0, 0, 0), (238, 238, 238), (214, 5, 17), (255, 204, 0)])
    picture = Image.new("RGB", size, colour)
    if media_type != "image/jpeg" and random.random() < 0.4:
        picture = Image.new("RGBA", size, (*colour, 0))
    return Made(encoded(picture, media_type), media_type, UNREADABLE)


def empty_sheet(random: Random) -> Image.Image:
    """A sheet without a mark: grain, a little skew, an uneven light, or the edge of a form."""
    sheet = paper(
        (random.choice([240, 480, 620]), random.choice([100, 200, 440])), random.choice([255, 248, 225])
    )
    kind = random.choice(["grain", "scan", "light", "frame"])
    if kind == "grain":
        return add_noise(sheet, random, random.choice([3, 8, 14]))
    if kind == "scan":
        return scanned(sheet, random, skew=0.8, noise=10)
    if kind == "light":
        shade = Image.linear_gradient("L").resize(sheet.size).point(lambda light: 255 - light * 30 // 255)
        return add_noise(shade, random, 4)
    edge = random.randint(2, 8)
    ImageDraw.Draw(sheet).rectangle(
        (edge, edge, sheet.width - edge, sheet.height - edge),
        outline=random.choice([150, 190, 210]),
        width=random.randint(1, 3),
    )
    return sheet


def empty_scan(random: Random, parcel: Parcel) -> Made:
    """A picture of an empty sheet or of an empty signature field."""
    media_type = random.choice(PICTURES)
    return Made(encoded(empty_sheet(random), media_type, quality=70), media_type, UNREADABLE)


def empty_scan_pdf(random: Random, parcel: Parcel) -> Made:
    """A scan of an empty sheet, or a white picture, as the page of a PDF; it may be numbered."""
    sheet = random.choice([paper, lambda: empty_sheet(random)])()
    size = random.choice([A4, A5])
    is_numbered = random.random() < 0.4

    def page(canvas: Canvas) -> None:
        place(canvas, sheet, (0, 0, *size))
        if is_numbered:
            write(canvas, size[0] / 2, 20, ["1/1"], size=7)

    return Made(pdf(page, size=size), "application/pdf", UNREADABLE)


HOLLOW = tuple(
    Template(make.__name__, CARRIERS, is_good=False, make=make)
    for make in (
        page_number_only,
        letterhead_only,
        unfilled_form,
        refusal_letter,
        not_yet_delivered,
        outage,
        api_error,
        sign_in,
        wall,
        other_letter,
        other_page,
        one_colour,
        empty_scan,
        empty_scan_pdf,
    )
)
