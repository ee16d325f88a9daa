"""Collects the messages marked for translation in code and templates. Run as a program, it updates the catalogs."""

from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

PRODUCT = Path(__file__).resolve().parents[1] / "recours"
FRENCH = PRODUCT / "locale" / "fr" / "LC_MESSAGES" / "recours.po"
_METHODS = [("evidence/**", "ignore"), ("**/templates/**", "jinja2"), ("**.py", "python")]
# Functions that translate or mark messages, with the arguments to extract: a context ("c"), a message, plural forms.
_KEYWORDS = {
    "N_": None,
    "texts": None,
    "self": None,  # in `Localized` texts
    "translate": (2,),
    "in_context": ((1, "c"), 2),
    "Counted": (1, 2),
    "counted": (1, 2),
}


def marked() -> Catalog:
    """All messages of the product, without translations."""
    catalog = Catalog()
    found = extract_from_dir(PRODUCT, _METHODS, keywords=_KEYWORDS, strip_comment_tags=True)
    for file, _, message, _, context in found:
        catalog.add(message, locations=[(Path(file).as_posix(), 0)], context=context)
    return catalog


def catalog_of(file: Path) -> Catalog:
    with file.open("rb") as stream:
        return read_po(stream, locale=file.parts[-3])


def key(message: Message) -> tuple[object, str | None]:
    return message.id, message.context


def update(file: Path) -> None:
    """Add new messages to the catalog without a translation, and remove obsolete ones."""
    catalog = catalog_of(file)
    catalog.update(marked(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    with file.open("wb") as stream:
        write_po(stream, catalog, width=0, sort_output=True, include_lineno=False)


if __name__ == "__main__":
    update(FRENCH)
