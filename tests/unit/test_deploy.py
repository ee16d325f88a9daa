"""The files from which images and packages are built, and what they must not contain."""

import re
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def lines_of(name: str) -> list[str]:
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_git_ignores_the_secrets_of_the_compose_files() -> None:
    """The source distribution contains every file that git does not ignore."""
    secrets = {
        secret
        for compose in DEPLOY.glob("compose*.yaml")
        for secret in re.findall(r"^    file: \./(\S+)$", compose.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert secrets == {"recours.toml", "postgres_password"}
    assert {f"/deploy/{secret}" for secret in secrets} <= set(lines_of(".gitignore"))


def test_the_build_of_the_images_gets_only_what_it_copies() -> None:
    copies = [
        line.split()[1:-1] for line in lines_of("deploy/Dockerfile") if re.match("COPY (?!--from)", line)
    ]
    sources = {source for copied in copies for source in copied}
    kept = {line.removeprefix("!") for line in lines_of(".dockerignore") if line.startswith("!")}
    assert "*" in lines_of(".dockerignore")
    assert sources == kept
    assert all((ROOT / source).exists() for source in sources)


def test_images_are_pinned_by_digest() -> None:
    names = (
        "deploy/Dockerfile",
        "deploy/compose.yaml",
        "deploy/compose.fleet.yaml",
        ".github/workflows/ci.yml",
    )
    texts = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    images = re.findall(r"\b(?:python|postgres):\d\S*|^ +- 1\d\S*", texts, re.MULTILINE)
    assert len(images) == 4
    assert [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []


def test_a_stopped_container_waits_for_its_command(tmp_path: Path) -> None:
    """Even if it is stopped at the moment when the command starts."""
    command = (
        "trap 'sleep 0.1; touch ended; exit' TERM; echo started; for n in $(seq 400); do sleep 0.05; done"
    )
    every = ["sh", str(DEPLOY / "every"), "3600", "sh", "-c", command]
    for _ in range(5):
        with subprocess.Popen(every, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "started\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        (tmp_path / "ended").unlink()
