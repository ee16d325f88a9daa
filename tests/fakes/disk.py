"""A small disk that a test can fill."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.needs import missing


class Disk:
    """A disk mounted at a folder until it is closed."""

    def __init__(self, folder: Path, kilobytes: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        if os.name != "posix" or os.geteuid() != 0:
            missing("only root can mount a small disk, and to fill another would fill the user's own")
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=1777", "none", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            missing("no small disk can be mounted here: root of a container, as a rule, may not")

    def fill(self, leave: int = 0) -> None:
        """Fill the disk until at most `leave` bytes are free."""
        headroom = self.folder / "spare"
        headroom.write_bytes(b"x" * leave)
        with self._filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        headroom.unlink()

    def empty(self) -> None:
        """Free the space, like an operator who has read the log."""
        self._filler.unlink()

    def close(self) -> None:
        """Unmount it, even if files are open."""
        subprocess.run(["umount", "-l", self.folder], check=True)
