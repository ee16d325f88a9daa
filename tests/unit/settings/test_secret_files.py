"""Secrets in files of their own: which one holds, and what is said of a file that cannot be used."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.settings.loading import load, ping_url_of
from recours.settings.model import SETTINGS, Settings, SettingsError
from tests.planted import MARK

SECRET = f"{MARK}-of-the-file"
KEY = f"{MARK}{'A' * 34}="
POSIX = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no pipes, modes and devices among its files"
)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """`file(content)`: a file that only its owner reads."""

    def write(content: str | bytes = f"{SECRET}\n", name: str = "a.secret", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    return lambda **environment: load(tmp_path, environment, CATALOG)


def fault(root: Path, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(root, environment, CATALOG)
    (sentence,) = caught.value.faults
    assert SECRET not in sentence
    return sentence


def password(found: Settings) -> tuple[str, str]:
    chronopost = found.credentials["chronopost"]
    return chronopost.values["CHRONOPOST_PASSWORD"], chronopost.sources["CHRONOPOST_PASSWORD"]


# ---------------------------------------------------------------- which settings, and which place


def test_every_secret_may_stand_in_a_file(
    file: Callable[..., Path], settings: Callable[..., Settings]
) -> None:
    page_hash = f"scrypt:{'0a' * 16}:{'0b' * 32}"
    texts = {
        "DATABASE_URL": f"postgresql://u:{SECRET}@h/x",
        "SMTP_PASSWORD": SECRET,
        "RECOURS_PING_URL": f"https://h/{SECRET}",
        "RECOURS_ACCOUNTS_KEY": KEY,
        "RECOURS_DASHBOARD_PASSWORD_HASH": page_hash,
        **{name: f"{SECRET}-{name}" for spec in CATALOG.specs.values() for name in spec.credential_names},
    }
    found = settings(**{f"{name}_FILE": str(file(text, f"{name}.secret")) for name, text in texts.items()})
    assert found.database_url.password == SECRET
    assert (found.mail.password, found.watch.ping_url) == (SECRET, f"https://h/{SECRET}")
    assert (found.accounts_keys, str(found.dashboard_password)) == ((KEY,), page_hash)
    assert found.configured == CATALOG.specs.keys()
    assert set(found.secrets) == set(settings(**texts).secrets)
    assert found.warnings == ()
    assert {row.name for row in SETTINGS if row.is_secret} <= texts.keys()


def test_of_a_setting_and_its_file_the_setting_holds_and_that_is_said(
    file: Callable[..., Path], settings: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CHRONOPOST_PASSWORD=one\nSMTP_PASSWORD=two\n")
    path = str(file())
    found = settings(CHRONOPOST_PASSWORD_FILE=path, SMTP_PASSWORD_FILE=path)
    assert (password(found)[0], found.mail.password) == ("one", "two")
    assert sorted(found.warnings) == [
        "CHRONOPOST_PASSWORD differs between .env and a.secret; the one in .env wins.",
        "SMTP_PASSWORD differs between .env and a.secret; the one in .env wins.",
    ]
    assert {"one", "two", SECRET} <= set(found.secrets)  # what is passed over is a secret all the same


def test_a_file_that_agrees_is_not_worth_a_line(
    file: Callable[..., Path], settings: Callable[..., Settings]
) -> None:
    assert settings(SMTP_PASSWORD=SECRET, SMTP_PASSWORD_FILE=str(file())).warnings == ()


def test_the_name_of_the_file_may_stand_wherever_a_setting_may(
    file: Callable[..., Path], settings: Callable[..., Settings], tmp_path: Path
) -> None:
    file()
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit/secrets.toml").write_text('[chronopost]\npassword_file = "a.secret"\n')
    assert password(settings()) == (SECRET, "a.secret")
    file("another", "other")
    (tmp_path / ".env").write_text("CHRONOPOST_PASSWORD_FILE=other\n")
    assert password(settings()) == ("another", "other")


def test_a_file_elsewhere_is_named_as_it_is(tmp_path: Path, file: Callable[..., Path]) -> None:
    (tmp_path / "home").mkdir()
    found = load(tmp_path / "home", {"CHRONOPOST_PASSWORD_FILE": str(file())}, CATALOG)
    assert password(found) == (SECRET, str(tmp_path / "a.secret"))


@pytest.mark.parametrize(
    "content", [f"{SECRET}\n", f"{SECRET}\r\n", f"\ufeff{SECRET}\n\n", f"  {SECRET} ", SECRET]
)
def test_blanks_and_line_breaks_around_are_no_part_of_it(
    content: str, file: Callable[..., Path], settings: Callable[..., Settings]
) -> None:
    assert password(settings(CHRONOPOST_PASSWORD_FILE=str(file(content))))[0] == SECRET


def test_keys_may_stand_on_lines_of_their_own(
    file: Callable[..., Path], settings: Callable[..., Settings]
) -> None:
    other = "B" * 43 + "="
    found = settings(RECOURS_ACCOUNTS_KEY_FILE=str(file(f"{KEY}\n{other}\n")))
    assert found.accounts_keys == (KEY, other)
    assert {KEY, other} <= set(found.secrets)


def test_a_check_in_a_file_is_known_whatever_else_is_wrong(tmp_path: Path, file: Callable[..., Path]) -> None:
    url = "https://h/x"
    given = {"RECOURS_PING_URL_FILE": str(file(url)), "RECOURS_TIMEZONE": "x"}
    assert ping_url_of(tmp_path, given) == url
    assert ping_url_of(tmp_path, {"RECOURS_PING_URL_FILE": "nowhere"}) == ""


@pytest.mark.parametrize(
    "name", ["SMTP_HOST", "RECOURS_LANGUAGE", "CHRONOPOST_BASE_URL", "DPD_DELIVERED_CODES"]
)
def test_what_is_no_secret_has_no_file(
    name: str, file: Callable[..., Path], settings: Callable[..., Settings]
) -> None:
    found = settings(**{f"{name}_FILE": str(file())})
    assert found.warnings == (
        f"{name}_FILE in the environment is not read: only secrets may stand in a file of their own. Set {name} itself.",
    )


def test_a_quota_in_a_file_would_be_no_quota(tmp_path: Path) -> None:
    assert fault(tmp_path, QUOTA_UPS_FILE="x").startswith(
        "QUOTA_UPS_FILE in the environment is not read: only"
    )


# ---------------------------------------------------------------- files that cannot be used


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (f"{SECRET}é".encode("latin-1"), "is not UTF-8 text; save it again as UTF-8"),
        (SECRET.encode("utf-16"), "is not UTF-8 text; save it again as UTF-8"),
        (SECRET.encode() * 4000, "is larger than 64 KB, so it holds more than one secret"),
    ],
    ids=["empty", "blank", "a mark alone", "latin-1", "utf-16", "large"],
)
def test_a_file_that_holds_no_secret(
    content: bytes, said: str, tmp_path: Path, file: Callable[..., Path]
) -> None:
    assert fault(tmp_path, SMTP_PASSWORD_FILE=str(file(content))) == (
        f"SMTP_PASSWORD_FILE in the environment names a file that {said}."
    )


def test_the_largest_file_is_read(file: Callable[..., Path], settings: Callable[..., Settings]) -> None:
    text = "x" * 64 * 1024
    assert settings(SMTP_PASSWORD_FILE=str(file(text))).mail.password == text


def test_a_secret_in_place_of_its_file_is_not_repeated(tmp_path: Path) -> None:
    assert fault(tmp_path, SMTP_PASSWORD_FILE=SECRET) == (
        "SMTP_PASSWORD_FILE in the environment names a file that does not exist."
    )
    assert "cannot be read: " in fault(tmp_path, SMTP_PASSWORD_FILE=SECRET * 200)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit/secrets.toml").write_text(f'smtp_password_file = "{SECRET}\\u0000"\n')
    assert "names a file that cannot exist" in fault(tmp_path)


@pytest.mark.parametrize("content", ["one\ntwo", "one\x00two"])
def test_a_password_of_two_lines_is_none(content: str, tmp_path: Path, file: Callable[..., Path]) -> None:
    assert fault(tmp_path, SMTP_PASSWORD_FILE=str(file(content))).startswith(
        "SMTP_PASSWORD in a.secret: it must not"
    )
    assert fault(tmp_path, DATABASE_URL_FILE=str(file(f"postgresql://u@h/{content}"))).startswith(
        "DATABASE_URL in a.secret "
    )
    assert fault(tmp_path, CHRONOPOST_PASSWORD_FILE=str(file(content))).startswith(
        "CHRONOPOST_PASSWORD in a.secret "
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "names a file that cannot be read: " in fault(tmp_path, SMTP_PASSWORD_FILE=str(tmp_path))


@POSIX
def test_a_run_neither_waits_for_a_pipe_nor_reads_a_device_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/null"):
        assert fault(tmp_path, SMTP_PASSWORD_FILE=str(path)).endswith(
            "names a file that cannot be read: it is a pipe or a device; name an ordinary file."
        )
    assert fault(tmp_path, RECOURS_SECRETS_FILE="pipe") == (
        "pipe cannot be read: it is a pipe or a device; name an ordinary file."
    )
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the path of a socket is short
        listening.bind("socket")
        assert "names a file that cannot be read: " in fault(tmp_path, SMTP_PASSWORD_FILE="socket")


@POSIX
def test_a_file_that_another_user_guards(tmp_path: Path, file: Callable[..., Path]) -> None:
    path = file(mode=0o000)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads every file")  # root does, as in continuous integration
    assert fault(tmp_path, SMTP_PASSWORD_FILE=str(path)).endswith(
        "names a file that cannot be read: Permission denied."
    )


@POSIX
def test_a_file_that_everybody_reads_is_worth_a_warning(
    file: Callable[..., Path], settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own folder is closed to others, so nobody could get there.
    monkeypatch.setattr(
        "recours.access._others_may",
        lambda path, bit: bool(path.stat().st_mode & bit) or path.is_dir(),
    )
    path = file(mode=0o604)
    assert settings(SMTP_PASSWORD_FILE=str(path)).warnings == (
        "Everybody on this machine may read the secret in a.secret: chmod 600 a.secret",
    )
    path.chmod(0o640)
    assert settings(SMTP_PASSWORD_FILE=str(path)).warnings == ()


# ---------------------------------------------------------------- systemd's credentials


@pytest.fixture
def credentials(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "credentials"
    folder.mkdir()
    yield folder
    folder.chmod(0o700)


def test_systemds_credentials_come_last(
    credentials: Path, file: Callable[..., Path], settings: Callable[..., Settings]
) -> None:
    (credentials / "CHRONOPOST_PASSWORD").write_text(SECRET)
    (credentials / "chronopost_account").write_text("17\n")
    (credentials / "another-software").write_bytes(b"\xff")
    given = {"CREDENTIALS_DIRECTORY": str(credentials)}
    found = settings(**given)
    assert found.credentials["chronopost"].values == {
        "CHRONOPOST_ACCOUNT": "17",
        "CHRONOPOST_PASSWORD": SECRET,
    }
    assert (
        found.credentials["chronopost"].source
        == "credentials/chronopost_account and credentials/CHRONOPOST_PASSWORD"
    )
    assert found.warnings == ()
    found = settings(**given, CHRONOPOST_PASSWORD_FILE=str(file("other")))
    assert password(found) == ("other", "a.secret")
    assert found.warnings == (
        "CHRONOPOST_PASSWORD differs between a.secret and credentials/CHRONOPOST_PASSWORD; the one in a.secret wins.",
    )


def test_a_credential_in_two_spellings(credentials: Path, settings: Callable[..., Settings]) -> None:
    (credentials / "SMTP_PASSWORD").write_text("one")
    (credentials / "smtp_password").write_text("two")
    found = settings(CREDENTIALS_DIRECTORY=str(credentials))
    assert found.mail.password == "one"
    assert found.warnings == (
        "SMTP_PASSWORD differs between credentials/SMTP_PASSWORD and credentials/smtp_password; "
        "the one in credentials/SMTP_PASSWORD wins.",
    )


def test_a_credential_that_cannot_be_used(credentials: Path, tmp_path: Path) -> None:
    (credentials / "SMTP_PASSWORD").write_text("")
    assert fault(tmp_path, CREDENTIALS_DIRECTORY=str(credentials)) == (
        f"The credentials file {credentials / 'SMTP_PASSWORD'} is empty."
    )


def test_a_credential_that_is_no_secret_is_not_read(
    credentials: Path, settings: Callable[..., Settings]
) -> None:
    (credentials / "smtp_user").write_text("us")
    found = settings(CREDENTIALS_DIRECTORY=str(credentials))
    assert found.mail.user == ""
    assert found.warnings == (
        f"The credentials file {credentials / 'smtp_user'} is not read: only secrets may stand in a file of their own. "
        "Set SMTP_USER itself.",
    )


def test_the_folder_of_a_service_that_has_ended_holds_nothing(
    credentials: Path, settings: Callable[..., Settings]
) -> None:
    assert settings(CREDENTIALS_DIRECTORY=str(credentials / "gone")).warnings == ()
    assert settings(CREDENTIALS_DIRECTORY=" ").warnings == ()


@POSIX
def test_the_folder_of_another_service_is_worth_a_warning(
    credentials: Path, settings: Callable[..., Settings]
) -> None:
    """A process inherits the variable from the service that started it, and may be another user's."""
    credentials.chmod(0o000)
    if os.access(credentials, os.R_OK):
        pytest.skip("this user reads every folder")
    assert settings(CREDENTIALS_DIRECTORY=str(credentials)).warnings == (
        f"No credentials are read from {credentials}, which CREDENTIALS_DIRECTORY names: Permission denied.",
    )


def test_the_folder_is_named_in_the_environment_alone(tmp_path: Path, credentials: Path) -> None:
    (credentials / "SMTP_PASSWORD").write_text(SECRET)
    (tmp_path / ".env").write_text(f"CREDENTIALS_DIRECTORY={credentials}\n")
    assert load(tmp_path, {}, CATALOG).mail.password == ""
