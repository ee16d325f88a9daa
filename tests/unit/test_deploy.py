"""What leaves a checkout, and what the images are built from."""

import re
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
