"""Credentials at carriers: the house's, and those of clients that stand in the secrets file.

A client's section has the same names as the house's: `[clients."shop@example.com".chronopost]` beside `[chronopost]`.
Nothing that is wrong with one ends a run: that account is not used, and a WARNING says why.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.mail import is_address
from recours.core.text import clean, is_one_line
from recours.settings.model import Credentials
from recours.settings.secret_files import SUFFIX, read_secret
from recours.settings.sources import FoundSettings, Value, flattened


def credentials_of(
    spec: CarrierSpec,
    found: Mapping[str, Value],
    options: Mapping[str, str],
    shown: Callable[[Collection[str]], str] = " and ".join,
) -> Credentials:
    """The first complete set of what was found, else all of it. `shown`: names of settings, for people."""
    complete = spec.complete_credentials(found.keys())
    used = {name: found[name] for name in complete or found}
    return Credentials(
        {name: value.text for name, value in used.items()},
        {name: value.source for name, value in used.items()},
        "" if complete else ", or ".join(map(shown, spec.missing_credentials(found.keys()))),
        options,
    )


class ClientSections:
    """Reads what the secrets file has under `clients`."""

    def __init__(self, found: FoundSettings, root: Path, catalog: Catalog) -> None:
        self._found = found
        self._root = root
        self._catalog = catalog

    def read(self, house: Mapping[str, Credentials]) -> dict[tuple[str, str], Credentials]:
        """By address and carrier's key. A carrier's other settings are the `house`'s where a section has none."""
        read: dict[tuple[str, str], Credentials] = {}
        for section, address, spec, content in self._sections():
            if (address, spec.key) in read:
                self._warn(f"{section} is a second one of that client and carrier; it is not used.")
            else:
                read[address, spec.key] = self._credentials(section, spec, content, house[spec.key].options)
        return read

    def _sections(self) -> Iterator[tuple[str, str, CarrierSpec, Mapping[str, Any]]]:
        """Each section with its name for people, whose it is, and what stands in it."""
        for address, of_carriers in self._found.clients.items():
            if not (isinstance(of_carriers, dict) and is_address(address)):
                self._warn(
                    f"clients.{clean(address, 60)!r} is not used: below [clients] stand sections such as "
                    '[clients."shop@example.com".chronopost], with the address of one of your clients.'
                )
                continue
            for name, content in of_carriers.items():
                section, key = section_of(address, clean(name, 40)), self._catalog.resolve(name)
                if key is None:
                    self._warn(f"{section} is not used: {self._catalog.no_such(name)}")
                elif not isinstance(content, dict):
                    self._warn(f"{section} is not used: it is a value, not a section.")
                else:
                    yield section, address.lower(), self._catalog.specs[key], content

    def _credentials(
        self, section: str, spec: CarrierSpec, content: Mapping[str, Any], of_house: Mapping[str, str]
    ) -> Credentials:
        texts = flattened({spec.key: content})
        options = dict(of_house)
        for option in spec.options:
            if text := texts.pop(option.name, "").strip():
                try:
                    options[option.name] = option.parse(text)
                except ValueError as error:
                    self._warn(f"{_key(spec, option.name)} in {section} is not used: {error}.")
        found = dict(self._values(section, spec, texts))
        self._warn_of_unknown(section, spec, texts)
        credentials = credentials_of(spec, found, options, lambda names: _in_section(spec, names, section))
        if credentials.missing:
            self._warn(f"{section} is incomplete, so this account cannot be used: {credentials.missing}.")
        return credentials

    def _values(self, section: str, spec: CarrierSpec, texts: dict[str, str]) -> Iterator[tuple[str, Value]]:
        """Take the credentials out of the texts of a section: each from there, else from the file that it names."""
        for name in spec.credential_names:
            text, file = (texts.pop(each, "").strip() for each in (name, name + SUFFIX))
            values = [Value(text, self._found.secrets_file)] if text else []
            if file:
                try:
                    values.append(read_secret(self._root, self._root / file, self._found))
                except ValueError as error:
                    self._warn(f"{_key(spec, name + SUFFIX)} in {section} names a file that {error}.")
            if len({value.text for value in values}) > 1:
                self._warn(
                    f"{_key(spec, name)} in {section} differs from the one in {values[1].source}, which is not used."
                )
            if values and not is_one_line(values[0].text):
                self._warn(
                    f"{_key(spec, name)} in {section} holds a line break or another control character."
                )
            elif values:
                yield name, values[0]

    def _warn_of_unknown(self, section: str, spec: CarrierSpec, texts: Collection[str]) -> None:
        known = [_key(spec, name) for name in (*spec.credential_names, *(o.name for o in spec.options))]
        for name in texts:
            near = get_close_matches(_key(spec, name), known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            self._warn(f"{clean(_key(spec, name), 60)} in {section} is not a setting.{hint}")

    def _warn(self, sentence: str) -> None:
        self._found.warnings.append(f"{self._found.secrets_file}: {sentence}")


def section_of(address: str, carrier: str) -> str:
    """A section's name, as it stands in the file."""
    return f'[clients."{address}".{carrier}]'


def no_section(spec: CarrierSpec, address: str) -> Credentials:
    """Of a client whose credentials are to stand in the secrets file, where this machine's has none."""
    place = f"{section_of(address, spec.key)} of this machine's secrets file"
    return credentials_of(spec, {}, {}, lambda names: _in_section(spec, names, place))


def _in_section(spec: CarrierSpec, names: Collection[str], section: str) -> str:
    return f"no {' and '.join(_key(spec, name) for name in names)} in {section}"


def _key(spec: CarrierSpec, name: str) -> str:
    """A setting's name as it stands in the carrier's section."""
    return name.removeprefix(f"{spec.prefix}_").lower()
