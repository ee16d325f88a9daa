"""What tests need of the machine beside Python packages: programs, and the right to mount."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, package: str) -> str:
    """The path of a program; `package` of Debian's has it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")  # which is on no user's path
    return found or missing(f"{name} is not installed: apt-get install {package}")


def missing(what: str) -> NoReturn:
    """End a test that this machine cannot run: it fails where CI is set, because there every test must run.

    Elsewhere it is skipped: a contributor who changes a rule should not have to be root or install servers.
    """
    if "CI" in os.environ:
        pytest.fail(f"This test cannot be shown: {what}")
    # A contributor's machine may lack programs; CI never gets here.
    pytest.skip(f"this machine cannot run it: {what}")
