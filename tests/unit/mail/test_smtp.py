"""Refusals of mail servers in the wordings of Postfix, Exim, Exchange, Gmail, qmail and others."""

import pytest

from recours.mail.smtp import is_about_us

US, MAIL, UNSAID = True, False, None


@pytest.mark.parametrize(
    ("reply", "about_us"),
    [
        # the enhanced status code decides
        ("550 5.1.1 <relay@shop.example>: Recipient address rejected: User unknown in relay recipient table", MAIL),
        ("550 5.1.2 bad domain", MAIL),
        ("501 5.1.3 Bad recipient address syntax", MAIL),
        ("550 5.1.6 mailbox has moved", MAIL),
        ("553 5.1.7 Invalid address", US),
        ("553 5.1.8 <us@nowhere.example>: Sender address rejected: Domain not found", US),
        ("556 5.1.10 recipient has a null MX", MAIL),
        ("552 5.2.2 Over quota", MAIL),
        ("554 5.3.2 system does not accept messages", US),
        ("552 5.3.4 Message size exceeds fixed limit", MAIL),
        ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", MAIL),
        ("530 5.5.1 Authentication Required", US),
        ("554 5.6.0 Message content is not accepted", MAIL),
        ("530 5.7.0 Must issue a STARTTLS command first", US),
        ("554 5.7.1 <a@b.example>: Relay access denied", US),
        ("550 5.7.17 the mailbox has another owner", MAIL),
        ("550 5.7.26 this mail is unauthenticated", US),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", US),
        # it does not: the reply's code decides, then its text
        ("550 5.1.0 <us@shop.example>: Sender address rejected: User unknown in local recipient table", US),
        ("550 5.5.0 Requested action not taken: mailbox unavailable", MAIL),
        ("504 5.5.2 <a>: Recipient address rejected: need fully-qualified address", MAIL),
        ("504 5.5.2 <us>: Helo command rejected: need fully-qualified hostname", US),
        ("530 login first", US),
        ("503 bad sequence of commands", US),
        ("550 relay not permitted", US),
        ("550 Verification failed Sender verify failed", US),
        ("554 Blocked: see rbl.example", US),
        ("550 Administrative prohibition", US),
        ("550 <sender@relay.example>: no such user", UNSAID),
        ("550 sender@relay.example is not here", UNSAID),
        ("550 No such user", UNSAID),
        ("554 transaction failed", UNSAID),
        ("550", UNSAID),
    ],
)  # fmt: skip
def test_refusals_of_our_emails_differ_from_refusals_of_one_email(reply: str, about_us: bool | None) -> None:
    code, _, text = reply.partition(" ")
    assert is_about_us(int(code[:3]), text) is about_us
