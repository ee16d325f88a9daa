"""The sources of settings: the environment, `.env` and `.streamlit/secrets.toml`, in that order."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from recours.host.files import exists, read_regular

ENVIRONMENT = "the environment"
SECRETS_SETTING = "RECOURS_SECRETS_FILE"
DEFAULT_SECRETS = ".streamlit/secrets.toml"
_LARGEST = 1_000_000  # bytes of a file


@dataclass(frozen=True)
class Value:
    text: str = field(repr=False)
    source: str


@dataclass
class Sources:
    """All values of each setting. The first value wins, and blank values count as not set."""

    values: dict[str, list[Value]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def get(self, name: str) -> Value | None:
        return next(iter(self.values.get(name, ())), None)

    def differing(self, name: str) -> list[Value]:
        """The values of a setting that differ from the winning value."""
        first, *later = self.values.get(name, [None])
        return [other for other in later if first and other and other.text != first.text]

    def add(self, source: str, values: Mapping[str, str | None]) -> None:
        """Add the values of a source. Values of earlier sources have priority."""
        for name, text in values.items():
            if text is not None and text.strip():
                self.values.setdefault(name, []).append(Value(text.strip(), source))


def find(root: Path, environment: Mapping[str, str]) -> Sources:
    """Read every source. Raises nothing: `faults` contains the errors of unreadable sources."""
    sources = Sources()
    sources.add(ENVIRONMENT, environment)
    _add_dotenv(sources, root / ".env")
    named = sources.get(SECRETS_SETTING)
    path = root / (named.text if named else DEFAULT_SECRETS)
    if _exists(path, sources):
        _add_secrets(
            sources, path, path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        )
    elif named and not sources.faults:
        sources.faults.append(
            f"{SECRETS_SETTING} in {named.source} names {named.text}, but there is no such file."
        )
    return sources


def _add_dotenv(sources: Sources, path: Path) -> None:
    if not _exists(path, sources):
        return
    from dotenv import dotenv_values  # noqa: PLC0415 (imported only where there is a file to read)
    from dotenv.parser import parse_stream  # noqa: PLC0415

    try:
        text = _read(path)
    except UnicodeDecodeError:
        sources.faults.append(".env is not UTF-8 text; save it again as UTF-8.")
        return
    except OSError as error:
        sources.faults.append(f".env cannot be read: {error.strerror}.")
        return
    bad_lines = [binding.original.line for binding in parse_stream(StringIO(text)) if binding.error]
    # Interpolation is off, because a password may contain "${".
    values = dotenv_values(stream=StringIO(text), interpolate=False) if not bad_lines else {}
    sources.faults += [f".env, line {line}: not of the form NAME=value." for line in bad_lines]
    sources.add(".env", values)


def _add_secrets(settings: Sources, path: Path, label: str) -> None:
    """Add the settings of a secrets file. `label`: the file's display name."""
    import tomllib  # noqa: PLC0415 (imported only where there is a file to read)

    try:
        content = tomllib.loads(_read(path))
    except UnicodeDecodeError:
        settings.faults.append(f"{label} is not UTF-8 text; save it again as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        # The parser's message may quote the file's content, so only the position is shown.
        place = str(error).rpartition("(at ")[2].rstrip(")")
        settings.faults.append(
            f'{label} is not valid TOML ({place}); text needs quotes, as in password = "…".'
        )
    except OSError as error:
        settings.faults.append(f"{label} cannot be read: {error.strerror}.")
    except (RecursionError, ValueError):
        settings.faults.append(
            f"{label} cannot be read: it is nested too deeply or contains a number that is too long."
        )
    else:
        settings.add(label, flattened(content))


def _read(path: Path) -> str:
    """The text of a settings file. Raises OSError, UnicodeDecodeError."""
    content = read_regular(path, _LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST:,} bytes")
    return content.decode("utf-8-sig")


def flattened(content: Mapping[str, Any]) -> dict[str, str]:
    """Flatten TOML: `[chronopost] account = 1` becomes CHRONOPOST_ACCOUNT. Lists and other types are ignored."""
    flat: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat |= {f"{_named(key)}_{name}": text for name, text in flattened(value).items()}
        elif isinstance(value, bool):
            flat[_named(key)] = str(value).lower()
        elif isinstance(value, str | int | float):
            flat[_named(key)] = str(value)
    return flat


def _exists(path: Path, sources: Sources) -> bool:
    try:
        return exists(path)
    except OSError as error:
        sources.faults.append(f"{path} cannot be accessed: {error.strerror}.")
        return False


def _named(key: str) -> str:
    return key.strip().upper().replace("-", "_").replace(" ", "_")
