"""The texts of `words.txt` with a parcel's facts."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from random import Random

from tests.corpus.model import Made, Parcel, Template, Truth
from tests.corpus.parcels import CARRIERS, LANGUAGES, NAMES, SIGNATORIES, another_number, month_name
from tests.corpus.third.paper import LAYOUTS, SIGNED, Sheet, drawn
from tests.corpus.third.pictures import door


@cache
def _words() -> dict[str, dict[str, tuple[str, ...]]]:
    """By section, then by the first word of a line: a language, a label or the kind of the names."""
    sections: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in (Path(__file__).parent / "words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif not line.startswith("#"):
            name, parts = line.split(" ", 1)
            section[name] = tuple(parts.split("|"))
    return sections


def label(random: Random, name: str, language: str) -> str:
    return random.choice(_words()["labels"][name][LANGUAGES.index(language)].split("/"))


class Facts(dict[str, str]):
    """The facts of one document; records which of them it shows."""

    def __init__(self, random: Random, parcel: Parcel, language: str) -> None:
        self.shown: set[str] = set()
        self.language = language
        self.seed = random.random()  # of the format of its dates
        number = parcel.number
        has_time = random.random() < 0.75
        if len(number) > 11 and (number.isdigit() or number[:2] == "1Z") and random.random() < 0.3:
            number = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
        later = random.randrange(1, 9)
        super().__init__({name: random.choice(choices) for name, choices in _words()["names"].items()})
        self.update(dict.fromkeys(("sign", "driver_sign", "sender_sign", "recipient_sign"), SIGNED))
        self.update(
            carrier=NAMES[parcel.carrier],
            number=number,
            when=self.spelled(parcel.delivered, has_time=has_time),
            who=parcel.signatory,
            place=parcel.place,
            postcode=parcel.postcode,
            where=f"{self['street']}, {parcel.postcode} {parcel.place}",
            shipped=self.spelled(parcel.delivered - timedelta(days=2), has_time=False),
            issued=self.spelled(parcel.delivered + timedelta(days=later), has_time=False),
            until=self.spelled(parcel.delivered + timedelta(days=later + 3), has_time=False),
            weight=f"{random.randrange(4, 240) / 10} kg",
            amount=f"{random.randrange(500, 9000) / 100:.2f} EUR",
            ref=f"{random.choice('ABCK')}-{random.randrange(10000, 99999)}",
            status=label(random, "delivered", language),
        )
        self.delivered: date = parcel.delivered if has_time else parcel.delivered.date()

    def spelled(self, at: datetime, *, has_time: bool = True) -> str:
        random, words = Random(self.seed), _words()
        form = (
            random.choice(words["days"][self.language])
            + random.choice(words["times"][self.language]) * has_time
        )
        weekday = words["weekdays"][self.language][at.weekday()]
        return form.format(d=at, w=weekday, m=month_name(at, self.language), p="AM" if at.hour < 12 else "PM")

    def __getitem__(self, name: str) -> str:
        self.shown.add(name)
        return super().__getitem__(name)


Rows = tuple[tuple[str, ...], ...]


def _journey(random: Random, parcel: Parcel, language: str, facts: Facts, events: tuple[int, ...]) -> Rows:
    """The events, newest first or last, with their dates on the left or on the right."""
    at = parcel.delivered
    rows = []
    for event in reversed(events):
        words = _words()["events"][language][event].format_map(facts)
        rows.append((facts.spelled(at), words, facts["place"] if event > 1 else "HUB 71"))
        at -= timedelta(hours=3 if event in {3, 4} else 20)
    if 3 in events:
        facts.shown.add("when")
        facts.delivered = parcel.delivered
    if random.random() < 0.5:
        rows.reverse()
    return tuple(row[::-1] for row in rows) if random.random() < 0.3 else tuple(rows)


def _grid(random: Random, name: str, parcel: Parcel, language: str, facts: Facts) -> Rows:
    columns = {
        "list": ("number", "when", "who", "sign"),
        "others": ("number", "when", "who", "sign"),
        "failed": ("number", "recipient", "status"),
        "partial": ("number", "status"),
        "three": ("number", "weight"),
        "manifest": ("number", "weight", "recipient"),
        "bill": ("number", "weight", "amount"),
        "goods": ("contents", "weight", "amount"),
    }[name]
    count = 3 if name in {"three", "partial", "goods"} else random.randrange(4, 8)
    ours = -1 if name in {"others", "goods"} else random.randrange(count)
    events = _words()["events"][language]
    if "when" in columns:
        facts["when"] = facts.spelled(parcel.delivered)
        facts.delivered = parcel.delivered
    head = tuple(label(random, column, language) for column in columns)
    rows = [head]
    for number in range(count):
        if number == ours:
            status = events[4 if name == "failed" else 1]
            rows.append(tuple(status if column == "status" else facts[column] for column in columns))
            continue
        who = random.choice(SIGNATORIES)
        other = facts | {  # plain: its content says nothing about our parcel
            "number": another_number(random, parcel.carrier, parcel.number),
            "when": facts.spelled(parcel.delivered + timedelta(minutes=9 * (number - ours))),
            "who": who,
            "status": events[3].format(who=who),
            "recipient": random.choice(_words()["names"]["recipient"]),
            "contents": random.choice(_words()["names"]["contents"]),
            "amount": f"{random.randrange(500, 9000) / 100:.2f} EUR",
            "weight": f"{random.randrange(4, 240) / 10} kg",
        }
        rows.append(tuple(other[column] for column in columns))
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of document in each language."""

    name: str
    words: str = ""  # the sections of words.txt to choose from; by default the one of its name
    fields: str = ""  # names of facts; a name that ends in _ is left blank
    grid: str = ""
    journey: tuple[int, ...] = ()  # the events of words.txt in its grid
    layouts: str = " ".join(LAYOUTS)
    outputs: str = "pdf web mail pdf layer"
    inputs: int = 0
    has_photo: bool = False
    has_barcode: bool = False


def sheet_of(random: Random, kind: Kind, parcel: Parcel, language: str, facts: Facts) -> Sheet:
    title, *text = _words()[random.choice((kind.words or kind.name).split())][language]
    fields = []
    for name in kind.fields.split():
        value = "" if name.endswith("_") else facts[name]
        fields.append((label(random, name.rstrip("_"), language), value or "." * 30))
    grid: Rows = ()
    if kind.journey:
        grid = _journey(random, parcel, language, facts, kind.journey)
    elif kind.grid:
        grid = _grid(random, kind.grid, parcel, language, facts)
    return Sheet(
        carrier=facts["carrier"],
        language=language,
        issued=facts["issued"],
        title=title.format_map(facts),
        text=tuple(part.format_map(facts) for part in text),
        fields=tuple(fields),
        grid=grid,
        chrome=_words()["chrome"][language],
        inputs=kind.inputs,
        photo=door(random) if kind.has_photo else None,
        barcode=kind.has_barcode,
    )


def made(random: Random, parcel: Parcel, *, kind: Kind, language: str, is_good: bool) -> Made:
    facts = Facts(random, parcel, language)
    sheets = [sheet_of(random, kind, parcel, language, facts)]
    if kind.name == "pages":
        sheets.insert(0, sheet_of(random, Kind(name="terms"), parcel, language, facts))
    output = random.choice(kind.outputs.split())
    content, media_type = drawn(random, sheets, random.choice(kind.layouts.split()), output)
    is_picture = output in {"picture", "scan"}
    truth = Truth(
        number_shown=None if is_picture else "number" in facts.shown,
        has_signature=any(name.endswith("sign") for name in facts.shown),
        signatory=parcel.signatory if is_good and "who" in facts.shown else None,
        delivered=facts.delivered if is_good and "when" in facts.shown else None,
        place=parcel.place if is_good and {"where", "place"} & facts.shown else None,
    )
    return Made(content, media_type, truth)


def templates(kinds: tuple[Kind, ...], *, is_good: bool) -> list[Template]:
    """One for each kind and language; each begins with another carrier."""
    return [
        Template(
            name=f"{kind.name}_{language}",
            carriers=CARRIERS[start:] + CARRIERS[:start],
            is_good=is_good,
            make=partial(made, kind=kind, language=language, is_good=is_good),
        )
        for number, kind in enumerate(kinds)
        for index, language in enumerate(LANGUAGES)
        for start in ((3 * number + 2 * index) % len(CARRIERS),)
    ]
