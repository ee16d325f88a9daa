"""The dashboard's passwords, stored so that they cannot be recovered."""

import pytest

from recours.core.password import hash_of, read_hash

SALT = bytes(range(16))
HASH = hash_of("correct horse", SALT)


def test_only_the_right_password_matches() -> None:
    assert HASH.fits("correct horse")
    for wrong in ("", "Correct horse", "correct horse ", "correct horse\ud800"):
        assert not HASH.fits(wrong)


def test_a_hash_is_parsed_from_its_text_which_does_not_contain_the_password() -> None:
    text = str(HASH)
    assert text.startswith(f"scrypt:{SALT.hex()}:")
    assert "horse" not in text + repr(HASH)
    assert not set(text) & set("$#'\"\\ ")  # no character that a shell or a dotenv file would change
    again = read_hash(text)
    assert again == HASH
    assert again is not None
    assert again.fits("correct horse")


def test_another_salt_is_another_hash() -> None:
    assert hash_of("correct horse", SALT[::-1]).digest != HASH.digest


def test_an_empty_setting_is_no_password() -> None:
    assert read_hash("") is None


@pytest.mark.parametrize(
    "text", ["correct horse", str(HASH)[:-1], str(HASH).upper(), str(HASH).replace(SALT.hex(), "00")]
)
def test_the_error_about_a_faulty_hash_names_the_command_that_makes_one(text: str) -> None:
    with pytest.raises(ValueError, match="not a password hash") as error:
        read_hash(text)
    assert "recours dashboard --hash-password" in str(error.value)
