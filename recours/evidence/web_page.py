"""Reads the visible text of a web page, in one pass and without a browser.

Text is skipped if an attribute, the page's own style sheet, or a color close to the background's hides the text.
External style sheets are not loaded. Sibling and attribute selectors are not supported.
"""

import html as markup
import re
from dataclasses import dataclass

from recours.evidence.reading import MOST_TEXT, Cell, Reading, Row

_MOST_HTML = 1_000_000
_HEAD = 2000  # bytes at the start of a page that may declare its encoding
_DEEPEST = 500  # maximum nesting of elements; text in deeper elements is not read
_MOST_RULES = 200  # style rules for one name
_MOST_COMPARISONS = 2_000_000  # comparisons of style rules with enclosing elements

# The text of these elements ends only at their end tag. The head is not included, because carriers' pages do not close
# it, and browsers end it at the body.
_RAW = re.compile(r"<(script|style|title|template|noscript|iframe)(?=[\s/>])")
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]{0,20})")
# Tags that separate rows of text, and tags that separate cells. Other tags are inline.
_ROWS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dl", "dt", "div", "fieldset", "footer",
        "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
        "tbody", "tfoot", "thead", "tr", "ul", "details", "summary", "dialog", "button", "option",
    }
)  # fmt: skip
_CELLS = frozenset({"td", "th", "dd"})
_OPEN_ENDED = _CELLS | {"dt"}  # only their start tags separate texts
_IMPLIED = _OPEN_ENDED | {"li", "p", "tr", "option"}  # the next element with the same name ends these
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
# Navigation and buttons ("Proof of delivery", "Claims", "Reject cookies") say nothing about a parcel.
_CONTROLS = frozenset({"nav", "button"})
# Marks links in the text. A row that consists only of links is a menu, unless it contains a digit.
_LINK = "\x0e"
_LINK_ENDS = "\x0f"
_LINKED = re.compile(f"{_LINK}[^{_LINK_ENDS}]*{_LINK_ENDS}")
_ALNUM = re.compile(r"[^\W_]")
_COLUMN = 100.0  # assumed distance between columns, in points
_PASSWORD = re.compile(r"<input\b[^<>]{0,500}\btype\s*=\s*[\"']?password\b", re.IGNORECASE)
# Only a picture that is embedded in the page counts.
_PICTURE = re.compile(r"<img\b[^<>]{0,200}\bsrc\s*=\s*[\"']?data:image/", re.IGNORECASE)
_SIGNATURE = re.compile(r"sign(?:ature|é)|unterschrift|firma|handtekening", re.IGNORECASE)
_AROUND = 300  # characters before a picture that may describe the picture

_ATTRIBUTE = re.compile(r"([a-z-]{2,20})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_STYLE_SHEET = re.compile(r"<style\b[^<>]*>(.*?)(?:</style|\Z)", re.DOTALL)
_NOT_ON_SCREEN = re.compile(
    r"/\*.*?\*/|<!--|-->|@(?:charset|import|namespace)[^;{}]*;"
    r"|@(?:media\s+(?:only\s+)?(?:print|speech)|media[^{}]*max-|[a-z-]*keyframes|font-face|page)[^{}]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}",
    re.DOTALL,
)
_RULE = re.compile(r"([^{}]{1,500})\{([^{}]{0,2000})\}")
_SELECTOR = re.compile(r"(?:[a-z][a-z0-9]*|\*)?(?:[.#][\w-]+)*")
_PART = re.compile(r"[.#]?[\w-]+")
_ZERO = r"[-+]?0*\.?0*(?:px|em|rem|pt|%)?"
_FAR_AWAY = r"-\d{3,}[^;]*"
# Style declarations that hide an element's text. The declarations are sorted by name.
_HIDDEN = re.compile(
    rf";(?:display:none|visibility:(?:hidden|collapse)|(?:opacity|font-size):(?:{_ZERO}|0?\.0\d*)"
    rf"|(?:text-indent|left|top|right|bottom):{_FAR_AWAY}|clip-path:(?:inset\((?:100|5\d)%|circle\(0)[^;]*|clip:rect\((?:0|1px)[^;]*"
    rf"|transform:(?:scale\w*\(\s*0\s*[,)]|translate\w*\([^)]*-\d{{4}})[^;]*"
    rf"|(?:max-)?(?:height|width):(?:{_ZERO}|1px);(?:[^;]*;)*overflow:(?:hidden|clip)[^;]*);"
)
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})\b")
_RGB = re.compile(r"rgba?\(\s*(\d+)\D+(\d+)\D+(\d+)(?:\D+([\d.]+))?")
_NAMED = {"white": (255, 255, 255), "snow": (255, 250, 250), "ivory": (255, 255, 240), "black": (0, 0, 0)}
_NO_COLOR = ("", "none", "transparent", "inherit", "initial")
_CONTRAST = 24  # minimum difference in red, green or blue between text and background

Color = tuple[int, ...]
Style = dict[str, str]
Names = frozenset[str]  # the name, classes and ID of an element: "div", ".late", "#proof"


@dataclass(frozen=True, slots=True)
class _Rule:
    order: tuple[int, int]  # number of names, and position; the rule that sorts last wins
    names: Names
    ancestors: list[Names]
    style: Style


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    is_hidden: bool
    ink: Color = (0, 0, 0)
    paper: Color | None = (255, 255, 255)  # color of the background; None: unknown, such as a picture
    names: Names = frozenset()
    is_closed: bool = False  # a closed details element shows only its summary
    is_linked: bool = False


def _color(text: str) -> Color | None:
    if match := _HEX.search(text):
        digits = match[1] if len(match[1]) > 3 else "".join(2 * digit for digit in match[1])  # noqa: PLR2004
        return tuple(bytes.fromhex(digits))
    if match := _RGB.search(text):
        return tuple(map(int, match.group(1, 2, 3)))
    return next((color for name, color in _NAMED.items() if name in text.split()), None)


def _declarations(text: str) -> Style:
    pairs = (part.partition(":") for part in text.split(";"))
    return {name.strip(): value.partition("!")[0].strip() for name, _, value in pairs if value}


def _rules(folded: str) -> dict[str, list[_Rule]]:
    """Return the page's style rules by the longest name (of an element, a class or an ID) in their selector.

    Raises ValueError if there are too many rules for one name.
    """
    sheets = " ".join(_NOT_ON_SCREEN.sub(" ", sheet) for sheet in _STYLE_SHEET.findall(folded))
    rules: dict[str, list[_Rule]] = {}
    for position, (selectors, declarations) in enumerate(_RULE.findall(sheets)):
        style = _declarations(declarations)
        for selector in selectors.split(","):
            parts = selector.replace(">", " ").split()
            *ancestors, names = [frozenset(_PART.findall(part)) for part in parts] or [frozenset()]
            if names and all(map(_SELECTOR.fullmatch, parts)):
                of_name = rules.setdefault(max(names, key=len), [])
                order = (len(_PART.findall(selector)), position)
                of_name.append(_Rule(order, names, ancestors, style))
                if len(of_name) > _MOST_RULES:
                    raise ValueError(selector)
    return rules


def _hides_text(style: Style) -> bool:
    return (
        bool(style)
        and _HIDDEN.search(";" + "".join(f"{name}:{style[name]};" for name in sorted(style))) is not None
    )


def read_web_page(content: bytes) -> Reading:
    """Read a web page. Raises ValueError if the page has too many style rules."""
    page = content[:_MOST_HTML].decode("utf-8", "replace")
    if "\ufffd" in page and b"utf-8" not in content[:_HEAD].lower():  # browsers do the same
        page = content[:_MOST_HTML].decode("cp1252", "replace")
    pictures = [page[max(0, match.start() - _AROUND) : match.end()] for match in _PICTURE.finditer(page)]
    return Reading(
        rows=tuple(_rows(page)),
        has_ink=bool(pictures),
        has_picture=bool(pictures),
        has_signature_image=any(_SIGNATURE.search(context) for context in pictures),
        asks_for_password=_PASSWORD.search(page) is not None,
    )


def _rows(page: str) -> list[Row]:
    rows = []
    for marked in _visible(page).split("\n"):
        line = marked.replace(_LINK, "").replace(_LINK_ENDS, "")
        if line != marked and not (_ALNUM.search(_LINKED.sub("", marked)) or any(map(str.isdigit, line))):
            continue
        texts = [" ".join(markup.unescape(cell).split()) for cell in line.split("\t")]
        if row := tuple(Cell(text, at * _COLUMN) for at, text in enumerate(texts) if text):
            rows.append(row)
    return rows


def _visible(page: str) -> str:
    """Return the visible text, with line breaks between rows and tabs between cells.

    The page is read in one pass. Each step moves forward, or reading stops if a tag has no end.
    """
    page = page.translate(
        {ord("\n"): " ", ord("\r"): " ", ord("\t"): " ", ord(_LINK): None, ord(_LINK_ENDS): None}
    )
    folded = page.lower()
    if len(folded) != len(page):  # some capital letters become two characters in lower case
        folded = page
    parts = list[str]()
    at = 0
    length = 0
    elements = _Elements(folded)
    while length < MOST_TEXT and (start := page.find("<", at)) >= 0:
        if not elements.is_hidden:
            parts.append(f"{_LINK}{page[at:start]}{_LINK_ENDS}" if elements.is_linked else page[at:start])
            length += start - at
        ends_with = "-->" if folded.startswith("<!--", start) else ">"
        end = page.find(ends_with, start)
        if end < 0:
            return "".join(parts)
        at = end + len(ends_with)
        if unread := _RAW.match(folded, start):
            at = folded.find(f"</{unread[1]}", at)
            if at < 0:
                return "".join(parts)
        elif tag := _TAG.match(folded, start):
            parts.append(elements.process_tag(tag[2], folded[tag.end() : end], is_end=bool(tag[1])))
    return "".join([*parts, "" if elements.is_hidden else page[at : at + MOST_TEXT]])


class _Elements:
    """The open elements at the current position in the page."""

    def __init__(self, folded: str) -> None:
        self._rules = _rules(folded)
        self._open = [_Element("", is_hidden=False, names=frozenset(("html", "body")))]
        self._comparisons = 0

    @property
    def is_hidden(self) -> bool:
        return self._open[-1].is_hidden or len(self._open) >= _DEEPEST

    @property
    def is_linked(self) -> bool:
        return self._open[-1].is_linked

    def process_tag(self, name: str, attributes: str, *, is_end: bool) -> str:
        """Process a tag, and return the line break, tab or space that replaces the tag in the text."""
        if is_end:
            places = (place for place in range(len(self._open) - 1, 0, -1) if self._open[place].name == name)
            del self._open[next(places, len(self._open)) :]
        elif name not in _VOID and len(self._open) < _DEEPEST:
            if name == self._open[-1].name and name in _IMPLIED:
                self._open.pop()
            self._open.append(self._element(name, attributes))
        if is_end and name in _OPEN_ENDED:
            return " "
        return "\n" if name in _ROWS else "\t" if name in _CELLS else " "

    def _element(self, name: str, text: str) -> _Element:
        parent = self._open[-1]
        attributes = {
            match[1]: match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(text) if text
        }
        classes = (f".{word}" for word in attributes.get("class", "").split())
        names = frozenset((name, *classes, f"#{attributes.get('id')}"))
        style: Style = {}
        rules = [rule for key in names for rule in self._rules.get(key, ()) if rule.names <= names]
        for rule in sorted(rules, key=lambda rule: rule.order):
            self._comparisons += len(self._open) * len(rule.ancestors)
            if self._comparisons > _MOST_COMPARISONS:
                raise ValueError(name)
            if all(any(ancestor <= element.names for element in self._open) for ancestor in rule.ancestors):
                style |= rule.style
        style |= _declarations(attributes.get("style", ""))
        is_closed = name in ("details", "dialog") and "open" not in attributes
        is_hidden = self._open[-2].is_hidden if name == "summary" and parent.is_closed else parent.is_hidden
        ink = _color(style.get("color", attributes.get("color", ""))) or parent.ink
        background = style.get("background-color") or style.get("background") or attributes.get("bgcolor", "")
        paper = parent.paper if background in _NO_COLOR else _color(background)
        is_same = (
            paper is not None
            and max(abs(level - other) for level, other in zip(ink, paper, strict=True)) < _CONTRAST
        )
        return _Element(
            name,
            is_hidden
            or is_closed
            or is_same
            or name in _CONTROLS
            or "hidden" in attributes
            or _hides_text(style),
            ink,
            paper,
            names,
            is_closed and name == "details",
            parent.is_linked or (name == "a" and "href" in attributes),
        )
