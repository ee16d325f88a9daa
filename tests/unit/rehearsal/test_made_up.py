"""Made-up values keep the form of what they stand for, and nothing else."""

import base64
import io
import re
from datetime import UTC, datetime

import pytest
from PIL import Image

from recours.carriers.registry import CATALOG
from recours.core.appraisal import Expected
from recours.core.outcome import NotADocumentError, begins_as
from recours.core.text import Redactor
from recours.documents.appraisal import appraise
from recours.documents.kinds import kind_of
from recours.rehearsal.forms import Such
from recours.rehearsal.made_up import MadeUp, made_up_number
from recours.sandbox.documents import broken_pdf, proof_pdf, signature_gif, signature_png
from tests.carriers.test_published_numbers import PUBLISHED

NUMBER, OTHER = "6A12345678900", "8Q98765432100"


def made_up(salt: bytes = b"salt", *phrases: str) -> MadeUp:
    return MadeUp(salt, {NUMBER: OTHER}, [re.compile(phrase) for phrase in phrases], Redactor(["TV1SEC"]))


# ---------------------------------------------------------------- texts


def test_signs_become_others_of_their_sort() -> None:
    made = made_up().text("Zoé DUPONT-42, 3bis (Lille)\n")
    assert re.fullmatch(r"[A-Z][a-z][à-ÿ] [A-Z]{6}-[0-9]{2}, [0-9][a-z]{3} \([A-Z][a-z]{4}\)\n", made)
    assert not any(
        sign == other for sign, other in zip("ZoéDUPONT423bisLille", re.sub(r"\W", "", made), strict=True)
    )


def test_the_same_word_gives_the_same_within_a_recording_and_another_in_the_next() -> None:
    values = made_up()
    assert values.text("x DUPONT y").split()[1] == values.text("DUPONT")
    assert values.text("DUPONT") != made_up(b"other").text("DUPONT")


def test_the_parcels_number_stays_the_same_in_all_its_forms() -> None:
    values = made_up()
    assert values.text(NUMBER) == OTHER
    assert values.text(f"1~{NUMBER.lower()}~X")[2:-2] == OTHER
    assert values.text(NUMBER[2:]) == OTHER[2:]
    assert OTHER in values.text(f"pre{NUMBER}post")


def test_phrases_are_kept_and_nothing_beside_them() -> None:
    values = made_up(b"salt", "mot de passe", "retourne")
    made = values.text("Mot de passe Kerbrat retourné")
    assert made.startswith("Mot de passe ")
    assert made.endswith(" retourné")
    assert "Kerbrat" not in made


def test_a_long_text_is_cut_and_signs_beyond_ascii_are_not_kept() -> None:
    assert len(made_up().text("a" * 10_000)) == 2500
    assert made_up().text("\u202e\ud800→x")[:3] == "\u00b7" * 3


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize("kept", ["LIVCFM", "ZZ", "999", "LIVXYZ"])
def test_codes_that_are_known_or_look_like_those_are_kept(kept: str) -> None:
    assert made_up().code(kept, frozenset({"LIVCFM", "TV1002"})) == kept


@pytest.mark.parametrize("text", ["DUPONT", "LIVCFMX", "livxyz", "TV1SEC", NUMBER, "a b", "LIV-12"])
def test_other_texts_in_the_place_of_a_code_are_not(text: str) -> None:
    made = made_up().code(text, frozenset({"LIVCFM", "TV1002"}))
    assert made != text
    assert made not in ("LIVCFM", "TV1002")


def test_of_a_text_that_a_rule_knows_only_plain_words_are_kept() -> None:
    labels = Such(lambda text: text.startswith("Nom"))
    assert made_up().code("Nom du réceptionnaire", labels) == "Nom du réceptionnaire"
    made = made_up().code("Nom Иванов 340434161094", labels)
    assert made.startswith("Nom ")
    assert not re.search("[А-я]|340434", made)
    assert "Kerbrat" not in made_up().code("Nom" + " " * 200 + "Kerbrat", labels)


def test_a_number_keeps_its_length_and_its_sign() -> None:
    for number in (0, 7, 10, 19, 100, -31, 2026):
        made = made_up().whole(number)
        assert (len(str(made)), made < 0) == (len(str(number)), number < 0)
        assert made != number


# ---------------------------------------------------------------- times

TIMES = [
    *(
        "2026-10-05T10:31:00+02:00",
        "2026-10-05T10:31:00.123+0200",
        "2026-10-05T10:31:00",
        "2026-10-05T08:31:00Z",
    ),
    *("2026-10-05", "05.10.2026", "05/10/2026", "05/10/26", "20261005"),
]


@pytest.mark.parametrize("text", TIMES)
def test_a_time_stays_a_time_of_the_same_form(text: str) -> None:
    made = made_up().time(text)
    assert re.sub("[0-9]", "0", made) == re.sub("[0-9]", "0", text)
    assert made != text
    assert made.endswith(re.sub(r".*?([+-][0-9:]+|Z|)$", r"\1", text[10:]))  # the offset is kept


def test_the_order_of_times_is_kept_and_none_passes_midnight() -> None:
    values = made_up()
    days = [
        f"2026-10-{day:02}T{hour:02}:{minute:02}:07"
        for day in (4, 5)
        for hour in (6, 10, 22)
        for minute in (1, 59)
    ]
    clocks = ["06:01", "10:59", "061500", "61500", "22:59:30"]
    for text in (*days, *clocks):
        values.time(text)
    values.settle_clock()
    made = [values.time(text) for text in days]
    assert made == sorted(made)
    assert made[0][11:16] != "06:01"
    assert values.time("10:59") == values.time("2026-10-05T10:59:00")[11:16]
    assert values.time("61500").zfill(6) == values.time("061500")


@pytest.mark.parametrize("salt", range(20))
def test_a_whole_day_of_times_is_hardly_shifted(salt: int) -> None:
    values = made_up(bytes([salt]))
    for text in ("00:00", "23:58"):
        values.time(text)
    values.settle_clock()
    assert (values.time("00:00"), values.time("23:58")) in (("00:00", "23:58"), ("00:01", "23:59"))


@pytest.mark.parametrize(
    "text", ["25:61", "31.02.2026", "99/99/99", "2026-W40-1", "0001-01-01", "9999-12-31T23:59:59-14:00"]
)
def test_what_is_no_time_is_made_up_and_the_ends_of_the_calendar_break_nothing(text: str) -> None:
    assert re.sub("[A-Za-z0-9]", "0", made_up().time(text)) == re.sub("[A-Za-z0-9]", "0", text)


# ---------------------------------------------------------------- documents


def image(form: str) -> bytes:
    file = io.BytesIO()
    with Image.open(io.BytesIO(signature_png("x"))) as opened:
        opened.save(file, form)
    return file.getvalue()


PAGE = b"<html><body><p>Proof of delivery, received by KERBRAT</p></body></html>" * 3
WHEN = datetime(2026, 10, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        proof_pdf("A", NUMBER, "KERBRAT", WHEN),
        signature_png("x"),
        signature_gif("x"),
        image("JPEG"),
        image("TIFF"),
        PAGE,
    ],
    ids=["pdf", "png", "gif", "jpeg", "tiff", "html"],
)
def test_a_document_becomes_another_of_its_kind_and_a_damaged_one_a_damaged_one(content: bytes) -> None:
    made = made_up().document(content)
    kind = begins_as(content, html=True)
    assert kind_of(made, html=True) == kind
    assert appraise(made, kind or "", Expected("", OTHER)).hollow is None
    assert b"KERBRAT" not in made
    damaged = made_up().document(content[:40])
    assert begins_as(damaged, html=True) == kind
    assert is_refused(damaged)


def is_refused(content: bytes) -> bool:
    try:
        return appraise(content, kind_of(content, html=True), Expected("", OTHER)).hollow is not None
    except NotADocumentError:
        return True


def test_what_is_no_document_stays_none() -> None:
    values = made_up()
    assert values.document(b"") == b""
    assert begins_as(values.document(b"KERBRAT " * 50), html=True) is None
    assert b"KERBRAT" not in values.document(b"KERBRAT " * 50)
    assert begins_as(values.document(broken_pdf())) == "application/pdf"
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(values.encoded("JVBERi0x***"), validate=True)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("carrier", sorted(CATALOG.specs))
def test_a_parcels_number_becomes_another_of_its_form(carrier: str) -> None:
    spec = CATALOG.specs[carrier]
    published = [number for key, _, numbers in PUBLISHED if key == carrier for number in numbers.split()]
    for number in (spec.number_example, *published):
        if not spec.number_form.fullmatch(number):
            continue
        made = made_up_number(number, spec, b"salt")
        assert spec.number_form.fullmatch(made), (number, made)
        assert spec.is_doubtful(made) == spec.is_doubtful(number)
        assert len(made) == len(number)
        assert sum(sign == other for sign, other in zip(made, number, strict=True)) <= len(number) // 2, (
            number,
            made,
        )


def test_the_sample_number_which_everybody_knows_stays() -> None:
    spec = CATALOG.specs["ups"]
    assert made_up_number(spec.sample_number, spec, b"salt") == spec.sample_number
