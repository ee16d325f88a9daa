"""Requirements of tests beyond Python packages: programs, and the right to mount."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, package: str) -> str:
    """The path of a program. `package`: the Debian package that contains it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")  # often missing from a user's PATH
    return found or missing(f"{name} is not installed: apt-get install {package}")


def missing(what: str) -> NoReturn:
    """End a test that this machine cannot run. With CI set it fails, because every test must run in CI.

    Elsewhere it is skipped, because contributors who change a rule should not need root or servers.
    """
    if "CI" in os.environ:
        pytest.fail(f"This test cannot be shown: {what}")
    pytest.skip(f"this machine cannot run it: {what}")  # because contributors may lack root or servers
