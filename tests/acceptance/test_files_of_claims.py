"""Correct, reopen and exclude the claims of a CSV file: each line is reported, and using it twice is harmless."""

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from recours.admin.actions import MOST_CLAIMS
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.acceptance.test_acting import FOREVER, give_up
from tests.acceptance.test_changes import changes


def write(person: Person, content: str | bytes, name: str = "claims.csv") -> str:
    path = person.folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def numbers(service: Service) -> list[tuple[object, ...]]:
    return service.sql("SELECT claim_reference, tracking_number, carrier FROM claims ORDER BY id")


def test_a_file_corrects_valid_lines_and_lists_the_others(service: Service, person: Person) -> None:
    for _ in range(4):
        service.add(*FOREVER)
    service.add(Scenario.DELIVERED)
    service.run()
    file = write(
        person,
        "Réclamation;Numéro;Transporteur\nCLM-0001;XY000000091FR;\nCLM-0002;1Z999AA10123456784;UPS\nCLM-0003;12;\n"
        "CLM-0O09;XY000000092FR;\n\nCLM-0005;XY000000093FR;\nCLM-0001;XY000000091FR;\nCLM-0004;;Chronopost\n=HYPERLINK(1);2;\n".encode("cp1252"),
    )  # fmt: skip
    before = numbers(service)
    dry = person.types("correct", "--csv", file, "--dry-run")
    assert numbers(service) == before
    assert re.split(" {2,}", dry.stdout.splitlines()[2].strip()) == [
        "2",
        "CLM-0001",
        "XY000000001FR, Chronopost",
        "XY000000091FR, Chronopost",
        "CLM-0001 corrected: the next run starts over.",
    ]
    assert dry.stdout.endswith("8 lines: 2 can be done, 2 unchanged, 4 not possible. Nothing was changed.\n")

    done = person.types("correct", "--csv", file)
    assert (done.returncode, done.stderr) == (1, dry.stderr)
    assert done.stderr.splitlines() == [
        'Error: Line 4: "12" is not a Chronopost tracking number (example: XY123456789FR).',
        "Error: Line 5: There is no claim 'CLM-0O09'. Did you mean CLM-0005?",
        "Error: Line 7: CLM-0005 already has its proof of delivery; nothing was done.",
        "Error: Line 10: There is no claim '=HYPERLINK(1)'.",
    ]
    assert done.stdout.splitlines() == [
        "Line 8: CLM-0001 is already on line 2.",
        "Line 9: CLM-0004 already has this tracking number and this carrier.",
        "8 lines: 2 done, 2 unchanged, 4 not possible.",
    ]
    assert numbers(service)[:2] == [
        ("CLM-0001", "XY000000091FR", "Chronopost"),
        ("CLM-0002", "1Z999AA10123456784", "UPS"),
    ]
    assert numbers(service)[2:] == before[2:]
    noted = changes(service)
    again = person.types("correct", "--csv", file)
    assert again.stdout.endswith("8 lines: 0 done, 4 unchanged, 4 not possible.\n")
    assert changes(service) == noted
    assert {what for _, what, *_ in noted} == {"corrected"}


def test_a_long_file_takes_seconds(service: Service, person: Person) -> None:
    for _ in range(300):
        service.add(*FOREVER)
    service.run(PODFetchWorker)
    rows = [f"CLM-{n:04d},XY{n + 500:09d}FR" for n in range(1, 301)]
    started = time.monotonic()
    said = person.does("correct", "--csv", write(person, "\n".join(rows)))
    assert said == "300 lines: 300 done, 0 unchanged, 0 not possible.\n"
    assert time.monotonic() - started < 20
    assert numbers(service)[299][1] == "XY000000800FR"
    again = person.does("correct", "--csv", write(person, "\n".join(rows)))
    assert again.endswith("300 lines: 0 done, 300 unchanged, 0 not possible.\n")
    unknown = [f"CLM-X{n};XY{n:09d}FR" for n in range(MOST_CLAIMS)]
    done = person.types("correct", "--csv", write(person, "\n".join(unknown)))
    assert (done.returncode, done.stderr.count("There is no claim")) == (1, MOST_CLAIMS)


def test_an_exported_file_is_edited_and_read_again(service: Service, person: Person) -> None:
    for carrier in ("Chronopost", "chrono post", "Hermes"):
        service.add(
            *FOREVER, number=f"XY00000000{service.count}FR", carrier=carrier, pod_fetch_error='a;b"c,\nd'
        )
    for form in ((), ("--excel-fr",)):
        exported = person.does("export", "claims", *form).replace("XY000000001FR", "XY000000091FR")
        said = person.does("correct", "--csv", write(person, exported))
        done = 0 if form else 1
        assert f"3 lines: {done} done, {3 - done} unchanged, 0 not possible." in said
    assert [number for _, number, _ in numbers(service)] == [
        "XY000000000FR",
        "XY000000091FR",
        "XY000000002FR",
    ]


def test_claims_are_reopened_and_excluded_by_file(service: Service, person: Person) -> None:
    for _ in range(3):
        service.add(*FOREVER)
    give_up(service)
    service.wait_until_today()
    file = write(person, "claim\nCLM-0001\nCLM-0002\nCLM-9\n")
    done = person.types("reopen", "--csv", file)
    assert (done.returncode, done.stdout) == (1, "3 lines: 2 done, 0 unchanged, 1 not possible.\n")
    again = person.types("reopen", "--csv", file)
    assert again.stdout.endswith("3 lines: 0 done, 2 unchanged, 1 not possible.\n")
    file = write(person, "CLM-0002\nCLM-0003")
    dry = person.does("exclude", "--csv", file, "--why", "settled", "--dry-run")
    assert "2 lines: 2 can be done, 0 unchanged, 0 not possible. Nothing was changed." in dry
    assert person.does("exclude", "--csv", file, "--why", "settled").startswith("2 lines: 2 done")
    assert "2 unchanged" in person.does("exclude", "--csv", file, "--why", "settled")
    statuses = [("failed",), ("manual",), ("manual",)]
    assert service.sql("SELECT pod_fetch_status FROM claims ORDER BY id") == statuses


def test_a_claim_leased_by_a_run_is_listed_and_the_others_are_processed(
    service: Service, person: Person
) -> None:
    for _ in range(2):
        service.add(*FOREVER)
    service.run()
    service.wait_until_today()
    until = service.clock.now() + timedelta(minutes=9)
    held = "UPDATE recours_claims SET lease_token = 'x', lease_until = ? WHERE claim_id = 1"
    service.sql(held, f"{until:%Y-%m-%d %H:%M:%S}.000000")
    done = person.types("correct", "--csv", write(person, "CLM-0001;XY000000091FR\nCLM-0002;XY000000092FR"))
    assert (
        done.stderr
        == "Error: Line 1: CLM-0001 is being fetched by another run right now; try again in a minute.\n"
    )
    assert done.stdout == "2 lines: 1 done, 0 unchanged, 1 not possible.\n"
    assert [number for _, number, _ in numbers(service)] == ["XY000000001FR", "XY000000092FR"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("correct",), "Give either a claim or --csv."),
        (("correct", "CLM-1", "--csv", "x"), "Give either a claim or --csv."),
        (("correct", "CLM-1", "--number", "1", "--dry-run"), "--dry-run requires --csv."),
        (("correct", "--csv", "x", "--number", "1"), "with --csv, give neither"),
        (("correct", "--csv", "no-such-file"), "no-such-file: No such file or directory."),
        (
            ("reopen", "CLM-1", "--csv", "x"),
            "Give exactly one of these: claims, --csv, or a selection with --carrier,",
        ),
        (("exclude", "--why", "x"), "Give either claims or --csv."),
        (("exclude", "--csv", "no-such-file"), "Missing option '--why'"),
    ],
)
def test_a_mistyped_command_gets_a_clear_error(typist: Person, arguments: tuple[str, ...], says: str) -> None:
    done = typist.types(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.parametrize("content", [b"", b"CLM-1;\0", b"CLM-1;1\n" * (MOST_CLAIMS + 2), b"x" * 10_000_000])
def test_an_invalid_file_is_rejected(typist: Person, tmp_path: Path, content: bytes) -> None:
    done = typist.types("correct", "--csv", write(typist, content))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: The file ")
    assert len(done.stderr.splitlines()) == 1


def test_a_claim_that_the_database_rejects_does_not_stop_the_others(service: Service, person: Person) -> None:
    for _ in range(3):
        service.add(*FOREVER)
    service.sql("CREATE UNIQUE INDEX one_parcel ON claims (tracking_number)")
    done = person.types("correct", "--csv", write(person, "CLM-0001;XY000000003FR\nCLM-0002;XY000000092FR"))
    assert done.returncode == 1
    assert done.stdout == "2 lines: 1 done, 0 unchanged, 1 not possible.\n"
    assert done.stderr.startswith("Error: Line 1: ")
    assert "UNIQUE" in done.stderr.upper()
    assert [str(number)[-4:] for _, number, _ in numbers(service)] == ["01FR", "92FR", "03FR"]


def test_a_dry_run_excludes_no_named_claim(service: Service, person: Person) -> None:
    service.add(*FOREVER)
    said = person.does("exclude", "CLM-0001", "--why", "settled", "--dry-run")
    assert said == "Dry run: 1 claim would be excluded; nothing was changed.\n"
    assert (
        person.does("exclude", "CLM-0001", "--why", "settled")
        == "CLM-0001 excluded: recours no longer works on it.\n"
    )
    assert person.types("exclude", "CLM-0001", "--why", " ").returncode == 2
