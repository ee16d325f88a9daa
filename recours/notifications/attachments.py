"""The proofs that a mail brings along: as many as fit, each as it was when it was obtained.

Chosen when the mail is sent, so that its text names what it really brings.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from recours.core.mail import OutgoingMail, Proof
from recours.core.outcome import NotADocumentError
from recours.core.text import clean, counted

log = logging.getLogger("email_sender")

LARGEST = 5_000_000  # bytes, of all attachments of a mail as they go over the line
_LINE = 76  # signs of a line of base64
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_MOST_NAMED = 20


@dataclass(frozen=True)
class AttachedFile:
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Attachments:
    """`too_large`: the references of claims whose files did not fit."""

    files: tuple[AttachedFile, ...] = ()
    too_large: tuple[str, ...] = ()
    references: tuple[str, ...] = ()  # of the claims whose files are attached

    def without_files(self) -> "Attachments":
        """The same for a server that does not take the files."""
        return Attachments(too_large=tuple(dict.fromkeys((*self.references, *self.too_large))))

    def noted_in(self, mail: OutgoingMail) -> tuple[str, str]:
        """The mail's plain text and HTML, with what is attached, and what is not, at their ends."""
        texts = _TEXTS.get(mail.language, _TEXTS["en"])
        language = mail.language if mail.language in _TEXTS else "en"
        found = {"attached": [file.name for file in self.files], "too_large": self.too_large}
        notes = [
            counted(language, texts[what], len(names), names=_named(names))
            for what, names in found.items()
            if names
        ]
        if not notes:
            return mail.plain, mail.html
        paragraphs = "".join(f'<p class="foot">{escape(note)}</p>\n' for note in notes)
        # The end of our own template: in what others wrote, the sign < is escaped.
        html = mail.html.replace("</main>", f"{paragraphs}</main>")
        return mail.plain + "".join(f"\n{note}\n" for note in notes), html


NOTHING = Attachments()


def attach(proofs: Sequence[Proof], read: Callable[[Proof], bytes]) -> Attachments:
    """Read the files that fit. One that cannot be read, or is another by now, is left out, and the log says so.

    `read` raises NotADocumentError.
    """
    files: dict[str, AttachedFile] = {}
    attached, too_large = [], []
    left = LARGEST
    for proof in proofs:
        name = _UNSAFE.sub("-", PurePath(proof.path).name)[-150:]
        if name in files:
            continue
        if encoded_size(proof.size) > left:  # not worth reading
            too_large.append(proof.reference)
            continue
        try:
            content = read(proof)
        except NotADocumentError as why:
            log.warning(f"{clean(proof.reference, 100)}: {clean(proof.path)} is not attached: {why}")
            continue
        if encoded_size(len(content)) > left:
            too_large.append(proof.reference)
            continue
        left -= encoded_size(len(content))
        is_known = _MEDIA_TYPE.fullmatch(proof.media_type)
        files[name] = AttachedFile(
            name, proof.media_type if is_known else "application/octet-stream", content
        )
        attached.append(proof.reference)
    return Attachments(tuple(files.values()), tuple(dict.fromkeys(too_large)), tuple(dict.fromkeys(attached)))


def encoded_size(size: int) -> int:
    """Of so many bytes in base64, with its line ends."""
    encoded = -(-size // 3) * 4
    return encoded + 2 * -(-encoded // _LINE)


def _named(names: Sequence[str]) -> str:
    more = f" (+ {len(names) - _MOST_NAMED})" if len(names) > _MOST_NAMED else ""
    return ", ".join(clean(name, 150) for name in names[:_MOST_NAMED]) + more


_TEXTS = {
    "fr": {
        "attached": ("Pièce jointe : {names}", "Pièces jointes : {names}"),
        "too_large": (
            "Trop volumineux pour ce courriel, à consulter dans le dossier : {names}",
            "Trop volumineux pour ce courriel, à consulter dans les dossiers : {names}",
        ),
    },
    "en": {
        "attached": ("Attached: {names}", "Attached: {names}"),
        "too_large": (
            "Too large for this e-mail, to be seen in the claim: {names}",
            "Too large for this e-mail, to be seen in the claims: {names}",
        ),
    },
}
