"""Answers damaged in realistic ways: bytes lost and changed, trees cut and retyped."""

import json
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

# Values of a type other than the documented one.
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1e308, float("nan"), float("inf"), "", " ", "0", "\x00", "\ud800", "\u202e",
    "é" * 2000, "9" * 5000, "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "31.02.2026", "99/99/99", "25:61",
    "%PDF-1.4", "JVBERi0=", "====", "</Envelope>", "&lol;", [], {}, [[]], [None], {"": None}, ["x"] * 3, "DELIVERED", "OK", "82",
    "https://evil.example/", "https://dhl.com@evil.example/", "file:///etc/passwd", "http://[::1",
)  # fmt: skip
_TEXTS = [value for value in ODD_VALUES if isinstance(value, str)]


def spoilt(body: bytes, chance: Random) -> bytes:
    """The body, damaged in one of the ways; sometimes unchanged."""
    ways = (
        _as_it_is,
        _bytes_turned,
        _bytes_turned,
        _cut,
        _tree_spoilt,
        _tree_spoilt,
        _tree_spoilt,
        _tree_spoilt,
    )
    return chance.choice(ways)(body, chance)


def _as_it_is(body: bytes, _chance: Random) -> bytes:
    return body


def _cut(body: bytes, chance: Random) -> bytes:
    return body[: chance.randint(0, len(body))]


def _bytes_turned(body: bytes, chance: Random) -> bytes:
    turned = bytearray(body)
    for _ in range(chance.randint(1, 5)):
        place = chance.randint(0, len(turned))
        turned[place : place + chance.randint(0, 12)] = chance.randbytes(chance.randint(0, 6))
    return bytes(turned)


def _tree_spoilt(body: bytes, chance: Random) -> bytes:
    try:
        return _json_spoilt(body, chance)
    except ValueError:
        pass
    try:
        return _xml_spoilt(body, chance)
    except ET.ParseError:
        return _bytes_turned(body, chance)


# ---------------------------------------------------------------- JSON


def _json_spoilt(body: bytes, chance: Random) -> bytes:
    tree = json.loads(body)
    for _ in range(chance.randint(1, 3)):
        tree = _changed_somewhere(tree, chance)
    return json.dumps(tree).encode()


def _changed_somewhere(tree: Any, chance: Random) -> Any:
    """The tree with one of its parts changed; at greater depth it is more likely to stop."""
    if not isinstance(tree, dict | list) or not tree or chance.random() < 0.2:
        return chance.choice(ODD_VALUES)
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = chance.choice(keys)
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    what = chance.random()
    if what < 0.1:
        del changed[key]
    elif what < 0.2:
        changed[key] = [tree[key], tree[key]]
    elif what < 0.25 and isinstance(changed, dict):
        changed[f"{key}X"] = changed.pop(key)
    else:
        changed[key] = _changed_somewhere(tree[key], chance)
    return changed


# ---------------------------------------------------------------- XML


def _xml_spoilt(body: bytes, chance: Random) -> bytes:
    root = ET.fromstring(body)
    for _ in range(chance.randint(1, 3)):
        parents = [element for element in root.iter() if len(element)]
        parent = chance.choice(parents) if parents else root
        _change_below(parent, chance)
    return ET.tostring(root)


def _change_below(parent: ET.Element, chance: Random) -> None:
    if not len(parent):
        parent.text = _xml_text(chance)
        return
    child = chance.choice(list(parent))
    what = chance.random()
    if what < 0.2:
        parent.remove(child)
    elif what < 0.3:
        parent.append(child)
    elif what < 0.4:
        child.tag = f"{child.tag}X"
    elif what < 0.5:
        child.tag = child.tag.rpartition("}")[2]
    elif what < 0.6:
        child.append(ET.Element(child.tag))
    else:
        child.text = _xml_text(chance)


def _xml_text(chance: Random) -> str:
    return "".join(c for c in chance.choice(_TEXTS) if c.isprintable() or c == "\u202e")
