"""The simulated carriers answer as documented, and misbehave as scripted."""

import base64
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pypdf
import pytest
from defusedxml.ElementTree import fromstring

from recours.sandbox import BY_DIGITS, Parcel, Sandbox, Scenario, SimulatedClock, scenario_table
from recours.sandbox.answers import HttpRequest
from recours.sandbox.server import Token
from tests.fakes.hostile import AnyStep, Attack, Pace
from tests.planted import PASSWORD
from tests.rows import row

pytestmark = pytest.mark.wrong_requests(
    "made by hand: what a sandbox does with right ones and with wrong ones"
)

N = "XY123456789FR"
PATH = "/tracking-cxf/TrackingServiceWS"
CXF = "{http://cxf.tracking.soap.chronopost.fr/}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
S = Scenario


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2026, 10, 6, 10, 31, 0, 123456, tzinfo=UTC))


@pytest.fixture
def box(clock: SimulatedClock) -> Iterator[Sandbox]:
    with Sandbox(now=clock.now) as box:
        yield box


def script(box: Sandbox, *steps: AnyStep, **more: Any) -> None:
    box.parcels[N] = Parcel(steps, **more)


def envelope(call: str, ns: str = CXF[1:-1], soap: str = SOAP[1:-1]) -> bytes:
    return (
        f'<soapenv:Envelope xmlns:soapenv="{soap}" xmlns:cxf="{ns}">\n'
        f"<soapenv:Body>{call}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def track_call(number: str = N) -> bytes:
    return envelope(
        f"<cxf:trackSkybillV2><language>fr_FR</language><skybillNumber>{number}</skybillNumber></cxf:trackSkybillV2>"
    )


def pod_call(number: str = N, account: str = "10000001", password: str = PASSWORD) -> bytes:
    return envelope(
        f"<cxf:searchPOD><accountNumber>{account}</accountNumber><password>{password}</password><language>fr_FR"
        f"</language><skybillNumber>{number}</skybillNumber><pdf>true</pdf></cxf:searchPOD>"
    )


def connect(box: Sandbox) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(box.url.rpartition(":")[2])), timeout=5)


def xml(body: bytes) -> Any:
    return fromstring(body)


class Reply:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        self.kept_open = not answer.will_close

    @property
    def result(self) -> Any:
        operation = xml(self.body).find(f"{SOAP}Body")[0]
        assert operation.tag in (f"{CXF}trackSkybillV2Response", f"{CXF}searchPODResponse")
        return operation.find("return")

    @property
    def fields(self) -> dict[str, str]:
        return {e.tag: e.text or "" for e in self.result}

    @property
    def fault(self) -> tuple[str, str]:
        fault = xml(self.body).find(f"{SOAP}Body/{SOAP}Fault")
        assert [e.tag for e in fault] == ["faultcode", "faultstring"]
        return fault[0].text, fault[1].text


def send(box: Sandbox, body: bytes, method: str = "POST", path: str = PATH, **headers: str) -> Reply:
    line = http.client.HTTPConnection("127.0.0.1", int(box.url.rpartition(":")[2]), timeout=5)
    try:
        line.request(method, path, body, {**HEADERS, **headers})
        return Reply(line.getresponse())
    finally:
        line.close()


def track(box: Sandbox, number: str = N) -> Reply:
    return send(box, track_call(number))


def pod(box: Sandbox, **parts: str) -> Reply:
    return send(box, pod_call(**parts))


def document(reply: Reply) -> bytes:
    return base64.b64decode(reply.fields["pod"], validate=True)


def attempt_result(box: Sandbox) -> str:
    """The result of one attempt of a client that tracks first."""
    reply = track(box)
    if reply.status != 200 or reply.result.find("listEventInfoComp/events[code='D']") is None:
        return "not delivered" if reply.status == 200 else str(reply.status)
    return pod(box).fields.get("statusCode", "none")


def in_parallel(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# --- the facts: shapes ---


def test_text_that_xml_cannot_hold(box: Sandbox) -> None:
    script(box, S.DELIVERED, signatory="A\x00\x1b\ud800\uffffB\tC\r\n")
    assert track(box).result.findall(".//infoCompList/value")[-1].text == "AB\tC\r\n"
    assert document(pod(box)).startswith(b"%PDF-")


@pytest.mark.parametrize("signatory", ["MARTIN", ""])
def test_no_signatory(box: Sandbox, signatory: str) -> None:
    script(box, S.DELIVERED_NO_SIGNATORY if signatory else S.DELIVERED, signatory=signatory)
    reply = track(box)
    assert reply.result.find("listEventInfoComp/events[code='D']") is not None
    names = {name.text for name in reply.result.findall(".//infoCompList/name")}
    assert "Lieu" in names
    assert "Nom du réceptionnaire" not in names
    content = document(pod(box))
    assert "(non renseigné)" in pypdf.PdfReader(io.BytesIO(content)).pages[0].extract_text()
    assert b" l S\n" not in content  # no ink


def test_pod_is_a_real_pdf_with_the_facts_of_the_parcel(
    box: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    script(box, S.DELIVERED, signatory="Zoé (2e) \\ É")
    track(box)
    reply = pod(box)
    assert [e.tag for e in reply.result] == ["errorCode", "formatPOD", "pod", "podPresente", "statusCode"]
    assert {**reply.fields, "pod": ""} == {
        "errorCode": "0", "formatPOD": "PDF", "pod": "", "podPresente": "true", "statusCode": "5",
    }  # fmt: skip
    content = document(reply)
    assert content.startswith(b"%PDF-")
    assert b" l S\n" in content  # a drawn signature
    reader = pypdf.PdfReader(io.BytesIO(content), strict=True)
    assert len(reader.pages) == 1
    text = reader.pages[0].extract_text()
    for fact in ("Chronopost", N, "Zoé (2e) \\ É", "05/10/2026 10:31", "Simulation"):
        assert fact in text
    assert not caplog.records  # pypdf repairs it with a warning
    assert document(pod(box)) == content


# --- the facts: what is asked of a client ---


MALFORMED = {
    "no XML": b"{}",
    "DTD": b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + track_call(),
    "Latin-1": track_call("\xe9").decode().encode("latin-1"),
    "unknown encoding": b'<?xml version="1.0" encoding="none"?>' + track_call(),
    "two calls": envelope("<cxf:trackSkybillV2/>" * 2),
    "no call": envelope(""),
    "no body": f'<e:Envelope xmlns:e="{SOAP[1:-1]}"/>'.encode(),
    "unknown operation": track_call().replace(b"trackSkybillV2", b"trackSkybill"),
}


def test_a_malformed_request_is_a_client_fault(box: Sandbox) -> None:
    script(box, S.DELIVERED)
    for name, body in MALFORMED.items():
        with row(name):
            reply = send(box, body)
            assert (reply.status, reply.fault[0]) == (500, "soap:Client")
            assert reply.fault[1].startswith("Unmarshalling Error: ")
            call = box.calls[-1]
            noted = (call.carrier, call.operation, call.number, call.account, call.scenario)
            assert noted == ("chronopost", "?", "?", "", None)


def test_connection_is_kept(box: Sandbox) -> None:
    script(box, S.DELIVERED)
    line = http.client.HTTPConnection("127.0.0.1", int(box.url.rpartition(":")[2]), timeout=5)
    sockets = set()
    calls = [("POST", track_call()), ("GET", b""), ("HEAD", b""), ("POST", b"{}"), ("POST", pod_call())]
    for method, body in calls:
        line.request(method, PATH, body, HEADERS)
        assert Reply(line.getresponse()).kept_open
        sockets.add(line.sock)
    line.close()
    assert len(sockets) == 1


# --- misbehaviour ---


def test_a_client_that_disconnects_is_not_reported(box: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    script(box, Attack.OVERSIZED)
    with connect(box) as line:
        line.sendall(raw_request(track_call()))
        assert line.recv(8) == b"HTTP/1.1"
    server = box._server
    assert server is not None
    wait_for(lambda: not server._open)
    assert capfd.readouterr() == ("", "")


def raw_request(body: bytes) -> bytes:
    head = f'POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nSOAPAction: ""\r\n'
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("scenario", [Attack.SLOW, Attack.DRIP, Attack.DRIP_HEADERS, Attack.OVERSIZED, None])
def test_stopping_is_prompt_and_leaves_no_thread(
    scenario: Attack | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count()
    box = Sandbox()
    box.start()
    box.latency = 0 if scenario else 60
    monkeypatch.setattr(Pace, "late", 60)
    monkeypatch.setattr(Pace, "drip", 60)
    script(box, scenario or S.DELIVERED)
    with connect(box) as idle, connect(box) as busy:
        busy.sendall(raw_request(track_call()))
        wait_for(lambda: len(box.calls) == 1)
        server = box._server
        assert server is not None
        start = time.monotonic()
        box.stop()
        assert time.monotonic() - start < 2
        assert not server._open
        assert idle.recv(1) == b""
        if scenario in (Attack.SLOW, None):
            assert busy.recv(1) == b""
        wait_for(lambda: threading.active_count() == before)


# --- scripts ---


def test_each_attempt_uses_up_a_step_and_the_last_one_stays(box: Sandbox) -> None:
    script(box, S.IN_TRANSIT, S.MAINTENANCE, S.POD_LATE, S.POD_NONE, S.DELIVERED)
    assert [attempt_result(box) for _ in range(7)] == ["not delivered", "503", "3", "2", "5", "5", "5"]


def test_tracking_a_delivered_parcel_uses_up_nothing(box: Sandbox) -> None:
    script(box, S.POD_LATE, S.DELIVERED)
    assert len({track(box).body for _ in range(3)}) == 1
    assert [pod(box).fields["statusCode"] for _ in range(2)] == ["3", "5"]


def test_delivery_date_is_fixed_at_the_first_answer_that_says_delivered(
    box: Sandbox, clock: SimulatedClock
) -> None:
    script(box, S.IN_TRANSIT, S.POD_LATE, S.DELIVERED, delivered_after=timedelta(minutes=-30))
    attempt_result(box)
    clock.advance(timedelta(days=1))
    dates = set()
    for _ in range(3):
        events = track(box).result.findall("listEventInfoComp/events[code='D']")
        dates.add(events[0].findtext("eventDate"))
        pod(box)
        clock.advance(timedelta(days=1))
    assert dates == {"2026-10-07T12:01:00+02:00"}
    assert "07/10/2026 12:01" in pypdf.PdfReader(io.BytesIO(document(pod(box)))).pages[0].extract_text()


def test_a_refused_password_does_not_fix_the_delivery_date(box: Sandbox, clock: SimulatedClock) -> None:
    script(box, S.DELIVERED)
    pod(box, password="0")
    clock.advance(timedelta(days=30))
    assert b"2026-11-04T09:31:00+01:00" in track(box).body  # winter time


def test_a_new_script_starts_from_its_first_step(box: Sandbox) -> None:
    script(box, S.IN_TRANSIT, S.POD_LATE)
    attempt_result(box)
    script(box, S.IN_TRANSIT, S.POD_LATE)
    assert [attempt_result(box), attempt_result(box)] == ["not delivered", "3"]
    with pytest.raises(ValueError, match="at least one step"):
        Parcel(())


def test_scenarios_by_the_first_two_digits(box: Sandbox) -> None:
    assert len({name for steps in BY_DIGITS.values() for name in steps}) == len(Scenario)
    for number, steps in [("XY021234567FR", BY_DIGITS["02"]), ("12345678901234", BY_DIGITS["12"])]:
        for step in steps:
            assert send(box, pod_call(number)).status == 200
            assert box.calls_for(number)[-1].scenario is step
    numbers = ["XY99123456TS", "AB", "", "X0Y0"]
    for number in numbers:
        track(box, number)
    assert [box.calls_for(n)[0].scenario for n in numbers] == [S.UNKNOWN] * 3 + [S.DELIVERED]


def test_the_default_is_the_script_of_every_number_without_one(box: Sandbox) -> None:
    box.default = Parcel((S.DELIVERED,))
    script(box, S.POD_NEVER)
    assert document(pod(box, number="XY999999999FR")).startswith(b"%PDF-")
    assert "pod" not in pod(box).fields


def test_scenario_table() -> None:
    rows = dict(scenario_table())
    assert list(rows) == list(BY_DIGITS)
    assert rows["00"] == "delivered and signed for, the POD is a PDF"
    assert rows["03"] == (
        "attempts 1 to 3: on its way, not delivered; from attempt 4: delivered and signed for, the POD is a PDF"
    )
    assert rows["06"] == (
        "attempt 1: on its way, not delivered; attempt 2: delivered, the POD is not available yet; "
        "from attempt 3: delivered and signed for, the POD is a PDF"
    )


# --- the sandbox ---


def test_calls_are_recorded_with_the_clock_of_the_sandbox(box: Sandbox, clock: SimulatedClock) -> None:
    script(box, S.DELIVERED)
    at = clock.now()
    track(box)
    clock.advance(timedelta(minutes=1))
    pod(box)
    track(box, "XY111234567FR")
    calls = [(c.at, c.carrier, c.operation, c.number, c.account, c.scenario) for c in box.calls]
    later = at + timedelta(minutes=1)
    assert calls == [
        (at, "chronopost", "trackSkybillV2", N, "", S.DELIVERED),
        (later, "chronopost", "searchPOD", N, "10000001", S.DELIVERED),
        (later, "chronopost", "trackSkybillV2", "XY111234567FR", "", S.UNKNOWN),
    ]
    assert box.calls_for(N) == box.calls[:2]
    assert "123456'" not in repr(box.calls)


# --- several accounts ---

OTHER = {"account": "10000002", "password": "222222"}


@pytest.fixture
def other(box: Sandbox) -> dict[str, str]:
    """Another account besides the first one."""
    box.accounts[OTHER["account"]] = OTHER["password"]
    return OTHER


def test_requests_of_other_accounts_do_not_advance_the_script(box: Sandbox, other: dict[str, str]) -> None:
    script(box, S.POD_LATE, S.DELIVERED, owner=other["account"])
    for _ in range(3):
        pod(box)
    assert [pod(box, **other).fields["statusCode"] for _ in range(2)] == ["3", "5"]


def test_a_token_is_valid_only_at_its_own_carrier(box: Sandbox, clock: SimulatedClock) -> None:
    body = {
        "includeDetailedScans": True,
        "trackingInfo": [{"trackingNumberInfo": {"trackingNumber": "123456789012"}}],
    }
    headers = {"content-type": "application/json", "x-locale": "fr_FR", "authorization": "Bearer token"}
    request = HttpRequest("POST", "/track/v1/trackingnumbers", headers, json.dumps(body).encode())
    for carrier, status in (("ups", 401), ("fedex", 200)):
        box.tokens["token"] = Token(carrier, "10000001", PASSWORD, clock.now() + timedelta(hours=1))
        assert box.answer(request).status == status


def test_parallel_calls_each_take_one_step(box: Sandbox) -> None:
    script(box, *[S.POD_LATE] * 20, S.POD_NONE)
    box.latency = 0.5
    got: list[str] = []
    start = time.monotonic()
    in_parallel(40, lambda: got.append(pod(box).fields["statusCode"]))
    assert 0.5 <= time.monotonic() - start < 10  # concurrently: one after the other would take 20
    assert sorted(got) == ["2"] * 20 + ["3"] * 20
    assert [c.scenario for c in box.calls] == [S.POD_LATE] * 20 + [S.POD_NONE] * 20


def test_start_and_stop() -> None:
    box = Sandbox()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = box.url
    with box:
        url = box.url
        assert url.startswith("http://127.0.0.1:")
        with pytest.raises(RuntimeError, match="already running"):
            box.start()
        assert track(box, "XY101234567FR").status == 200
    with pytest.raises(ConnectionRefusedError):
        track(box)
    box.stop()
    with box:  # the carrier is back, at the same address
        assert box.url == url
        assert track(box, "XY101234567FR").status == 200
    assert len(box.calls) == 2


def test_a_bug_in_the_sandbox_is_not_hidden(box: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    box.parcels[N] = cast("Parcel", "no parcel")
    with pytest.raises(http.client.RemoteDisconnected):
        track(box)
    assert "AttributeError" in capfd.readouterr().err


def test_only_loopback_listens(box: Sandbox) -> None:
    assert box._server is not None
    assert box._server.socket.getsockname()[0] == "127.0.0.1"


def test_simulated_clock() -> None:
    clock = SimulatedClock(datetime.fromisoformat("2026-01-01T01:00:00+01:00"))
    assert (clock.now(), clock.now().tzinfo, clock.monotonic()) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        UTC,
        0.0,
    )
    clock.sleep(1.5)
    clock.advance(timedelta(days=1))
    assert clock.now() == datetime(2026, 1, 2, 0, 0, 1, 500000, tzinfo=UTC)
    assert clock.monotonic() == 86401.5
    with pytest.raises(ValueError, match="back"):
        clock.sleep(-1)
    with pytest.raises(ValueError, match="aware"):
        SimulatedClock(datetime(2026, 1, 1))  # noqa: DTZ001 (that is the point)
    in_parallel(8, lambda: clock.sleep(0.5))
    assert clock.monotonic() == 86401.5 + 4
