"""Secrets that stand in files of their own: those that NAME_FILE names, and systemd's credentials."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from recours.access import open_to_all, read_regular
from recours.settings.sources import FoundSettings, Value

SUFFIX = "_FILE"
# The folder with what LoadCredential= of a systemd service names; systemd sets this.
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
_MOST_BYTES = 64 * 1024


def add_secret_files(
    found: FoundSettings,
    root: Path,
    environment: Mapping[str, str],
    secrets: Collection[str],
    others: Collection[str] = (),
) -> None:
    """Add what the files of these settings hold, after what the sources say. What cannot be read is a fault.

    What names a file is never repeated: it may be the secret itself, by mistake. `others`: settings that are no secrets.
    """
    for name in secrets:
        if named := found.get(name + SUFFIX):
            try:
                found.values.setdefault(name, []).append(_secret(root, root / named.text, found))
            except ValueError as error:
                found.faults.append(f"{name}{SUFFIX} in {named.source} names a file that {error}.")
    files = _credentials(found, environment.get(CREDENTIALS_DIRECTORY, "").strip())
    for name, path in _of(secrets, files):
        try:
            found.values.setdefault(name, []).append(_secret(root, path, found))
        except ValueError as error:
            found.faults.append(f"The credentials file {path} {error}.")
    for name, path in _of(others, files):
        found.warnings.append(
            f"The credentials file {path} is not read: only secrets may stand in a file of their own. Set {name} itself."
        )


def _secret(root: Path, path: Path, settings: FoundSettings) -> Value:
    """What a secret's file holds, with a warning if everybody may read it.

    Raises ValueError with what is wrong with the file, to follow a noun.
    """
    text = _text_of(path)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    if open_to_all(path):
        settings.warnings.append(
            f"Everybody on this machine may read the secret in {shown}: chmod 600 {shown}"
        )
    return Value(text, shown, in_file=True)


def _text_of(path: Path) -> str:
    try:
        content = read_regular(path, _MOST_BYTES + 1)
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in its name
        raise ValueError("cannot exist") from None
    if len(content) > _MOST_BYTES:
        raise ValueError("is larger than 64 KB, so it holds more than one secret")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text; save it again as UTF-8") from None
    if not text:
        raise ValueError("is empty")
    return text


def _credentials(found: FoundSettings, directory: str) -> dict[str, Path]:
    """The files in systemd's folder, by their names."""
    try:
        return {path.name: path for path in Path(directory).iterdir()} if directory else {}
    except FileNotFoundError:  # of a service that has ended; this process has inherited its environment
        return {}
    except OSError as error:
        found.warnings.append(
            f"No credentials are read from {directory}, which {CREDENTIALS_DIRECTORY} names: {error.strerror}."
        )
        return {}


def _of(settings: Collection[str], files: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """The files that are named after these settings, in capitals or small letters. Any other is another program's."""
    for name in settings:
        yield from ((name, files[file]) for file in (name, name.lower()) if file in files)
