"""Untrusted PDFs, read and drawn in a separate process: a harmful file affects only itself."""

import json
import os
import select
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from recours.core.outcome import NotADocumentError
from recours.evidence import pdf_child, pdf_process
from recours.evidence.pdf_process import NotDrawnError, PdfProcess, count_pages, draw_page, read_pdf
from recours.evidence.reading import UNREADABLE, Reading
from recours.sandbox.documents import broken_pdf, proof_pdf
from tests.fakes.hostile_pdfs import HOSTILE, pdf_of, stream

ROOT = Path(__file__).resolve().parents[3]
PROOF = proof_pdf("UPS", "1Z999AA10123456784", "DUPONT", datetime(2026, 2, 1, tzinfo=UTC))
LONGEST_S, MOST_MB = 15, 500
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux about processes")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[PdfProcess]:
    """A separate process for this test."""
    process = PdfProcess()
    monkeypatch.setattr(pdf_process, "_process", process)
    yield process
    process.end()


def pid_of(process: PdfProcess) -> int:
    running = process._process
    assert running is not None
    return running.pid


# ---------------------------------------------------------------- the limits

MEASURED = """
import json, re, resource, sys, time
from pathlib import Path
from recours.core.outcome import NotADocumentError
from recours.evidence import pdf_process

def read(content):
    begun = time.monotonic()
    try:
        text = pdf_process.read_pdf(content).text
    except NotADocumentError as why:
        text = str(why)
    return text, time.monotonic() - begun

proof, hostile = (bytes.fromhex(line) for line in sys.stdin)
before, (_, took), after = read(proof), read(hostile), read(proof)
pdf_process._process.end()
# Its own `ru_maxrss` would hold that of pytest, which started it.
own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
megabytes = (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
print(json.dumps([before[0] == after[0] and "DUPONT" in after[0], took, megabytes]))
"""


@ON_LINUX
@pytest.mark.sample("more files that do harm, each of which takes some seconds of CPU")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_has_limited_time_and_memory_and_does_not_affect_the_next(name: str) -> None:
    lines = f"{PROOF.hex()}\n{HOSTILE[name]().hex()}"
    process = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=ROOT, input=lines, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    is_next_read, seconds, megabytes = json.loads(process.stdout)
    assert is_next_read
    assert seconds <= LONGEST_S
    assert megabytes <= MOST_MB


def test_a_file_that_crashes_the_process_is_unreadable() -> None:
    content = HOSTILE["a page of two gigabytes"]()
    assert read_pdf(content) == UNREADABLE
    assert count_pages(content) == 1
    with pytest.raises(NotDrawnError):
        draw_page(content, 1)


@ON_LINUX
def test_a_file_that_uses_too_much_cpu_time_is_unreadable(
    process: PdfProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the process's own limit, which is lowered here; the wait for an answer does not matter."""
    impatient = tmp_path / "pdf_child.py"
    impatient.write_text(Path(pdf_child.__file__).read_text().replace("_CPU_S = 5", "_CPU_S = 1"))
    monkeypatch.setattr(pdf_child, "__file__", str(impatient))
    monkeypatch.setattr(pdf_process, "_LONGEST_S", 60.0)
    monkeypatch.setattr(pdf_process, "_MOST_ATTEMPTS", 1)
    before = children_cpu_s()
    assert read_pdf(HOSTILE["an image that is drawn a hundred thousand times"]()) == UNREADABLE
    process.end()
    assert 1 <= children_cpu_s() - before < 4, "a start and a second"


def children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def test_an_image_drawn_many_times_counts_each_time() -> None:
    """After that, the page itself is examined."""
    white = b"/Subtype /Image /Width 90 /Height 90 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    image = stream(zlib.compress(b"\xff" * 8100), white, b"/Filter /FlateDecode")
    for times in (50, 2_000):
        assert read_pdf(pdf_of(stream(b"/O5 Do " * times), image)) == Reading(), times


# ---------------------------------------------------------------- a process that does not answer

READY = """
import os, signal, sys, time
def send(result, rest=b"", size=None):
    os.write(1, bytes([result]) + (len(rest) if size is None else size).to_bytes(4, sys.byteorder) + rest)
"""
BY_FILE = {
    "it ends": "send(0); sys.exit(1)",
    "it crashes": "send(0); os.abort()",
    "it closes its output": "send(0); os.close(1); time.sleep(60)",
    "it writes garbage": "send(0); print('%PDF-' * 99)",
    "it writes without end": "send(0)\nwhile True: os.write(1, b'[' * 65536)",
    "it announces more than anybody takes": "send(0); send(2, size=2**32 - 1); time.sleep(60)",
    "it answers something else": "send(0); send(2, b'[[[7]], {}]'); time.sleep(60)",
    "it answers brackets": "send(0); send(2, b'[' * 100_000); time.sleep(60)",
}
OURS = {
    "it is killed": ("send(0); os.kill(os.getpid(), signal.SIGKILL)", MemoryError, "killed from outside"),
    "it is stopped": ("send(0); os.kill(os.getpid(), signal.SIGTERM)", MemoryError, "killed from outside"),
    "it is killed before it is ready": ("os.kill(os.getpid(), 9)", MemoryError, "killed from outside"),
    "it ends before it is ready": ("sys.exit(3)", ImportError, r"exits immediately \(status 3\)"),
    "a package is missing": ("send(1, b'No module')", ImportError, r"PDFs cannot be read \(No module\)"),
}


@pytest.fixture
def stand_in(process: PdfProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run this script instead of the process."""

    def use(script: str, longest_s: float = 2.0) -> None:
        path = tmp_path / "child.py"
        path.write_text(READY + script)
        monkeypatch.setattr(pdf_child, "__file__", str(path))
        monkeypatch.setattr(pdf_process, "_LONGEST_S", longest_s)

    return use


@ON_LINUX
@pytest.mark.parametrize("name", BY_FILE)
def test_a_crash_that_repeats_is_attributed_to_the_file(name: str, stand_in: Any) -> None:
    stand_in(BY_FILE[name])
    assert read_pdf(PROOF) == UNREADABLE


@ON_LINUX
def test_only_a_timeout_after_the_start_is_attributed_to_the_file(stand_in: Any) -> None:
    stand_in("send(0); time.sleep(60)", 1.0)
    assert read_pdf(PROOF) == UNREADABLE
    stand_in("time.sleep(60)", 0.2)
    with pytest.raises(MemoryError, match="killed from outside"):
        read_pdf(PROOF)


@ON_LINUX
@pytest.mark.parametrize("name", OURS)
def test_our_own_fault_is_not_attributed_to_the_file(name: str, stand_in: Any) -> None:
    script, error, words = OURS[name]
    stand_in(script)
    with pytest.raises(error, match=words):
        read_pdf(PROOF)


@pytest.mark.parametrize(("number", "error"), [(12, MemoryError), (11, MemoryError), (2, ImportError)])
def test_a_process_that_cannot_be_started_is_not_a_fault_of_a_file(
    number: int, error: type[Exception], process: PdfProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(error, match="cannot be started"):
        process.ask(pdf_child.Task.COUNT, PROOF, int, otherwise=0)


@ON_LINUX
def test_a_killed_process_is_replaced(process: PdfProcess) -> None:
    assert count_pages(PROOF) == 1
    for sign in (signal.SIGKILL, signal.SIGSEGV):
        os.kill(pid_of(process), sign)
        assert count_pages(PROOF) == 1


@ON_LINUX
def test_a_hanging_process_is_replaced(process: PdfProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_pages(PROOF) == 1
    monkeypatch.setattr(pdf_process, "_LONGEST_S", 2.0)
    os.kill(pid_of(process), signal.SIGSTOP)
    assert count_pages(PROOF) == 1


# ---------------------------------------------------------------- the process


@ON_LINUX
def test_a_signal_to_the_run_does_not_stop_the_process(process: PdfProcess) -> None:
    assert count_pages(PROOF) == 1
    pid = pid_of(process)
    assert os.getpgid(pid) != os.getpgid(0)
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, sign)
    assert (count_pages(PROOF), pid_of(process)) == (1, pid)


def test_one_process_serves_all_threads(process: PdfProcess) -> None:
    names = [f"DUPONT-{number}" for number in range(40)]
    proofs = [proof_pdf("UPS", "1Z", name, datetime(2026, 2, 1, tzinfo=UTC)) for name in names]
    assert count_pages(PROOF) == 1
    pid = pid_of(process)
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda proof: read_pdf(proof).text or "", proofs))
    assert [name in text for name, text in zip(names, texts, strict=True)] == [True] * 40
    assert pid_of(process) == pid


@ON_LINUX
def test_the_process_gets_no_environment_variables(stand_in: Any) -> None:
    stand_in(
        "send(0); send(2, b'%d' % len(set(os.environ) - {'LC_CTYPE', 'LD_LIBRARY_PATH'})); time.sleep(60)"
    )
    assert count_pages(PROOF) == 0


def test_the_process_imports_nothing_from_the_working_directory(
    process: PdfProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert count_pages(PROOF) == 1


ORPHANED = """
import os, signal, sys
from recours.evidence import pdf_process
pdf_process.count_pages(sys.stdin.buffer.read())
print(pdf_process._process._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@ON_LINUX
def test_the_process_ends_when_the_run_is_killed() -> None:
    process = subprocess.run(
        [sys.executable, "-c", ORPHANED], cwd=ROOT, input=PROOF, capture_output=True, check=False
    )
    try:
        ended = os.pidfd_open(int(process.stdout))
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    assert poll.poll(10_000)
    os.close(ended)


FORKED = """
import os, sys
from recours.evidence import pdf_process
content = sys.stdin.buffer.read()
pdf_process.count_pages(content)
first = pdf_process._process._process.pid
forked = os.fork()
pages = pdf_process.count_pages(content)
if forked:
    os.waitpid(forked, 0)
os.write(1, b"%d page of %s; " % (pages, b"the same" if pdf_process._process._process.pid == first else b"another"))
"""


@ON_LINUX
def test_a_forked_process_starts_its_own_pdf_process() -> None:
    process = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=ROOT, input=PROOF, capture_output=True, check=False
    )
    assert process.stdout == b"1 page of another; 1 page of the same; ", process.stderr


# ---------------------------------------------------------------- pages


def test_every_page_of_a_long_file_is_counted() -> None:
    assert count_pages(HOSTILE["ten thousand pages"]()) == 10_000


@pytest.mark.parametrize("size", [b"595 842", b"14400 14400", b"1 14400", b"14400 1"])
def test_a_page_of_any_size_is_rendered_within_limits(size: bytes) -> None:
    content = pdf_of(stream(b"0 0 m 90 90 l S"), page=b"/MediaBox [0 0 %s]" % size)
    width, height = Image.open(BytesIO(draw_page(content, 1))).size
    assert width <= 1241
    assert height <= 5001


def test_a_page_is_drawn_with_its_content() -> None:
    picture = Image.open(BytesIO(draw_page(PROOF, 1))).convert("L")
    assert picture.size[0] in (1240, 1241)
    dark = sum(picture.histogram()[:128])
    assert 2000 < dark < picture.size[0] * picture.size[1] / 5  # text and a signature on white


@pytest.mark.parametrize("content", [b"", b"no PDF", broken_pdf(), PROOF[:900]])
def test_invalid_pdfs_are_not_drawn(content: bytes) -> None:
    with pytest.raises(NotDrawnError):
        draw_page(content, 1)
    with pytest.raises(NotADocumentError, match=r"the PDF cannot be opened \(Data format error\)"):
        read_pdf(content)


def test_a_missing_page_is_not_drawn() -> None:
    with pytest.raises(NotDrawnError):
        draw_page(PROOF, 2)
