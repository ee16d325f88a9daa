"""A document's contents, whatever it is printed on, and the sheets that carriers and people write."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import cos, pi, sin
from random import Random

from tests.corpus.fourth.facts import FOLDER, Facts
from tests.corpus.parcels import number_of

ANSWERS = (
    "good answer",
    "good inquiry",
    "hollow not_yet",
    "hollow feedback",
    "hollow lost",
    "hollow correction",
)


@dataclass(frozen=True)
class Ink:
    """Strokes in a square of side 1, y downwards."""

    strokes: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Grid:
    """A table; without a header, pairs of a label and its value."""

    rows: tuple[tuple[str | Ink, ...], ...]
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    language: str
    head: str  # the carrier's name, or the person's who writes
    title: str
    blocks: tuple[str | Grid, ...]
    foot: str

    @property
    def is_signed(self) -> bool:
        grids = [block for block in self.blocks if isinstance(block, Grid)]
        return any(
            isinstance(cell, Ink) and len(cell.strokes) < 20 for grid in grids for cell in sum(grid.rows, ())
        )


Writer = Callable[[Facts], Sheet]


def signature(random: Random) -> Ink:
    """Letters as loops along a slanting line, often with a flourish below."""
    left, loops = random.uniform(0.02, 0.12), random.randrange(4, 9)
    slant, lean = random.uniform(-0.15, 0.1), random.uniform(-0.6, 0.6)
    strokes: list[list[tuple[float, float]]] = [[]]
    for loop in range(loops):
        height, width = random.uniform(0.08, 0.42 if loop == 0 else 0.26), random.uniform(0.03, 0.1)
        for step in range(14):
            turn = 2 * pi * step / 14 + lean
            x = left + (loop + step / 14) * 0.8 / loops + width * sin(turn)
            y = 0.55 + slant * x - height * (1 - cos(turn)) / 2 + random.uniform(-0.008, 0.008)
            strokes[-1].append((min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)))
        if random.random() < 0.2:  # the pen is lifted
            strokes.append([])
    if random.random() < 0.5:
        base = random.uniform(0.68, 0.85)
        strokes.append([(x / 10, base + 0.05 * sin(x)) for x in range(1, 10)])
    return Ink(tuple(tuple(stroke) for stroke in strokes if stroke))


def bars(random: Random) -> Ink:
    """A bar code: upright strokes, some of them side by side."""
    places = sorted(random.sample(range(100), 55))
    return Ink(tuple(((at / 100, 0.0), (at / 100, 1.0)) for at in places))


def sheet(facts: Facts, title: str, *blocks: str | Grid, head: str = "") -> Sheet:
    """With a head and a foot; sometimes the terms of carriage follow, as on the back of a form."""
    if not head and facts.random.random() < 0.1:
        blocks = (*blocks, "* * *", *facts.any("hollow terms").split(" | "))
    foot = "" if head else facts.fill(facts.any("footer"))
    return Sheet(facts.language, head or facts["carrier"], facts.fill(title), blocks, foot)


def pairs(facts: Facts, *keys: str, **given: str) -> Grid:
    """Labels in the document's variant with their values; a signature or a bar code is drawn."""
    draw: dict[str, Callable[[Random], Ink]] = {"signature": signature, "barcode": bars}
    values = (draw[key](facts.random) if key in draw else given.get(key) or facts.value(key) for key in keys)
    return Grid(tuple(zip(facts.labels(*keys), values, strict=True)))


def prose(facts: Facts, section: str, style: str = "letter") -> Sheet:
    """The wording of the facts' variant, as the carrier's letter, as a person's, or as a bare notice."""
    title, *paragraphs = facts.texts[section][facts.variant].split(" | ")
    blocks: list[str | Grid] = [facts.fill(paragraph) for paragraph in paragraphs]
    if style == "person":
        if section.split()[1] in ("permission", "non_receipt", "confirmation"):
            blocks.append(pairs(facts, "signature"))
        return sheet(facts, title, *blocks, head=facts["recipient"])
    if "number" in facts.printed and facts.random.random() < 0.5:
        keys = facts.random.sample(("sender", "service", "weight", "pieces", "case"), 2)
        blocks.append(pairs(facts, "number", *keys))
    if section in ANSWERS and facts.random.random() < 0.35:
        blocks.append(f"> {facts.fill(facts.any('quoted'))}")
    if style == "letter":
        blocks = [facts.any("hello"), *blocks, facts.fill(facts.any("bye"))]
    return sheet(facts, title, *blocks)


def _form(title: str, lines: tuple[str, ...], facts: Facts) -> Sheet:
    """A form, line by line as wordings/forms.txt has it; "grid 3" adds the rows of three other parcels."""
    blocks: list[str | Grid] = []
    for command, *keys in map(str.split, lines):
        match command:
            case "grid":
                count = int(keys.pop(0))
                rows = [tuple(facts.value(key, of_another=True) for key in keys) for _ in range(count)]
                rows.insert(facts.random.randrange(count + 1), tuple(facts.value(key) for key in keys))
                blocks.append(Grid(tuple(rows), facts.labels(*keys)))
            case "blank":  # nobody has filled it in; sometimes the first two fields are printed already
                filled = facts.random.choice((0, 2))
                empty = Grid(tuple((label, "_" * 26) for label in facts.labels(*keys[filled:])))
                blocks += [pairs(facts, *keys[:filled]), empty] if filled else [empty]
            case "text":
                blocks.append(f"{facts.any(*keys)}.")
            case _:
                if command == "shuffled":
                    facts.random.shuffle(keys)
                blocks.append(pairs(facts, *keys))
    return sheet(facts, *facts.labels(title), *blocks)


FORMS: dict[str, Writer] = {}
for _part in (FOLDER / "forms.txt").read_text(encoding="utf-8").split("[")[1:]:
    _head, *_lines = _part.splitlines()
    FORMS[_head.split("] ")[0]] = partial(_form, _head.split("] ")[1], tuple(_lines))


def history(facts: Facts, last: str, status: str, steps: str) -> Sheet:
    """Events until the last one, oldest or newest first."""
    rows = []
    for hours, step in zip((-94, -61, -28, -5), steps.split(), strict=False):
        moment = f"{facts.day(hours)} {facts.clock(hours * 60 + facts.random.randrange(50))}"
        rows.append((moment, facts.any("towns"), facts.event(step)))
    rows.append((facts.value("delivered_at"), facts["town"], last))
    grid = Grid(tuple(rows[:: facts.random.choice((1, -1))]), facts.labels("moment", "place", "event"))
    return sheet(
        facts, *facts.labels("t_history"), pairs(facts, "number", "status", "service", status=status), grid
    )


def delivered_history(facts: Facts) -> Sheet:
    """Sometimes after a first attempt, sometimes with the name of who signed."""
    last, steps = facts.event("delivered"), ("announced transit out", "transit attempted out")
    if facts.random.random() < 0.5:
        last = f"{last} – {facts.labels('signed_by')[0]}: {facts['signatory']}"
    (status,) = facts.labels("delivered")
    return history(facts, last, status, steps[facts.random.random() < 0.25])


def tour(facts: Facts, ours: str) -> Sheet:
    """A driver's list of the day: our row is "delivered", "failed" or "missing"; others are mixed."""
    random, done = facts.random, facts.labels("delivered")
    rows: list[tuple[str | Ink, ...]] = []
    for _ in range(random.randrange(5, 13)):
        row = (facts.value("number", of_another=True), facts.any("names"))
        if random.random() < 0.75:
            rows.append((*row, facts.clock(random.randrange(-170, 170)), *done, signature(random)))
        else:
            rows.append((*row, "–", facts.any("failed"), "–"))
    at = random.randrange(1, len(rows))
    if ours == "delivered":
        rows.insert(at, (facts["number"], facts["signatory"], facts["time"], *done, signature(random)))
    elif ours == "failed":
        rows.insert(at, (facts["number"], facts["recipient"], "–", facts.any("failed"), "–"))
    header = facts.labels("number", "recipient", "moment", "status", "signature")
    return sheet(
        facts, *facts.labels("t_list"), pairs(facts, "tour", "driver", "moment"), Grid(tuple(rows), header)
    )


def shipment(facts: Facts, *, is_whole: bool) -> Sheet:
    """Pieces of one shipment: others, which are all delivered, and ours."""
    done = (*facts.labels("delivered"), facts.value("delivered_at"), facts["signatory"])
    state = facts.random.choice((facts.event("transit"), facts.any("failed"), facts.event("announced")))
    rows = [(number, *done) for number in (facts["other"], number_of(facts.random, facts.parcel.carrier))]
    rows.append((facts["number"], *(done if is_whole else (state, "–", "–"))))
    facts.random.shuffle(rows)
    grid = Grid(tuple(rows), facts.labels("number", "status", "moment", "signed_by"))
    top = pairs(facts, "case", "sender", "recipient", "pieces", pieces="3")
    return sheet(facts, *facts.labels("t_shipment"), top, grid)
