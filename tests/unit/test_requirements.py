"""The pinned requirements agree with the requirements of the installed packages."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from recours import launch
from tests.unit.manual.pages import everything

ROOT = Path(__file__).resolve().parents[2]
FILES = ("requirements.txt", "tests/requirements.txt")


def pins(file: str) -> dict[str, Requirement]:
    """The pins for this platform, by name."""
    lines = re.findall(
        r"^([\w.-]+(?:\[[\w, -]+\])?==[^\\\n]+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
    )
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(pin.name): pin for pin in found if pin.marker is None or pin.marker.evaluate()}


def own(extra: str = "") -> list[Requirement]:
    """The project's own requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = project["dependencies"] + project["optional-dependencies"].get(extra, [])
    return [Requirement(text) for text in texts]


def needs(name: str, extras: set[str]) -> Iterator[Requirement]:
    """The requirements of a package on this platform with these extras."""
    for need in map(Requirement, metadata.requires(name) or []):
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield need


def test_every_required_package_is_pinned() -> None:
    """Including the requested extras."""
    todo = own()
    needed: set[str] = set()
    while todo:
        one = todo.pop()
        needed.add(canonicalize_name(one.name))
        todo.extend(needs(one.name, one.extras))
    assert needed >= {"pypdfium2", "pillow"}
    assert needed - set(pins("requirements.txt")) == set()


@pytest.mark.parametrize("file", FILES)
def test_every_pin_names_the_extras_that_another_package_asks_for(file: str) -> None:
    """Without the extra, pip ignores the pin, takes the newest release, and rejects it because its hash is missing."""
    pinned = pins(file)
    asked = own("dev" if file.startswith("tests") else "") + [
        need for name, pin in pinned.items() for need in needs(name, pin.extras)
    ]
    extras = {(canonicalize_name(need.name), extra) for need in asked for extra in need.extras}
    assert (("pypdf", "crypto") in extras) is file.startswith("tests")
    assert extras - {(name, extra) for name, pin in pinned.items() for extra in pin.extras} == set()


def test_packages_checked_at_start_match_the_declared_dependencies() -> None:
    """With the same minimum versions."""
    asked = {canonicalize_name(need.name): need for need in own()}
    looked_for = {canonicalize_name(name): oldest for name, oldest in launch.NEEDED}
    assert set(looked_for) == set(asked)
    for name, need in asked.items():
        oldest = [one.version for one in need.specifier if one.operator == ">="]
        assert [".".join(map(str, looked_for[name]))] == (oldest or [""]), name


def test_no_text_installs_recours_by_its_name() -> None:
    """Somebody else could own the name on PyPI, and such an installation would replace the one of a checkout."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "recours").rglob("*.p[oy]"))
    texts = everything() + code + (ROOT / ".env.example").read_text(encoding="utf-8")
    assert re.findall(r"pip install (?:-\S+ )*['\"]?recours.*", texts) == []
