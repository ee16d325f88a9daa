"""A language's wordings, and the invented facts of one document as that language writes them.

In wordings/<language>.txt, "[words]" has lines "key = variant | variant"; any other section, such as
"[good letter]", has one wording a line: "title | paragraph | paragraph". A line that begins with a space
continues the one before.
"""

from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random

from tests.corpus.model import Parcel, Truth
from tests.corpus.parcels import NAMES, month_name, number_of

FOLDER = Path(__file__).parent / "wordings"
_CHOSEN = {
    "service": "services",
    "contents": "goods",
    "remarks": "received",
}  # values of labels, of other words
_FILLED = {"signed_by": "{signatory}", "address": "{street}, {town}", "place": "{town}", "moment": "{date}"}


@cache
def wordings(language: str) -> dict[str, tuple[str, ...]]:
    """The variants of each word, and the lines of each section."""
    texts: dict[str, tuple[str, ...]] = {}
    for line in (FOLDER / f"{language}.txt").read_text(encoding="utf-8").replace("\n ", " ").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "words":
            key, _, variants = line.partition(" = ")
            texts[key] = tuple(variants.split(" | "))
        else:
            texts[section] = (*texts.get(section, ()), line)
    return texts


class Facts(dict[str, str]):
    """Fields such as {signatory}; each one that is filled in or asked for counts as printed."""

    def __init__(self, random: Random, parcel: Parcel, language: str, variant: int = 0) -> None:
        self.random, self.parcel, self.language, self.variant = random, parcel, language, variant
        self.texts, self.at = wordings(language), parcel.delivered
        self.printed: set[str] = set()
        self._date = "" if random.random() < 0.4 else self.any("dates")
        self._time = self.any("times")
        signatory, recipient = random.sample(self.texts["names"], 2)
        number = parcel.number
        if random.random() < 0.06 and len(number) >= 10:  # in groups, as some carriers print it
            number = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
        super().__init__(
            number=number,
            other=parcel.other_number,
            carrier=NAMES[parcel.carrier],
            signatory=signatory.upper() if random.random() < 0.3 else signatory,
            recipient=recipient,
            date=self.day(0),
            time=self.clock(0),
            today=self.day(24 * random.randrange(2, 25)),
            later=self.day(24 * random.randrange(1, 6)),
            case=f"{random.choice(('C-', 'REF', 'SR-', ''))}{random.randrange(10**6, 10**8)}",
            **{field: self.any(f"{field}s") for field in ("street", "town")},
            sender=self.any("firms"),
        )

    def __getitem__(self, field: str) -> str:
        self.printed.add(field)
        return super().__getitem__(field)

    def fill(self, text: str) -> str:
        return text.format_map(self)

    def any(self, key: str) -> str:
        return self.random.choice(self.texts[key])

    def labels(self, *keys: str) -> tuple[str, ...]:
        """The words in the document's variant."""
        return tuple(self.texts[key][self.variant % len(self.texts[key])] for key in keys)

    def value(self, key: str, *, of_another: bool = False) -> str:
        """What stands beside a label, for our parcel or for another one."""
        if of_another and key in ("number", "recipient"):
            return self.any("names") if key == "recipient" else number_of(self.random, self.parcel.carrier)
        if key in _CHOSEN:
            return self.any(_CHOSEN[key])
        if key in ("weight", "amount"):
            return f"{self.random.randrange(5, 290) / 10}0 {'kg' if key == 'weight' else '€'}"
        if key in ("driver", "tour"):
            return str(self.random.randrange(100, 9999))
        if key == "delivered_at":
            return self.fill("{date} {time}")
        return {"pieces": "1", "status": self.labels("delivered")[0]}.get(key) or self.fill(
            _FILLED.get(key, f"{{{key}}}")
        )

    def event(self, name: str) -> str:
        """An event's text; of an attempt, the headline that its notice has."""
        section = f"events {name}" if f"events {name}" in self.texts else f"hollow {name}"
        return self.any(section).split(" | ")[0]

    def day(self, hours: int) -> str:
        """A day by its distance from the delivery."""
        at = self.at + timedelta(hours=hours)
        if self._date:
            return at.strftime(self._date)
        day = "1er" if self.language == "fr" and at.day == 1 else str(at.day)
        return self.any("long_date").format(day=day, month=month_name(at, self.language), year=at.year)

    def clock(self, minutes: int) -> str:
        return (self.at + timedelta(minutes=minutes)).strftime(self._time)

    def truth(self, *, is_good: bool, is_signed: bool = False) -> Truth:
        shown = self.printed.copy()
        if not is_good:
            return Truth(number_shown="number" in shown, has_signature=is_signed)
        return Truth(
            number_shown="number" in shown,
            signatory=self["signatory"] if "signatory" in shown else None,
            has_signature=is_signed,
            delivered=(self.at if "time" in shown else self.at.date()) if "date" in shown else None,
            place=place(self["town"]) if "town" in shown else None,
        )


def place(town: str) -> str:
    """The name without the postcode: 3511 AB Utrecht gives Utrecht."""
    return next(word for word in town.split() if word.replace("-", "").isalpha() and not word.isupper())
