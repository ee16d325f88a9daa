"""`make reference`: add a new carrier's settings to `.env.example` and its rows to docs/carriers.md, from its SPEC.

Existing entries stay, so people may add details to them. Tests check that no entry is missing, out of date or unused.
"""

from collections.abc import Iterator
from pathlib import Path

from recours.carriers.registry import CATALOG
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.quota import Capability

ROOT = Path(__file__).resolve().parents[1]
_AFTER_THE_CARRIERS = "# ---- Credentials kept elsewhere"
_ACCOUNTS = "| carrier | credentials | address | calls |"
_DOCUMENTS = "| carrier | provides |"
_LIVE = "| carrier | tracking first confirmed | document first confirmed | reported by |"


def settings_of(spec: CarrierSpec) -> dict[str, str]:
    """Every setting of one carrier with its default (empty if it has none), in the order of the example."""
    kinds = [what for what in Capability if what in spec.calls or what in spec.limits]
    return {
        **dict.fromkeys(spec.credential_names, ""),
        **{option.name: option.default for option in spec.options},
        spec.base_url_setting: spec.base_url,
        **({spec.document_first_setting: "false"} if spec.untracked_form else {}),
        f"QUOTA_{spec.prefix}": spec.limits.get(None, ""),
        **{f"QUOTA_{spec.prefix}_{what}": spec.limits.get(what, "") for what in kinds},
    }


def credentials_of(spec: CarrierSpec) -> str:
    """The names of the carrier's credentials, as in the manual."""
    return "; or ".join(", ".join(f"`{name}`" for name in names) for names in spec.credentials)


def completed_example(text: str, catalog: Catalog) -> str:
    """The text of `.env.example` with a section for each carrier."""
    before, mark, after = text.partition(_AFTER_THE_CARRIERS)
    missing = [spec for spec in catalog.specs.values() if f"#{spec.base_url_setting}=" not in before]
    return before + "".join(map(_section, missing)) + mark + after


def _section(spec: CarrierSpec) -> str:
    words = {option.name: f"# {option.description.capitalize()}" for option in spec.options}
    lines = [f"# ---- {spec.name}", ""]
    for name, default in settings_of(spec).items():
        lines += [*filter(None, [words.get(name)]), f"#{name}={default}"]
    return "\n".join([*lines, "", ""])


def completed_page(text: str, catalog: Catalog) -> str:
    """The text of docs/carriers.md with rows for each carrier and its options."""
    lines = text.splitlines()
    for spec in catalog.specs.values():
        _add(
            lines,
            _ACCOUNTS,
            spec.name,
            f"{credentials_of(spec)} | `{spec.base_url}` | `{spec.limits.get(None, '')}`",
        )
        gives = (
            "a document"
            if spec.issues_documents
            else "only the status; the carrier issues no proof of delivery"
        )
        _add(lines, _DOCUMENTS, spec.name, gives)
        document = "never" if spec.issues_documents else "no document exists"
        _add(lines, _LIVE, spec.name, f"never | {document} |")
    for option in (option for spec in catalog.specs.values() for option in spec.options):
        if not any(line.startswith(f"| `{option.name}` |") for line in lines):
            last = max(n for n, line in enumerate(lines) if line.startswith(tuple(_option_rows(catalog))))
            lines.insert(last + 1, f"| `{option.name}` | `{option.default}` | {option.description} |")
    return "\n".join(lines) + "\n"


def _option_rows(catalog: Catalog) -> Iterator[str]:
    """The beginning of the option rows."""
    return (f"| `{option.name}` |" for spec in catalog.specs.values() for option in spec.options)


def _add(lines: list[str], head: str, name: str, cells: str) -> None:
    """Add a row to the table with this head, sorted by the first column, unless the table has a row with this name."""
    first = end = lines.index(head) + 2
    while lines[end].startswith("|"):
        end += 1
    names = [line.split("|")[1].strip() for line in lines[first:end]]
    if name not in names:
        place = sum(other < name for other in names)
        lines.insert(first + place, f"| {name} | {cells} |")


def main() -> None:
    """Add what is missing in both files."""
    for name, completed in ((".env.example", completed_example), ("docs/carriers.md", completed_page)):
        path = ROOT / name
        path.write_text(completed(path.read_text(encoding="utf-8"), CATALOG), encoding="utf-8")


if __name__ == "__main__":
    main()
