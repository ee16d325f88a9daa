"""The schemas of requests in `tests/schemas` cover all calls, and each schema rejects invalid requests.

`tests/schemas/plugin.py` checks in every test that each request conforms to its schema.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
from xmlschema import XMLSchema

from recours.carriers.registry import CATALOG, CLIENTS
from recours.sandbox.answers import BadRequestError, HttpRequest
from recours.sandbox.registry import SIMULATED
from tests.carriers.cases import CASES
from tests.fakes.simulated import SandboxSession, client_of, quiet_sandbox
from tests.rows import row
from tests.schemas.specification import FOLDER, Operation, Sent, app, faults_of, operation_of

NAMES = [f"{one.carrier} {one.name}" for one in app()]

# Settings and a number for which requests have other parts than for the sandbox's example.
OTHERWISE = {
    "dhl_express": ({}, "JJD0123456789"),
    "colissimo": ({"COLISSIMO_LOGIN": "", "COLISSIMO_API_KEY": "10000001-123456"}, "6A00000000017"),
    "gls": ({}, "ZX00AAAA"),
}


@cache
def real(carrier: str) -> tuple[Sent, ...]:
    """The client's requests for a delivered parcel, including those with the settings in OTHERWISE."""
    number = quiet_sandbox().example(carrier, "99", 1)
    sessions = [SandboxSession(client_of(carrier), number)]
    if carrier in OTHERWISE:
        settings, number = OTHERWISE[carrier]
        client = CLIENTS[carrier](dict(client_of(carrier).settings) | settings)
        sessions.append(SandboxSession(client, number, lenient=True))
    for session in sessions:
        session.fetch()
    asked = [request for session in sessions for _, request in session.requests]
    return tuple(Sent(r.method, r.path, r.headers, r.body or b"", r.origin) for r in asked)


def sent_for(operation: Operation) -> list[Sent]:
    return [one for one in real(operation.carrier) if operation_of(one, operation.carrier) == operation]


# ---------------------------------------------------------------- the schemas are complete


def test_every_carrier_has_a_schema_of_each_of_its_calls() -> None:
    found = {carrier: {one.name for one in app() if one.carrier == carrier} for carrier in CATALOG.specs}
    assert found.keys() == {one.carrier for one in app()}
    for carrier, cases in CASES.items():
        assert set(cases.calls) <= found[carrier], carrier


def test_every_schema_is_for_a_call_that_a_client_makes() -> None:
    assert [f"{one.carrier} {one.name}" for one in app() if not sent_for(one)] == []


def test_every_object_of_a_schema_is_closed() -> None:
    def objects(schema: Any) -> Iterator[Any]:
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                yield schema
            for part in schema.values():
                yield from objects(part)

    found = [schema for one in app() for schema in objects(one.json)]
    assert found
    assert all(schema["additionalProperties"] is False for schema in found)


@pytest.mark.parametrize("carrier", sorted(CATALOG.specs))
def test_requests_of_a_client_match_the_schema(carrier: str) -> None:
    assert [fault for sent in real(carrier) for fault in faults_of(sent, carrier)] == []


# ---------------------------------------------------------------- the schemas are strict


def without_name(parts: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in parts.items() if key.lower() != name.lower()}


def required(patterns: Any) -> list[str]:
    return [name for name in patterns if not name.endswith("?")] if isinstance(patterns, dict) else []


def query_of(sent: Sent) -> dict[str, str]:
    return dict(parse_qsl(sent.path.partition("?")[2]))


def with_query(sent: Sent, query: dict[str, str]) -> Sent:
    return replace(sent, path=f"{sent.path.partition('?')[0]}?{urlencode(query)}")


def attributes_of(sent: Sent) -> dict[str, str]:
    """The attributes of the element in the query."""
    return dict(fromstring(query_of(sent)["xml"]).attrib)


def with_attributes(sent: Sent, attributes: dict[str, str]) -> Sent:
    return with_query(sent, {"xml": tostring(Element("data", attributes), "unicode")})


def mutilated(operation: Operation, sent: Sent) -> Iterator[tuple[str, Sent]]:
    """Yield copies of the request that each lack a required part, with the part's name."""
    for name in required(operation.headers):
        yield name, replace(sent, headers=without_name(dict(sent.headers), name))
    for name in required(operation.query):
        yield name, with_query(sent, without_name(query_of(sent), name))
    for name in required(operation.xml):
        yield name, with_attributes(sent, without_name(attributes_of(sent), name))
    for name in required(operation.form):
        form = without_name(dict(parse_qsl(sent.body.decode())), name)
        yield name, replace(sent, body=urlencode(form).encode())
    if operation.json is not None:
        tree = json.loads(sent.body)
        for path in required_members(operation.json, tree):
            yield str(path[-1]), replace(sent, body=json.dumps(without_member(tree, path)).encode())
    if operation.soap is not None:
        for name, body in without_elements(operation, sent.body):
            yield name, replace(sent, body=body)


def required_members(
    schema: Any, tree: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    """The paths of the members that a schema requires, including those required by only one alternative."""
    if isinstance(tree, list):
        yield from required_members(schema["items"], tree[0], (*path, 0))
    elif isinstance(tree, dict):
        ways = [schema, *schema.get("oneOf", ())]
        wanted = {name for way in ways for name in way.get("required", ())} & tree.keys()
        for name in wanted:
            yield (*path, name)
        for name, part in tree.items():
            yield from required_members(schema["properties"][name], part, (*path, name))


def without_member(tree: Any, path: tuple[str | int, ...]) -> Any:
    whole = part = deepcopy(tree)
    for step in path[:-1]:
        part = part[step]
    del part[path[-1]]
    return whole


def without_elements(operation: Operation, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield copies of the envelope that each lack a part or an element that the XSD requires."""
    schema = XMLSchema(FOLDER / f"{operation.carrier}.xsd")
    for part in fromstring(body):
        yield local(part.tag), without_element(body, part.tag)
        for block in part:
            yield local(part.tag), without_element(body, block.tag)
            for tag in required_elements(schema.elements[local(block.tag)], block):
                yield local(tag), without_element(body, tag)


def required_elements(declared: Any, element: Element) -> Iterator[str]:
    inner = {one.local_name: one for one in declared.type.content.iter_elements()} if len(element) else {}
    for child in element:
        if inner[local(child.tag)].min_occurs:
            yield child.tag
        yield from required_elements(inner[local(child.tag)], child)


def without_element(body: bytes, tag: str) -> bytes:
    root = fromstring(body)
    parent = parent_of(root, tag)
    element = parent.find(tag)
    assert element is not None
    parent.remove(element)
    return tostring(root)


def parent_of(root: Element, tag: str) -> Element:
    """The parent of the element with this name, which is unique in a request."""
    return next(one for one in root.iter() if one.find(tag) is not None)


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


def named(name: str) -> Operation:
    return app()[NAMES.index(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_request_without_a_required_part_is_rejected(name: str) -> None:
    operation = named(name)
    for sent in sent_for(operation):
        for part, less in mutilated(operation, sent):
            said = [
                fault.partition(" (by ")[0].removeprefix(name) for fault in faults_of(less, operation.carrier)
            ]
            assert any(re.search(rf"\b{part}\b", fault) for fault in said), (part, said)


def added(operation: Operation, sent: Sent) -> Iterator[tuple[str, Sent]]:
    """Yield copies of the request that each have a part outside the specification, with the part's name."""
    yield "x-new", replace(sent, headers={**sent.headers, "X-New": "1"})
    if isinstance(operation.query, dict):
        yield "x_new", with_query(sent, query_of(sent) | {"x_new": "1"})
        if query := query_of(sent):
            yield (
                f"{next(iter(query))} is there 2 times",
                replace(sent, path=f"{sent.path}&{urlencode(query)}"),
            )
    if operation.xml is not None:
        yield "x_new", with_attributes(sent, attributes_of(sent) | {"x_new": "1"})
    if operation.form is not None:
        yield "x_new", replace(sent, body=sent.body + b"&x_new=1")
    if operation.json is not None:
        yield "x_new", replace(sent, body=json.dumps(json.loads(sent.body) | {"x_new": 1}).encode())
    if operation.soap is not None:
        root = fromstring(sent.body)
        call = root.find(f".//{{*}}{operation.soap['body']}")
        assert call is not None
        call.append(Element("x_new"))
        yield "x_new", replace(sent, body=tostring(root))


@pytest.mark.parametrize("name", NAMES)
def test_a_request_with_an_unknown_part_is_rejected(name: str) -> None:
    operation = named(name)
    for part, sent in added(operation, sent_for(operation)[0]):
        assert any(part in fault for fault in faults_of(sent, operation.carrier)), part


@pytest.mark.parametrize("name", [name for name in NAMES if named(name).soap])
def test_elements_out_of_order_are_rejected(name: str) -> None:
    operation = named(name)
    (sent, *_) = sent_for(operation)
    parents = [one for one in fromstring(sent.body).iter() if len(one) > 1 and "soap/envelope" not in one.tag]
    assert parents
    for parent in parents:
        root = fromstring(sent.body)
        turned = next(one for one in root.iter() if one.tag == parent.tag)
        turned[:] = list(turned)[1:] + list(turned)[:1]
        assert faults_of(replace(sent, body=tostring(root)), operation.carrier), parent.tag


# ---------------------------------------------------------------- the simulators are as strict


def changed(operation: Operation, sent: Sent) -> Iterator[tuple[str, Sent]]:
    """Yield copies of the request that each have a part in a wrong format, with the part's name."""
    yield "method", replace(sent, method="POST" if sent.method == "GET" else "GET")
    for name in sent.headers:
        yield name, replace(sent, headers={**sent.headers, name: "?"})
    yield from changed_values(operation, sent)
    if operation.json is not None:
        for body in (b"{", b"[]"):
            yield "body", replace(sent, body=body)
        for path, tree in changed_members(json.loads(sent.body)):
            yield str(path), replace(sent, body=json.dumps(tree).encode())
    if operation.soap is not None:
        yield "body", replace(sent, body=b"{}")
        for name, root in changed_elements(sent.body):
            yield name, replace(sent, body=tostring(root))


def changed_values(operation: Operation, sent: Sent) -> Iterator[tuple[str, Sent]]:
    """Yield copies with a changed parameter of the query, attribute of its XML, or form field."""
    for name in query_of(sent):
        yield name, with_query(sent, query_of(sent) | {name: "?"})
    for name in operation.xml or ():
        yield name, with_attributes(sent, attributes_of(sent) | {name.rstrip("?"): "?"})
    if operation.form is not None:
        form = dict(parse_qsl(sent.body.decode()))
        for name in form:
            yield name, replace(sent, body=urlencode(form | {name: "?"}).encode())


def changed_members(tree: Any) -> Iterator[tuple[str | int, Any]]:
    """Yield copies of the tree that each have a replaced value, with the name of the value."""
    for name, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
        odd: Any
        for odd in ("?", 7, {}):
            yield name, replaced_member(tree, name, odd)
        if isinstance(part, dict | list):
            yield from ((inner, replaced_member(tree, name, other)) for inner, other in changed_members(part))


def replaced_member(tree: Any, name: Any, value: Any) -> Any:
    other = list(tree) if isinstance(tree, list) else dict(tree)
    other[name] = value
    return other


def changed_elements(body: bytes) -> Iterator[tuple[str, Element]]:
    """Yield copies of the envelope with an element reversed, renamed, or with another namespace, child or text."""
    for place, original in enumerate(fromstring(body).iter()):
        parts, tag = list(original), original.tag
        changes: list[tuple[str, list[Element], str | None]] = [
            (tag, parts[1:] + parts[:1], original.text),
            (f"{tag}X", parts, original.text),
            (local(tag), parts, original.text),
            (tag, [*parts, Element("x")], original.text),
            (tag, parts, original.text if parts else "?"),
        ]
        for name, inner, text in changes:
            root = fromstring(body)
            element = list(root.iter())[place]
            element.tag, element[:], element.text = name, inner, text
            yield local(tag), root


# Without these headers, the credentials are missing, which is answered differently from an invalid request.
SHOWN = {"Authorization", "DHL-API-Key", "X-Key", "x-amz-access-token"}
# Unknown headers and parameters, and repeated parameters. No source says that a service refuses them.
ANY_SERVICE_TAKES = {"x-new", "x_new"}
TAKEN = {
    "chronopost": {"SOAPAction", "skybillNumber"},
    "dhl_express": {"Message-Reference", "shipperAccountNumber"},
    "dpd": {"Header", "number"},
    "fedex": {"accountNumber"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_simulated_carrier_refuses_what_the_schema_rejects(name: str) -> None:
    operation = named(name)
    simulated = next(one for one in SIMULATED if one.key == operation.carrier)
    taken = ANY_SERVICE_TAKES | SHOWN | TAKEN.get(operation.carrier, set())
    refused = 0
    for sent in sent_for(operation):
        variants = [*mutilated(operation, sent), *added(operation, sent), *changed(operation, sent)]
        for part, wrong in variants:
            if part in taken or " is there " in part or not faults_of(wrong, operation.carrier):
                continue
            path, _, query = wrong.path.partition("?")
            headers = {key.lower(): value for key, value in wrong.headers.items()}
            with row(part, wrong), pytest.raises(BadRequestError):
                simulated.read(HttpRequest(wrong.method, path, headers, wrong.body, query))
            refused += 1
    assert refused


# ---------------------------------------------------------------- unknown operations


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/oauth/token", b""),
        ("GET", "/track/v2/trackingnumbers", b""),
        ("GET", "/suivi/v2/idships/" + ",".join(["6A00000000017"] * 11), b""),
        ("POST", "/tracking-cxf/TrackingServiceWS", b"<a><Body><searchPODs/></Body></a>"),
    ],
)
def test_unknown_operations_are_rejected(method: str, path: str, body: bytes) -> None:
    assert faults_of(Sent(method, path, {}, body, ""))


def test_the_key_is_never_sent_to_a_link_of_dhl() -> None:
    link = Sent("GET", "/webPOD/1", {"DHL-API-Key": "k"}, b"", "https://webpod.dhl.com")
    (fault,) = faults_of(link)
    assert fault.startswith("dhl webPOD: the header dhl-api-key is unknown")
    assert faults_of(replace(link, headers={})) == []
    assert faults_of(replace(link, headers={}, origin="https://dhl.com.example")) != []
