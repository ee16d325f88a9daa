"""Whom a mail server's refusal is about: us, or this one mail.

Servers answer a sender, a relay or a login that they do not want at any step, Postfix after the recipient was named.
"""

import re

_US, _MAIL = True, False

# Enhanced status codes by subject and detail: RFC 3463, and the registry of RFC 5248. A detail comes before its subject.
_BY_STATUS: dict[str, bool | None] = {
    "1": _MAIL,  # addresses
    "1.0": None,  # Postfix has it for senders that are not known
    "1.7": _US,  # the sender's address has no valid form
    "1.8": _US,  # the sender's domain is none
    "2": _MAIL,  # the mailbox
    "3": _US,  # the server
    "3.4": _MAIL,  # the message is too big
    "4": _MAIL,  # the way to the recipient
    "5.1": _US,  # not now: before it, others want a login
    "6": _MAIL,  # the message's content
    "7": _US,  # policy, login, relay
    "7.2": _MAIL,  # a list that we may not write to
    "7.7": _MAIL,  # the message was changed on its way
    "7.15": _MAIL,  # the message's priority
    "7.16": _MAIL,
    "7.17": _MAIL,  # the mailbox has another owner now
    "7.18": _MAIL,
}
# Reply codes: commands that the server does not take, or not yet (RFC 5321), and logins (RFC 4954, RFC 5248).
_CODES_OF_US = frozenset({500, 502, 503, 521, 523, 524, 525, 530, 534, 535, 538})
# For servers that give no code that says it. The first that is found holds.
_WORDS = (
    (re.compile(r"\bsender"), _US),
    (re.compile(r"recipient address|user unknown|unknown user|mailbox"), _MAIL),
    (
        re.compile(
            r"relay|client host|\bhelo\b|authenti|log ?in\b|not owned|block|black ?list|\brbl\b|spamhaus"
            r"|\bspf\b|\bdkim\b|\bdmarc\b|reverse dns|access denied|prohibit|polic(?:y|ies)"
        ),
        _US,
    ),
)
_STATUS = re.compile(r"(?:^|\(#)5\.(\d{1,3})\.(\d{1,3})\b")  # qmail's stands at the end: (#5.7.1)
_ADDRESS = re.compile(r"<[^>]*>|\S*@\S*")


def is_about_us(code: int, text: str) -> bool | None:
    """Tell whether a reply 5xx refuses our login, sender or relay, or has a policy against us, not this one mail.

    `text`: what stands behind the reply's code. None: it does not say.
    """
    if found := _STATUS.search(text):
        subject, detail = found.groups()
        verdict = _BY_STATUS.get(f"{subject}.{detail}", _BY_STATUS.get(subject))
        if verdict is not None:
            return verdict
    if code in _CODES_OF_US:
        return True
    words = _ADDRESS.sub("", text).lower()  # an address may be named like any of the words
    return next((verdict for pattern, verdict in _WORDS if pattern.search(words)), None)
