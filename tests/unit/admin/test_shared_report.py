"""A report for a public issue describes a carrier's answers without any of their values."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from recours.admin.rehearsal import Recording, Unlimited
from recours.admin.shared_report import _Documented
from recours.admin.shared_report import shared_report as report_of
from recours.carriers.http import HttpSession
from recours.carriers.message import Request, Response
from recours.carriers.registry import CLIENTS
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock

FORMS = (
    "Zebulon{}Quackenbush", "zebulonQuackenbush{}", "ZEBULON_QUACKENBUSH_{}", "Zébulon{} Çelik", "+33 6 98 76 54 {:04}",
    "zq{}@quackenbush.example", "98{:02}7654ZQ", "1Z{:04}98765432109876", "12 rue Wozniak{}", "FR7698765{:04}", "98765-{:04}",
    "eyJhbGciOi{}XyZw", "wozniak.{:04}.qux",
)  # fmt: skip
SECRETS = [form.format(number) for form in FORMS for number in range(8)]
TAGS = [re.sub(r"\W", "", f"x{secret}") for secret in SECRETS]


def shared_report(recording: Recording) -> str:
    return report_of(recording, "0.0.0")


def recording_of(carrier: str, scenario: Scenario = Scenario.FULL_EVIDENCE) -> Recording:
    """A recording of a fetch from a simulated carrier."""
    client_type = CLIENTS[carrier]
    clock = SimulatedClock()
    box = Sandbox(clock.now)
    box.default = Parcel((scenario,))
    options = {option.name: option.default for option in client_type.spec.options}
    client = client_type(box.credentials(carrier, "10000001") | options)
    calls: list[dict[str, Any]] = []

    class Recorder(_Documented):
        def send(self, request: Request) -> Response:
            answer = super().send(request)
            body = answer.body.decode("utf-8", "surrogateescape")
            call = {"status": answer.status, "headers": dict(answer.headers), "body": body}
            calls.append(
                {"request": {"method": request.method, "path": request.origin + request.path}} | call
            )
            return answer

    session = HttpSession("", Unlimited(), Recorder(box, frozenset()), clock, lambda: 0.0, client.wait_asked)
    client.fetch(client_type.spec.number_example, None, session)
    number = client_type.spec.number_example
    return Recording(carrier, number, options, clock.now().isoformat(), "success", calls)


def planted(recording: Recording, secrets: list[str], tags: list[str]) -> Recording:
    """The same, with these as all values, and as additional names, codes, addresses, headers and whole answers."""
    calls = []
    for call in recording.calls:
        is_json = call["body"].startswith(("{", "["))
        body = _json(call["body"], secrets) if is_json else _xml(call["body"], secrets, tags)
        headers = call["headers"] | dict(zip(tags, secrets, strict=True))
        for name, secret in zip(
            ("error", "message", "args", "Content-Type", "Retry-After"), secrets, strict=False
        ):
            headers[name] = secret
        path = "/".join(["", tags[0], call["request"]["path"], *secrets])
        request = {"method": "GET", "path": f"https://{tags[0]}.example{path}?{tags[1]}={secrets[1]}"}
        changed = {"request": request, "status": call["status"], "headers": headers}
        calls += [
            changed | {"body": text}
            for text in (body, "%PDF-1.7 " + " ".join(secrets), f"<html>{secrets[0]}")
        ]
        calls.append(changed | {"body": json.dumps(secrets)})
        calls.append(changed | {"body": json.dumps(secrets[0])})
    return replace(recording, number=secrets[0], calls=calls)


def _json(body: str, secrets: list[str]) -> str:
    values = cycle(secrets)

    def change(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {name: change(value) for name, value in tree.items()} | {next(values): next(values)}
        if isinstance(tree, list):
            return [*map(change, tree), next(values), {next(values): [next(values)]}]
        return next(values) if isinstance(tree, str) else tree

    tree = change(json.loads(body))
    more = {secret: {secret: secret, "code": secret, "status": {"statusCode": secret}} for secret in secrets}
    return json.dumps(
        more | tree | {"errors": [{"code": secret, "url": f"https://x/{secret}"} for secret in secrets]}
    )


def _xml(body: str, secrets: list[str], tags: list[str]) -> str:
    values = cycle(secrets)
    changed = re.sub(r">[^<]+<", lambda _: f">{next(values)}<", body)
    changed = re.sub(r' ([a-z-]+)="[^"]*"(?=[^<>?]*>)', lambda name: f' {name[1]}="{next(values)}"', changed)
    more = "".join(
        f'<{tag} {tag}="{secret}"><code>{secret}</code><{tag}>{secret}</{tag}></{tag}>'
        for tag, secret in zip(tags, secrets, strict=True)
    )
    return changed.replace("</", f"{more}</", 1)


def parts(secret: str) -> Iterator[str]:
    yield secret.lower()
    yield from re.findall(r"\w{5,}", secret.lower())


@pytest.mark.parametrize("carrier", CLIENTS)
def test_the_report_contains_no_secret(carrier: str) -> None:
    assert len(set(SECRETS)) == 104
    recording = planted(recording_of(carrier), SECRETS, TAGS)
    everything = json.dumps(recording.calls, ensure_ascii=False)
    assert all(secret in everything for secret in SECRETS)
    report = shared_report(recording).lower()
    assert [part for secret in SECRETS for part in parts(secret) if part in report] == []
    assert report.count("?") > 5


@pytest.mark.parametrize("carrier", CLIENTS)
def test_the_length_of_values_and_their_number_are_not_in_the_report(carrier: str) -> None:
    short, long = (
        planted(recording_of(carrier), [secret * times for secret in secrets], TAGS)
        for times, secrets in ((1, ["Zq", "9"] * 52), (7, ["Zq", "9"] * 52))
    )
    assert shared_report(short) == shared_report(long)


@pytest.mark.parametrize("carrier", CLIENTS)
def test_a_documented_answer_has_no_differences(carrier: str) -> None:
    report = shared_report(recording_of(carrier))
    assert "but missing" not in report
    assert not re.search(r"^  .*\?", report, re.MULTILINE)
    assert "HTTP 200, " in report


def test_known_codes_and_differences_are_in_the_report() -> None:
    recording = recording_of("ups")
    call = dict(recording.calls[-1])
    tree = json.loads(call["body"])
    package = tree["trackResponse"]["shipment"][0]["package"][0]
    package["currentStatus"]["code"] = "Z9-77"
    package["currentStatus"]["description"] = "12 rue des Lilas, 75011 Paris"
    package["signedForBy"] = {"type": "DUPONT"}
    del package["deliveryInformation"]["receivedBy"]
    report = shared_report(replace(recording, calls=[call | {"body": json.dumps(tree)}]))
    lines = {path: text for path, _, text in (line.strip().partition(": ") for line in report.splitlines())}
    of_package = "trackResponse.shipment[].package[]"
    assert lines[f"{of_package}.activity[].status.statusCode"] == "code 005, code 011, code 021"
    assert lines[f"{of_package}.currentStatus.code"] == "text A9-9"
    assert lines[f"{of_package}.currentStatus.description"] == "text"
    assert lines[f"{of_package}.?.type"] == "text A"
    assert lines["documented, but missing"] == f"{of_package}.deliveryInformation.receivedBy"
    assert "1. GET /api/track/v1/details/?" in report


def test_documents_have_a_type_and_xml_attributes_are_fields() -> None:
    report = shared_report(recording_of("amazon_shipping"))
    assert "\n3. GET /delivery-images/signature.png\nHTTP 200, image/png\n" in report
    report = shared_report(recording_of("dhl_parcel_de"))
    assert "\n  data.data.data.data@standard-event-code[]: code " in report


def test_an_error_instead_of_an_answer_is_reported() -> None:
    recording = recording_of("ups")
    call = {"request": recording.calls[0]["request"], "error": "TimedOutError"}
    assert "\n1. POST /security/v1/oauth/token\nTimedOutError\n" in shared_report(
        replace(recording, calls=[call], kind="network")
    )
