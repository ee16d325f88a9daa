"""Programs that tests start, and that are no Python packages."""

import os
import shutil

import pytest


def program(name: str, package: str) -> str:
    """The path of a program. Where it lacks, the test is skipped; in CI, which installs it, the test fails."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")  # which is on no user's path
    if found is None and "CI" in os.environ:
        pytest.fail(f"This test needs {name}: apt-get install {package}")
    if found is None:
        pytest.skip(f"{name} is not installed")  # whoever changes a rule need not install servers for it
    return found
