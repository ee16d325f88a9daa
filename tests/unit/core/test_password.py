"""Passwords of the page, kept so that they cannot be found."""

import hashlib

import pytest

from recours.core.password import PasswordHash, hash_of, read_hash

SALT = bytes(range(16))
HASH = hash_of("correct horse", SALT)


def test_the_right_password_fits_and_no_other() -> None:
    assert HASH.fits("correct horse")
    for wrong in ("", "Correct horse", "correct horse ", "correct horse\ud800"):
        assert not HASH.fits(wrong)


def test_the_text_tells_all_but_the_password_and_is_read_again() -> None:
    text = str(HASH)
    assert text.startswith(f"scrypt:32768:8:1:{SALT.hex()}:")
    assert "horse" not in text + repr(HASH)
    assert not set(text) & set("$#'\"\\ ")  # nothing that a shell or a dotenv file would change
    again = read_hash(text)
    assert again == HASH
    assert again is not None
    assert again.fits("correct horse")


def test_another_salt_is_another_hash() -> None:
    assert hash_of("correct horse", SALT[::-1]).digest != HASH.digest


def test_nothing_set_is_no_password() -> None:
    assert read_hash("") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("correct horse", "no password hash"),
        (str(HASH)[:-1], "no password hash"),
        (str(HASH).upper(), "no password hash"),
        (str(HASH).replace("32768", "1024"), "protects too little"),
        (str(HASH).replace("32768", "32767"), "parameters"),
        (str(HASH).replace("32768", "33554432"), "too much memory"),
        (str(HASH).replace(":8:1:", ":8:0:"), "parameters"),
        (str(HASH).replace(SALT.hex(), "00"), "protects too little"),
        (f"scrypt:32768:8:1:{SALT.hex()}:00", "protects too little"),
    ],
)
def test_a_faulty_hash_is_told_with_how_to_make_one(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as error:
        read_hash(text)
    assert "recours dashboard --hash-password" in str(error.value)


def test_a_hash_with_other_parameters_works() -> None:
    digest = hashlib.scrypt(b"x", salt=SALT, n=4096, r=8, p=2, dklen=20)
    assert PasswordHash(4096, 8, 2, SALT, digest).fits("x")
