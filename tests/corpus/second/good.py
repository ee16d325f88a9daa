"""Documents that prove the delivery of the parcel that was asked about."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from recours.core.appraisal import EvidenceKind
from tests.corpus.model import Made, Truth
from tests.corpus.parcels import another_number
from tests.corpus.second import paper
from tests.corpus.second.paper import Sheet
from tests.corpus.second.sentences import PROOFS
from tests.corpus.second.words import CLERKS, Case

Draw = Callable[[Case], Made]
Content = Callable[[Case], tuple[Sheet, Truth]]


def draw(content: Content, *forms: str) -> Draw:
    """The content in one of the forms."""

    def make(case: Case) -> Made:
        sheet, truth = content(case)
        form = case.random.choice(forms)
        if form == "unread" or form in paper.PICTURES:
            truth = replace(truth, number_shown=None)
        return Made(*paper.render(case, sheet, form), truth)

    return make


def _truth(case: Case, *, is_signed: bool = False) -> Truth:
    """The number, the name, the moment and the town are all shown."""
    return Truth(
        number_shown=True, signatory=case.name, has_signature=is_signed, delivered=case.at, place=case.town
    )


def _sentences(case: Case, kind: str) -> list[str]:
    return [case.fill(sentence) for sentence in PROOFS[kind][case.language]]


def rows(case: Case) -> list[tuple[str, str]]:
    """Label and value of all that a proof says."""
    words = case.words
    extra = (
        (words["sender"], case.sender),
        (words["service"], "Express 13:00"),
        (words["weight"], f"{case.random.randint(1, 19)},{case.random.randint(1, 9)} kg"),
    )
    return [
        (words["number"], case.number),
        (words["on"], case.moment()),
        (words["by"], case.name),
        (words["address"], case.address),
        *case.random.sample(extra, case.random.randint(0, 3)),
    ]


def facts(case: Case) -> tuple[Sheet, Truth]:
    return Sheet(title=case.words["proof"], rows=rows(case)), _truth(case)


def receipt(case: Case) -> tuple[Sheet, Truth]:
    words = case.words
    texts = (case.carrier, *_sentences(case, "conform"))
    sheet = Sheet(
        title=words["proof"], texts=texts, rows=[*rows(case), (words["signature"], "")], is_signed=True
    )
    return sheet, _truth(case, is_signed=True)


def letter(case: Case) -> tuple[Sheet, Truth]:
    """Running text alone."""
    texts = (case.words["dear"], *_sentences(case, "letter"), case.words["thanks"])
    return Sheet(title=case.words["proof"], texts=texts), _truth(case)


def printed_mail(case: Case) -> tuple[Sheet, Truth]:
    sheet, truth = letter(case)
    heads = ("From: pod@carrier.example", "To: claims@shop.example", f"Subject: {sheet.title} {case.number}")
    return replace(sheet, title="", texts=(*heads, *sheet.texts)), truth


def slip(case: Case) -> tuple[Sheet, Truth]:
    """Three lines."""
    texts = (case.number, f"{case.words['on']} {case.moment()}", f"{case.words['by']} {case.name}")
    return Sheet(texts=texts), Truth(number_shown=True, signatory=case.name, delivered=case.at)


def driver_round(case: Case) -> tuple[Sheet, Truth]:
    """The round of a driver with our parcel among others; all were delivered on the same day."""
    words = case.words
    day = case.day()
    stops = [(case.number, f"{day} {case.at:%H:%M}", case.name, case.town)]
    for _ in range(case.random.randint(4, 8)):
        number = another_number(case.random, case.parcel.carrier, case.number)
        at = case.at + timedelta(minutes=case.random.randint(3, 55))
        stops.append((number, f"{day} {at:%H:%M}", case.random.choice(CLERKS), case.town))
    case.random.shuffle(stops)
    head = (words["number"], words["on"], words["by"], words["address"])
    title = f"{case.carrier} - {words['driver']} {case.random.randint(10, 99)} - {day}"
    return Sheet(title=title, table=(head, *stops)), _truth(case)


def signature_sheet(case: Case) -> tuple[Sheet, Truth]:
    sheet, truth = driver_round(case)
    table = [(*row[:3], "") for row in sheet.table]
    table[0] = (*table[0][:3], case.words["signature"])
    return replace(sheet, table=table, row_signatures=True), replace(truth, has_signature=True, place=None)


def whole_shipment(case: Case) -> tuple[Sheet, Truth]:
    """Two parcels of one shipment; both were delivered."""
    words = case.words
    moment = case.moment()
    numbers = case.random.sample((case.number, case.parcel.other_number), 2)
    head = (words["number"], words["status"], words["on"], words["by"])
    table = (head, *((number, words["delivered"], moment, case.name) for number in numbers))
    sheet = Sheet(
        title=f"{words['proof']} (2/2)", table=table, texts=(f"{words['address']}: {case.address}",)
    )
    return sheet, _truth(case)


def history(case: Case) -> tuple[Sheet, Truth]:
    """The last event is the delivery, after a failed attempt."""
    absent, delivered = _sentences(case, "attempt")
    table = (
        (case.moment(), case.town, delivered),
        (case.moment(case.before(24)), case.town, absent),
        (case.moment(case.before(30)), case.town, "Hub"),
    )
    texts = (f"{case.words['number']} {case.number}", f"{case.words['status']}: {delivered}")
    return Sheet(title=case.words["history"], texts=texts, table=table), _truth(case)


def report(kind: str) -> Content:
    """To a neighbour, from a locker or at a pickup point, in sentences."""

    def content(case: Case) -> tuple[Sheet, Truth]:
        title, *texts = _sentences(case, kind)
        return Sheet(title=title, texts=texts), _truth(case)

    return content


def number_in_groups(case: Case) -> tuple[Sheet, Truth]:
    groups = " ".join(case.number[start : start + 4] for start in range(0, len(case.number), 4))
    fields = [(label, groups if text == case.number else text) for label, text in rows(case)]
    return Sheet(title=case.words["proof"], rows=fields), _truth(case)


def registered_card(case: Case) -> tuple[Sheet, Truth]:
    """The card that comes back to the sender of a registered item: the day alone, and a signature."""
    words = case.words
    fields = ((words["number"], case.number), (words["on"], case.day()), (words["by"], case.name))
    sheet = Sheet(title=case.carrier, rows=(*fields, (words["address"], case.address)), is_signed=True)
    return sheet, replace(_truth(case, is_signed=True), delivered=case.at.date())


def photo_on_paper(case: Case) -> tuple[Sheet, Truth]:
    """Left at the door: a photo in place of a name."""
    words = case.words
    fields = ((words["number"], case.number), (words["on"], case.moment()), (words["address"], case.address))
    status = (words["status"], f"{words['delivered']} - {words['left']}")
    sheet = Sheet(title=words["proof"], rows=(*fields, status), has_photo=True)
    return sheet, replace(_truth(case), signatory=None)


def unsigned(case: Case) -> tuple[Sheet, Truth]:
    """As carriers write where no signature was ordered."""
    sheet, truth = photo_on_paper(case)
    return replace(sheet, texts=_sentences(case, "unsigned"), has_photo=False), truth


def signature_alone(case: Case) -> Made:
    picture = paper.signature_picture(case.random, case.random.choice(((200, 60), (320, 120), (640, 240))))
    form = case.random.choice(("PNG", "GIF", "JPEG"))
    truth = Truth(number_shown=None, has_signature=True)
    return Made(paper.encode(picture, form), f"image/{form.lower()}", truth, EvidenceKind.SIGNATURE)


def doorstep_photo(case: Case) -> Made:
    picture = paper.doorstep(case.random, case.random.choice(((640, 480), (480, 640), (800, 600))))
    return Made(paper.encode(picture, "JPEG"), "image/jpeg", Truth(number_shown=None), EvidenceKind.PHOTO)


KINDS: dict[str, Draw] = {
    "api_letter": draw(facts, "bare"),
    "portal_page": draw(facts, "portal"),
    "plain_letter": draw(facts, "letter", "roboto"),
    "boxed_form": draw(facts, "boxed"),
    "dark_band": draw(facts, "band"),
    "second_page": draw(facts, "cover"),
    "with_terms": draw(facts, "terms"),
    "signed_receipt": draw(receipt, "letter", "half"),
    "signed_page": draw(receipt, "portal", "bare"),
    "turned": draw(receipt, "turned"),
    "letter_in_words": draw(letter, "caladea", "letter"),
    "letter_page": draw(letter, "portal", "bare"),
    "printed_mail": draw(printed_mail, "caladea", "wide"),
    "slip": draw(slip, "half"),
    "driver_round": draw(driver_round, "wide"),
    "round_page": draw(driver_round, "portal"),
    "signature_sheet": draw(signature_sheet, "letter", "wide"),
    "whole_shipment": draw(whole_shipment, "letter", "portal"),
    "history": draw(history, "portal", "letter"),
    "locker": draw(report("locker"), "letter", "portal"),
    "neighbour": draw(report("neighbour"), "letter", "portal"),
    "pickup_point": draw(report("pickup_point"), "letter", "portal"),
    "number_in_groups": draw(number_in_groups, "roboto", "half"),
    "registered_card": draw(registered_card, "half", "wide"),
    "photo_on_paper": draw(photo_on_paper, "letter", "half"),
    "unsigned": draw(unsigned, "letter", "portal"),
    "scan_with_layer": draw(receipt, "layer"),
    "scan_of_letter": draw(letter, "layer", "under"),
    "scan_over_text": draw(receipt, "under"),
    "scan_without_layer": draw(receipt, "unread"),
    "page_picture": draw(receipt, *paper.PICTURES),
    "signature_alone": signature_alone,
    "doorstep_photo": doorstep_photo,
}
