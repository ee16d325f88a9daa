"""Finds words that hunspell's French dictionary does not contain."""

import re
import subprocess

from tests.needs import missing, program

# Commands, program names, and text between quotation marks.
_QUOTED = re.compile(
    r"«[^»]*»|[\w.]+@[\w.]+|'recours\[\w+\]'|pip install|\b(recours|grep|systemctl|tail)( -{0,2}[\w.*/@{}-]+| \d+)+|[A-Z]+_[A-Z_=]+(false)?"
    r"|--[a-z-]+|[\w./*-]+\.(log|env|toml)|\.env|\{[^}]*\}|\b[a-z]+_\w+|clients\.id"
)
_KNOWN = {"CLM-1", "CSV", "cron", "Chronopost", "Colissimo", "Colis", "DHL", "Express", "IP", "NTP", "Traceback", "CLIENT", "cryptography",
         "CET", "UTC", "POD", "worker",
         "PNG", "JPEG", "GIF", "TIFF", "SHA-256", "RFC", "manifests", "tsr"}  # fmt: skip


def with_plain_spaces(text: str) -> str:
    """The text with ordinary spaces in place of non-breaking spaces."""
    return re.sub("[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]", " ", text)


def not_french(texts: set[str]) -> dict[str, set[str]]:
    """The words that the French dictionary does not contain, with the texts that use them."""
    prose = {text: _QUOTED.sub(" ", text) for text in texts}
    command = [program("hunspell", "hunspell-fr"), "-d", "fr", "-l", "-i", "utf-8"]
    done = subprocess.run(
        command, input="\n".join(prose.values()), capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        missing(f"hunspell has no French dictionary: apt-get install hunspell-fr ({done.stderr.strip()})")
    unknown = {word.strip(".-'") for word in done.stdout.split()} - _KNOWN - {""}
    return {word: {text for text, shown in prose.items() if word in shown} for word in unknown}
