"""The pages of a PDF as pictures, since phones show no PDF. A foreign file is drawn in a process of its own.

That process is this file, run by itself. It may take so much time and memory and write so much, sees none of the settings,
and whatever the file does to it ends with it.
"""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

MOST_PAGES = 30  # are shown; a proof of delivery has one or two
_WIDTH, _HIGHEST = 1240, 5000  # pixels of a page: A4 at 150 to the inch
_LONGEST_S = 10
_MEMORY, _LARGEST = 1 << 30, 20_000_000  # bytes that the process may take, and those that it may write
_NEEDED = ("SYSTEMROOT",)  # without it, no process begins on Windows
# A claim of many pages must not keep the machine from everything else.
_at_once = threading.BoundedSemaphore(2)


class NotDrawnError(Exception):
    """The PDF, or this page of it, cannot be drawn within the limits."""


def draw_page(content: bytes, page: int) -> bytes:
    """A page, counted from 1, as PNG. Raises NotDrawnError."""
    # Through files, not pipes: how much it may write is limited by the system.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer, _at_once:
        given.write(content)
        given.seek(0)
        # Nothing in that line comes from outside; `-I`: without our folder, settings or modules of the user.
        command = [sys.executable, "-I", str(Path(__file__).resolve()), str(page)]
        try:
            subprocess.run(  # noqa: S603
                command,
                stdin=given,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _NEEDED if name in os.environ},
                timeout=_LONGEST_S,
                check=True,
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise NotDrawnError(type(error).__name__) from error
        answer.seek(0)
        return answer.read(_LARGEST)


# ---------------------------------------------------------------- in that process


def _limit() -> None:
    try:
        import resource  # noqa: PLC0415 (Windows has none: there, the time alone is limited)
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _LONGEST_S),
        (resource.RLIMIT_FSIZE, _LARGEST),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _drawn(content: bytes, number: int) -> bytes:
    import io  # noqa: PLC0415 (the page itself needs none of these)

    import pypdfium2  # noqa: PLC0415

    page = pypdfium2.PdfDocument(content)[number - 1]
    width, height = page.get_size()
    drawn = page.render(scale=min(_WIDTH / width, _HIGHEST / height))
    png = io.BytesIO()
    drawn.to_pil().save(png, "PNG")
    return png.getvalue()


if __name__ == "__main__":
    _limit()
    sys.stdout.buffer.write(_drawn(sys.stdin.buffer.read(), int(sys.argv[1])))
