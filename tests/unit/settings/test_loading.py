"""The sources of settings, their valid values, and the messages about invalid ones."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.carrier import Catalog, Option
from recours.core.policy import EnrollNew, Policy
from recours.core.quota import Limit, Window
from recours.host.home import NoHomeError, find_home
from recours.settings.loading import load, load_one
from recours.settings.model import SETTINGS, HttpLimits, Settings, SettingsError
from recours.settings.sources import find, flattened
from tests.fakes.carriers import CHRONOPOST
from tests.planted import MARK

SECRET = f"s3cr3t-{MARK}-Zq7"
FULL = {"CHRONOPOST_ACCOUNT": "19869502", "CHRONOPOST_PASSWORD": SECRET}

Write = Callable[[str, str | bytes], Path]
Read = Callable[..., Settings]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(name, content)`: a file in the project's root."""

    def to(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to


@pytest.fixture
def settings(tmp_path: Path) -> Read:
    """`settings(NAME=value, …)`: the settings in an environment with only these variables."""
    return lambda **environment: load(tmp_path, environment, CATALOG)


def faults(root: Path, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(root, environment, CATALOG)
    assert SECRET not in str(caught.value)
    return caught.value.faults


def fault(root: Path, **environment: str) -> str:
    (sentence,) = faults(root, **environment)
    assert sentence.endswith((".", "?"))
    return sentence


# ---------------------------------------------------------------- several sets of credentials

SEVERAL = Catalog(
    [
        replace(
            CHRONOPOST,
            credentials=(("CHRONOPOST_LOGIN", "CHRONOPOST_PASSWORD"), ("CHRONOPOST_API_KEY",)),
            options=(Option("CHRONOPOST_COLOUR", "red", re.compile("red|blue"), "red or blue"),),
        )
    ]
)


@pytest.mark.parametrize(
    ("given", "used", "missing"),
    [
        ((), {}, "CHRONOPOST_LOGIN and CHRONOPOST_PASSWORD, or CHRONOPOST_API_KEY"),
        (("LOGIN",), {"LOGIN"}, "CHRONOPOST_PASSWORD"),
        (("PASSWORD",), {"PASSWORD"}, "CHRONOPOST_LOGIN"),
        (("API_KEY",), {"API_KEY"}, ""),
        (("LOGIN", "API_KEY"), {"API_KEY"}, ""),
        (("LOGIN", "PASSWORD", "API_KEY"), {"LOGIN", "PASSWORD"}, ""),
    ],
)
def test_one_complete_set_of_credentials_is_enough(
    tmp_path: Path, given: tuple[str, ...], used: set[str], missing: str
) -> None:
    environment = {f"CHRONOPOST_{name}": f"value-of-{name}" for name in given}
    settings = load(tmp_path, environment, SEVERAL)
    found = settings.credentials["chronopost"]
    assert set(found.values) == {f"CHRONOPOST_{name}" for name in used}
    assert found.missing == missing
    assert settings.configured == (frozenset() if missing else {"chronopost"})
    # An unused setting can still be a secret.
    assert set(settings.secrets) == set(environment.values())


def test_the_options_of_a_carrier_have_defaults_and_formats(tmp_path: Path) -> None:
    assert load(tmp_path, {}, SEVERAL).credentials["chronopost"].options == {"CHRONOPOST_COLOUR": "red"}
    blue = load(tmp_path, {"CHRONOPOST_COLOUR": "blue"}, SEVERAL).credentials["chronopost"]
    assert (blue.options, blue.values) == ({"CHRONOPOST_COLOUR": "blue"}, {})
    with pytest.raises(
        SettingsError, match=r"CHRONOPOST_COLOUR in the environment: it must be red or blue\."
    ):
        load(tmp_path, {"CHRONOPOST_COLOUR": "green"}, SEVERAL)


# ---------------------------------------------------------------- defaults


def test_the_defaults_are_as_promised(tmp_path: Path) -> None:
    found = load(tmp_path, {}, CATALOG)
    evidence_days = {key: spec.evidence_days for key, spec in CATALOG.specs.items() if spec.evidence_days}
    assert found.policy == Policy(zone=found.policy.zone, evidence_days=evidence_days)
    assert str(found.policy.zone) == "Europe/Paris"
    assert found.policy.waits == tuple(timedelta(hours=h) for h in (1, 6, 24, 72))
    assert found.policy.skip_claim_statuses == {"paid"}
    assert (found.enroll_new, found.policy.expire_after) == (EnrollNew.AUTO, timedelta(days=30))
    assert found.limits["chronopost"] == (Limit("chronopost", 100, Window(0, "Europe/Paris")),)
    assert found.carrier_concurrency == 4
    assert found.log_max_bytes == 5 * 1024 * 1024
    assert found.http == HttpLimits(10, 30, 60)
    assert found.pod_dir == tmp_path / "data/pods"
    assert found.log_dir == tmp_path / "logs"
    assert found.database_is_embedded
    assert found.database_url.database == str(tmp_path / "data/recours.db")
    assert found.credentials["chronopost"].missing == "CHRONOPOST_ACCOUNT and CHRONOPOST_PASSWORD"
    assert found.credentials["chronopost"].source == "nowhere"
    assert found.base_urls["chronopost"] == "https://ws.chronopost.fr"
    assert found.warnings == ()


def test_each_default_is_a_valid_value(tmp_path: Path) -> None:
    defaults = {
        s.name: s.default for s in SETTINGS.values() if s.default and s.name != "RECOURS_SECRETS_FILE"
    }
    assert load(tmp_path, defaults, CATALOG) == load(tmp_path, {}, CATALOG)


def test_blank_values_count_as_not_set(settings: Read) -> None:
    found = settings(CHRONOPOST_PASSWORD="   ", RECOURS_LOG_MAX_MB="", DATABASE_URL=" ")
    assert found.log_max_bytes == 5 * 1024 * 1024
    assert "CHRONOPOST_PASSWORD" in found.credentials["chronopost"].missing
    assert found.database_is_embedded


# ---------------------------------------------------------------- single settings

KEYS = "A" * 43 + "=", "B" * 43 + "="
PAGE_HASH = f"scrypt:{'0a' * 16}:{'0b' * 32}"

GOOD: list[tuple[str, str, Callable[[Settings], Any], Any]] = [
    ("RECOURS_CLAIMS_TABLE", "app.Dossiers", lambda s: s.table_names.claims, "app.Dossiers"),
    ("RECOURS_CLAIMS_COLUMNS", "tracking_number: N° de suivi ,carrier:transporteur", lambda s: s.table_names.columns,
     {"tracking_number": "N° de suivi", "carrier": "transporteur"}),
    ("RECOURS_BACKOFF_HOURS", "0.5, 2 ,2", lambda s: s.policy.waits,
     (timedelta(minutes=30), timedelta(hours=2), timedelta(hours=2))),
    ("RECOURS_TIMEZONE", "America/New_York", lambda s: str(s.policy.zone), "America/New_York"),
    ("RECOURS_SKIP_CLAIM_STATUSES", "Paid, rejected ,", lambda s: s.policy.skip_claim_statuses, {"paid", "rejected"}),
    ("RECOURS_ENROLL_NEW", "TRUE", lambda s: s.enroll_new, EnrollNew.TRUE),
    ("RECOURS_ENROLL_NEW", "auto", lambda s: s.enroll_new, EnrollNew.AUTO),
    ("RECOURS_EXPIRE_DAYS", "0", lambda s: s.policy.expire_after, None),
    ("RECOURS_EXPIRE_DAYS", "90", lambda s: s.policy.expire_after, timedelta(days=90)),
    ("RECOURS_LAST_ATTEMPT_HOURS", "0", lambda s: s.policy.last_attempt, None),
    ("RECOURS_LAST_ATTEMPT_HOURS", "30", lambda s: s.policy.last_attempt, timedelta(hours=30)),
    ("RECOURS_NOTIFY_PERSISTENT", "At-Once", lambda s: s.policy.notify_persistent_at_once, True),
    ("RECOURS_NOTIFY_PERSISTENT", "last-turn", lambda s: s.policy.notify_persistent_at_once, False),
    ("RECOURS_NOTIFY_TEMPORARY", "TRUE", lambda s: s.policy.notify_temporary, True),
    ("RECOURS_NOTIFY_TEMPORARY", "off", lambda s: s.policy.notify_temporary, False),
    ("RECOURS_CARRIER_CONCURRENCY", "64", lambda s: s.carrier_concurrency, 64),
    ("RECOURS_LOG_MAX_MB", "0.5", lambda s: s.log_max_bytes, 512 * 1024),
    ("RECOURS_SHARED_GROUP", "www-data", lambda s: s.access.group, "www-data"),
    ("RECOURS_TSA_URL", "http://tsa.example/tsr", lambda s: s.tsa_url, "http://tsa.example/tsr"),
    ("RECOURS_TSA_CERT", "/etc/tsa.pem", lambda s: s.tsa_certificate, Path("/etc/tsa.pem")),
    ("RECOURS_ACCOUNTS_KEY", f"{KEYS[0]}, {KEYS[1]}", lambda s: (s.accounts_keys, s.secrets[-2:]), (KEYS, KEYS)),
    ("RECOURS_DASHBOARD_PASSWORD_HASH", PAGE_HASH, lambda s: str(s.dashboard_password), PAGE_HASH),
    ("RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH", PAGE_HASH, lambda s: str(s.dashboard_viewer_password), PAGE_HASH),
    ("RECOURS_PAGE_USER_HEADER", "X-Forwarded-User", lambda s: s.page_user_header, "X-Forwarded-User"),
    ("RECOURS_PAGE_PROXIES", "10.0.0.0/8, ::1", lambda s: [*map(str, s.page_proxies)], ["10.0.0.0/8", "::1/128"]),
    ("RECOURS_PAGE_OPERATORS", "anna, Jean Dupont", lambda s: s.page_operators, ("anna", "Jean Dupont")),
    ("RECOURS_LANGUAGE", "EN", lambda s: s.mail.language, "en"),
    ("ADMIN_EMAIL", "boss@shop.example", lambda s: s.mail.admin, "boss@shop.example"),
    ("SMTP_HOST", "mail.shop.example", lambda s: s.mail.host, "mail.shop.example"),
    ("SMTP_PORT", "465", lambda s: s.mail.port, 465),
    ("SMTP_SECURITY", "TLS", lambda s: s.mail.security, "tls"),
    ("SMTP_USER", "us@shop.example", lambda s: (s.mail.user, s.mail.sender), ("us@shop.example",) * 2),
    ("SMTP_PASSWORD", "pass word", lambda s: (s.mail.password, s.secrets[-1]), ("pass word",) * 2),
    ("SMTP_FROM", "pods@shop.example", lambda s: s.mail.sender, "pods@shop.example"),
    ("RECOURS_MAIL_BRAKE", "0", lambda s: s.mail.send_limit, 0),
    ("RECOURS_MAIL_REDIRECT", "me@shop.example", lambda s: s.mail.redirect, "me@shop.example"),
    ("RECOURS_SERVICE_NAME", "Réclamations & Cie", lambda s: s.mail.service, "Réclamations & Cie"),
    ("RECOURS_REPLY_TO", "help@shop.example", lambda s: s.mail.reply_to, "help@shop.example"),
    ("RECOURS_CLAIM_URL", "https://shop.example/c/{reference}", lambda s: s.mail.claim_url,
     "https://shop.example/c/{reference}"),
    ("RECOURS_WEEKLY_REPORT", "no", lambda s: s.mail.weekly_report, False),
    ("RECOURS_PING_URL", "https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278",
     lambda s: (s.watch.ping_url, s.secrets[-1]),
     ("https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278", "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278")),
    ("RECOURS_PING_URL", "http://[::1]:8000/ping/x/{worker}?create=1", lambda s: (s.watch.ping_url, s.secrets),
     ("http://[::1]:8000/ping/x/{worker}?create=1", ())),
    ("RECOURS_METRICS_FILE", "/var/lib/x/recours.prom", lambda s: s.watch.metrics_file,
     Path("/var/lib/x/recours.prom").absolute()),
    ("RECOURS_POD_DIR", "/srv/pods", lambda s: s.pod_dir, Path("/srv/pods").absolute()),
    ("RECOURS_LOG_DIR", "~/logs", lambda s: s.log_dir, Path.home() / "logs"),
    ("CHRONOPOST_BASE_URL", "https://ws2.chronopost.fr/", lambda s: s.base_urls["chronopost"],
     "https://ws2.chronopost.fr"),
    ("CHRONOPOST_BASE_URL", "http://localhost:8017", lambda s: s.base_urls["chronopost"], "http://localhost:8017"),
    ("CHRONOPOST_BASE_URL", "http://[::1]:80", lambda s: s.base_urls["chronopost"], "http://[::1]:80"),
    ("CHRONOPOST_BASE_URL", "http://127.0.0.2:9", lambda s: s.base_urls["chronopost"], "http://127.0.0.2:9"),
    ("QUOTA_CHRONOPOST", "500/day", lambda s: s.limits["chronopost"],
     (Limit("chronopost", 500, Window(0, "Europe/Paris")),)),
    ("QUOTA_CHRONOPOST", "250/day@UTC, 1/second", lambda s: s.limits["chronopost"],
     (Limit("chronopost", 250, Window(0, "UTC")), Limit("chronopost", 1, Window(1)))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "read", "expected"), GOOD, ids=[f"{g[0]}={g[1]}" for g in GOOD])
def test_a_setting_is_read(
    name: str, value: str, read: Callable[[Settings], Any], expected: Any, settings: Read
) -> None:
    assert read(settings(**{name: value})) == expected


def test_every_setting_is_in_these_tables() -> None:
    elsewhere = {"DATABASE_URL", "DATABASE_PATH", "RECOURS_SECRETS_FILE"}
    assert {*SETTINGS} - elsewhere <= {name for name, *_ in GOOD}


def test_the_document_is_requested_first_only_at_carriers_that_allow_it(settings: Read) -> None:
    assert settings().policy.document_first == frozenset()
    found = settings(CHRONOPOST_DOCUMENT_FIRST="true", DHL_EXPRESS_DOCUMENT_FIRST="false")
    assert found.policy.document_first == {"chronopost"}
    assert found.warnings == ()
    found = settings(UPS_DOCUMENT_FIRST="true")
    assert found.policy.document_first == frozenset()
    (warning,) = found.warnings
    assert (
        "UPS_DOCUMENT_FIRST in the environment has no effect: UPS parcels are always tracked first."
        in warning
    )


def test_a_quota_for_one_kind_of_call_is_added_to_the_quota_of_the_carrier(settings: Read) -> None:
    limits = settings(QUOTA_CHRONOPOST_POD="40/day").limits["chronopost"]
    assert [(limit.number, limit.capability) for limit in limits] == [(100, None), (40, "POD")]
    assert limits[1].window == Window(0, "Europe/Paris")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RECOURS_BACKOFF_HOURS", "1;6", "'1;6' is not a list of hours, such as 1,6,24,72."),
        ("RECOURS_BACKOFF_HOURS", "6,1", "'6,1' is not valid: a wait must not be shorter"),
        ("RECOURS_BACKOFF_HOURS", "0", "must be positive"),
        ("RECOURS_BACKOFF_HOURS", "0.08", "the first wait must be longer than 5 minutes"),
        ("RECOURS_TIMEZONE", "Mars", "'Mars' is not a time zone"),
        ("RECOURS_NOTIFY_PERSISTENT", "never", "is not valid; use one of last-turn, at-once"),
        ("RECOURS_NOTIFY_TEMPORARY", "2", "is not valid; use true or false"),
        ("RECOURS_CARRIER_CONCURRENCY", "65", "whole number from 1 to 64"),
        ("RECOURS_CARRIER_CONCURRENCY", "4.0", "whole number from 1 to 64"),
        ("RECOURS_LOG_MAX_MB", "0", "from 0.01 to 1000"),
        ("RECOURS_CLAIMS_TABLE", "a.b.c", "not a table name; examples: claims, app.claims"),
        ("RECOURS_CLAIMS_TABLE", ".claims", "not a table name"),
        (
            "RECOURS_CLAIMS_COLUMNS",
            "tracking:suivi",
            "Did you mean tracking_number? Its columns: id, claim_reference, carrier",
        ),
        ("RECOURS_CLAIMS_COLUMNS", "carrier", "write carrier:name"),
        ("RECOURS_CLAIMS_COLUMNS", "carrier:a,carrier:b", "it names carrier twice"),
        ("RECOURS_SHARED_GROUP", "a:b", "'a:b' is not the name of a group"),
        ("RECOURS_TSA_URL", "ftp://tsa.example", "must be of the form http://host/path"),
        ("RECOURS_TSA_URL", "http://me:secret@tsa.example/", "must be of the form http://host/path"),
        ("RECOURS_DASHBOARD_PASSWORD_HASH", "secret", "recours dashboard --hash-password"),
        ("RECOURS_PAGE_USER_HEADER", "X-User: anna", "not the name of a header"),
        ("RECOURS_PAGE_PROXIES", "10.0.0.1/8", "or a network such as 10.0.0.0/8"),
        ("RECOURS_LANGUAGE", "de", "fr"),
        ("ADMIN_EMAIL", "boss", "must be one email address"),
        ("ADMIN_EMAIL", "a@shop.example, b@shop.example", "must be one email address"),
        ("SMTP_FROM", "Shop <pods@shop.example>", "must be one email address"),
        ("SMTP_PORT", "0", "whole number from 1 to 65535"),
        ("SMTP_SECURITY", "ssl", "starttls"),
        ("SMTP_HOST", "mail\r\nX: y", "line break"),
        ("RECOURS_MAIL_BRAKE", "-1", "whole number"),
        ("RECOURS_CLAIM_URL", "https://shop.example/claims", "{reference}"),
        ("RECOURS_WEEKLY_REPORT", "weekly", "is not valid; use true or false"),
        ("RECOURS_PING_URL", "http://10.0.0.1/x", "must begin with https"),
        ("RECOURS_PING_URL", "https://hc-ping.com/", "it must name a check"),
        ("RECOURS_PING_URL", "hc-ping.com/x", "of the form https://host/check"),
        ("RECOURS_PING_URL", "https://{worker}.example/x", "of the form https://host/check"),
        ("RECOURS_PING_URL", "https://us:pw@hc-ping.com/x", "of the form https://host/check"),
        ("RECOURS_PING_URL", "https://h:port/x", "it is not a URL"),
        ("RECOURS_PING_URL", "https://h/x#y", "must not contain #"),
        ("RECOURS_PING_URL", "https://h/é", "other characters that are not allowed"),
        ("RECOURS_PING_URL", "https://h/{run}", "braces except in {worker}"),
        ("RECOURS_METRICS_FILE", "/var/lib/recours.txt", "must end in .prom"),
        ("CHRONOPOST_DOCUMENT_FIRST", "maybe", "is not valid; use true or false"),
        ("QUOTA_CHRONOPOST", "1/day", "not enough for even one claim"),
        ("QUOTA_UPS", "1/hour", "which needs up to 2 calls, one of them for a token"),
        ("QUOTA_FEDEX", "2/day", "which needs up to 3 calls, one of them for a token"),
        ("QUOTA_GLS", "3/day", "which needs up to 4 calls, one of them for a token"),
        ("QUOTA_GLS_POD", "1/day", "which needs up to 2 calls."),
        ("QUOTA_CHRONOPOST_TRACKING", "0/day", "must be from 1"),
        ("QUOTA_CHRONOPOSTS", "5/day", "Did you mean QUOTA_CHRONOPOST?"),
        ("QUOTA_CHRONOPOST_TOKEN", "5/day", "is not a setting"),
        ("CHRONOPOST_BASE_URL", "http://10.0.0.1", "must begin with https"),
        ("CHRONOPOST_BASE_URL", "https://h/p", "must not have a path"),
        ("CHRONOPOST_BASE_URL", "https://h?q=1", "of the form https://host"),
        ("CHRONOPOST_PASSWORD", f"{SECRET}\r", ""),
        ("CHRONOPOST_PASSWORD", f"{SECRET}\x00{SECRET}", "contains a line break"),
        ("DATABASE_URL", "mysql://h/x", "names a mysql database"),
    ],
)
def test_an_invalid_setting_is_reported_with_its_source(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    if not words:  # strip() removes it
        assert load(tmp_path, {name: value}, CATALOG).credentials["chronopost"].values[name] == SECRET
        return
    sentence = fault(tmp_path, **{name: value})
    assert name in sentence
    assert words in sentence


@pytest.mark.parametrize(("keys", "which"), [("planted", "1 of 1"), (f"{KEYS[0]},{KEYS[1][:-4]}", "2 of 2")])
def test_an_invalid_accounts_key_ends_no_run(keys: str, which: str, tmp_path: Path) -> None:
    """The default accounts still work, as without a key."""
    settings = load(tmp_path, {"RECOURS_ACCOUNTS_KEY": keys}, CATALOG)
    assert settings.accounts_keys == ()
    (warning,) = settings.warnings
    assert warning.startswith(f"RECOURS_ACCOUNTS_KEY in the environment: key {which} is not a valid key; ")
    assert warning.endswith("clients' own accounts cannot be used.")
    assert not any(key in warning for key in keys.split(","))
    assert set(keys.split(",")) <= set(settings.secrets)


def test_all_faults_are_reported_at_once(tmp_path: Path, write: Write) -> None:
    write(".env", "RECOURS_LOG_MAX_MB=x\nnon sense = '\n")
    told = faults(tmp_path, RECOURS_TIMEZONE="x", QUOTA_CHRONOPOST="x", QUOTA_FOO="1/day", DATABASE_URL="x")
    assert len(told) == 5
    assert any(".env, line 2" in sentence for sentence in told)


def test_an_unknown_setting_is_a_warning(settings: Read) -> None:
    (warning,) = settings(RECOURS_LOGDIR="x").warnings
    assert warning == "RECOURS_LOGDIR in the environment is not a setting. Did you mean RECOURS_LOG_DIR?"


def test_the_home_is_read_only_from_the_environment(settings: Read, write: Write) -> None:
    assert settings(RECOURS_HOME="/srv/recours").warnings == ()
    write(".env", "RECOURS_HOME=/srv/recours\n")
    (warning,) = settings().warnings
    assert warning.startswith("RECOURS_HOME in .env is not a setting.")


def test_other_variables_cause_no_warning(settings: Read) -> None:
    assert settings(PATH="/bin", DATABASE="x", POSTGRES_URL="x").warnings == ()


# ---------------------------------------------------------------- the sources and their order


def account(found: Settings) -> tuple[str, str]:
    chronopost = found.credentials["chronopost"]
    return chronopost.values["CHRONOPOST_ACCOUNT"], chronopost.source


def test_the_environment_takes_precedence_over_dotenv_and_secrets(tmp_path: Path, write: Write) -> None:
    write(".streamlit/secrets.toml", '[chronopost]\naccount = "3"\npassword = "p"\n')
    assert account(load(tmp_path, {}, CATALOG)) == ("3", ".streamlit/secrets.toml")
    write(".env", "CHRONOPOST_ACCOUNT=2\n")
    assert account(load(tmp_path, {}, CATALOG)) == ("2", ".env and .streamlit/secrets.toml")
    found = load(tmp_path, {"CHRONOPOST_ACCOUNT": "1"}, CATALOG)
    assert account(found) == ("1", "the environment and .streamlit/secrets.toml")


def test_three_sources_are_listed_with_one_and(tmp_path: Path, write: Write) -> None:
    write(".streamlit/secrets.toml", '[fedex]\naccount_number = "1"\n')
    write(".env", "FEDEX_CLIENT_ID=one\n")
    found = load(tmp_path, {"FEDEX_CLIENT_SECRET": SECRET}, CATALOG)
    assert found.credentials["fedex"].source == ".env, the environment and .streamlit/secrets.toml"


def test_conflicting_sources_are_reported_without_their_values(tmp_path: Path, write: Write) -> None:
    write(".env", f"CHRONOPOST_PASSWORD={SECRET}\nCHRONOPOST_ACCOUNT=19869502\n")
    write(".streamlit/secrets.toml", 'CHRONOPOST_PASSWORD = "another"\nCHRONOPOST_ACCOUNT = 19869502\n')
    found = load(tmp_path, {}, CATALOG)
    assert found.warnings == (
        "CHRONOPOST_PASSWORD differs between .env and .streamlit/secrets.toml; the one in .env wins.",
    )


def test_equal_values_in_two_sources_cause_no_warning(tmp_path: Path, write: Write) -> None:
    write(".env", "CHRONOPOST_PASSWORD=one\n")
    assert load(tmp_path, {"CHRONOPOST_PASSWORD": "one"}, CATALOG).warnings == ()


def test_the_secrets_file_can_be_configured(tmp_path: Path, write: Write) -> None:
    write(".streamlit/secrets.toml", "CHRONOPOST_ACCOUNT = 1\n")
    other = write("elsewhere/s.toml", "CHRONOPOST_ACCOUNT = 2\nCHRONOPOST_PASSWORD = 3\n")
    assert account(load(tmp_path, {"RECOURS_SECRETS_FILE": "elsewhere/s.toml"}, CATALOG)) == (
        "2",
        "elsewhere/s.toml",
    )
    assert account(load(tmp_path, {"RECOURS_SECRETS_FILE": str(other)}, CATALOG))[0] == "2"
    assert "there is no such file" in fault(tmp_path, RECOURS_SECRETS_FILE="nowhere.toml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"chronopost": {"account": 7, "password": "p"}}, {"CHRONOPOST_ACCOUNT": "7", "CHRONOPOST_PASSWORD": "p"}),
        ({"dhl-express": {"api key": "k"}}, {"DHL_EXPRESS_API_KEY": "k"}),
        ({"dhl": {"express": {"api_key": "k"}}}, {"DHL_EXPRESS_API_KEY": "k"}),
        ({"CHRONOPOST_ACCOUNT": 12345678}, {"CHRONOPOST_ACCOUNT": "12345678"}),
        ({"RECOURS_NOTIFY_TEMPORARY": True}, {"RECOURS_NOTIFY_TEMPORARY": "true"}),
        ({"RECOURS_LOG_MAX_MB": 0.5}, {"RECOURS_LOG_MAX_MB": "0.5"}),
        ({"list": [1, 2], "table": {"inner": [{}]}}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_sections_and_flat_keys_are_equivalent(content: dict[str, Any], expected: dict[str, str]) -> None:
    assert flattened(content) == expected


def test_a_number_with_leading_zeros_must_be_quoted(tmp_path: Path, write: Write) -> None:
    write(".streamlit/secrets.toml", "[chronopost]\npassword = 012345\n")
    assert ".streamlit/secrets.toml is not valid TOML (line 2" in fault(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (".env", f"A=1\nB = 'x\nCHRONOPOST_PASSWORD={SECRET}\n".encode(), ".env, line 2: not of the form"),
        (".env", f"CHRONOPOST_PASSWORD={SECRET}é\n".encode("latin-1"), ".env is not UTF-8 text"),
        (".env", "A=1\n".encode("utf-16"), ".env is not UTF-8 text"),
        (".streamlit/secrets.toml", f"password = {SECRET}\n".encode(), "is not valid TOML (line 1"),
        (".streamlit/secrets.toml", f"password = '{SECRET}\n".encode(), "is not valid TOML ("),
        (".streamlit/secrets.toml", b"[a", "is not valid TOML"),
        (".streamlit/secrets.toml", b"a = 1\na = 2\n", "is not valid TOML"),
        (".streamlit/secrets.toml", b"a = '\xe9'\n", "is not UTF-8 text"),
    ],
)
def test_a_malformed_file_is_named_and_never_quoted(
    name: str, content: bytes, words: str, tmp_path: Path, write: Write
) -> None:
    write(name, content)
    assert words in fault(tmp_path)


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    (tmp_path / ".streamlit/secrets.toml").mkdir(parents=True)
    assert [sentence.partition(" cannot be read: ")[0] for sentence in faults(tmp_path)] == [
        ".env",
        ".streamlit/secrets.toml",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("name", [".env", ".streamlit/secrets.toml"])
def test_a_pipe_a_device_and_a_file_without_end_are_not_waited_for(
    tmp_path: Path, write: Write, name: str
) -> None:
    path = write(name, "A=" + "1" * 1_000_000)
    assert f"{name} cannot be read: it is larger than 1,000,000 bytes." in faults(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert f"{name} cannot be read: it is a pipe or a device" in fault(tmp_path)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert f"{name} cannot be read: it is a pipe or a device" in fault(tmp_path)


def test_files_as_windows_saves_them(tmp_path: Path, write: Write) -> None:
    write(".env", b"\xef\xbb\xbfCHRONOPOST_ACCOUNT=1\r\n")
    write(".streamlit/secrets.toml", b"\xef\xbb\xbf[chronopost]\r\npassword = 'p'\r\n")
    assert dict(load(tmp_path, {}, CATALOG).credentials["chronopost"].values) == {
        "CHRONOPOST_ACCOUNT": "1",
        "CHRONOPOST_PASSWORD": "p",
    }


@pytest.mark.parametrize("password", ["${HOME}", "a#b", "a'b", "p=q", "$x", "é€"])
def test_a_password_in_dotenv_is_read_verbatim(password: str, tmp_path: Path, write: Write) -> None:
    write(".env", f"CHRONOPOST_PASSWORD={password}\n")
    assert load(tmp_path, {}, CATALOG).credentials["chronopost"].values["CHRONOPOST_PASSWORD"] == password


# ---------------------------------------------------------------- the database


def database(root: Path, **environment: str) -> str:
    return load(root, environment, CATALOG).database_url.render_as_string(hide_password=False)


def test_a_relative_path_starts_at_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    inside = (tmp_path / "data/x.db").absolute()
    assert database(tmp_path, DATABASE_PATH="data/x.db") == f"sqlite:///{inside}"
    assert database(tmp_path, DATABASE_URL="sqlite:///data/x.db") == f"sqlite:///{inside}"
    assert database(tmp_path, DATABASE_PATH="~/x.db") == f"sqlite:///{Path.home() / 'x.db'}"


def test_all_forms_of_postgresql_urls_are_equivalent(tmp_path: Path) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        assert (
            database(tmp_path, DATABASE_URL=f"{scheme}://u:p@h:5432/x") == "postgresql+psycopg://u:p@h:5432/x"
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("host=/tmp&port=abc", "has ports that do not match its hosts"),
        ("host=a,b&port=1,2,3", "has ports that do not match its hosts"),
        ("port=70000", "has an invalid port"),
        ("port=0", "has an invalid port"),
        ("connect_timeout=abc", "has an option connect_timeout that is not a whole number"),
        ("keepalives_idle=1.5", "has an option keepalives_idle that is not a whole number"),
        ("sslmode=require&sslmode=disable", "has the option sslmode twice"),
        ("frob=1", "has an option that PostgreSQL does not support: frob"),
        ("autocommit=1", "has an option that PostgreSQL does not support: autocommit"),
        ("cls=x", "has an option that PostgreSQL does not support: cls"),
        (f"{SECRET}=x", "has an option that PostgreSQL does not support: its name is not a word"),
    ],
)
def test_invalid_options_of_a_url_are_reported(tmp_path: Path, options: str, said: str) -> None:
    told = fault(tmp_path, DATABASE_URL=f"postgresql://u:{SECRET}@/x?{options}")
    assert told.startswith(f"DATABASE_URL in the environment {said}")
    assert SECRET not in told


@pytest.mark.parametrize(
    "options",
    [
        "host=/tmp",
        "host=/tmp&port=5433",
        "host=a:1&host=b:2",
        "sslmode=require&connect_timeout=5",
        "options=-csearch_path%3Dx",
    ],
)
def test_valid_options_of_a_url_are_accepted(tmp_path: Path, options: str) -> None:
    load(tmp_path, {"DATABASE_URL": f"postgresql://u:p@/x?{options}"}, CATALOG)


def test_a_configured_database_is_not_the_embedded_one(tmp_path: Path) -> None:
    assert not load(tmp_path, {"DATABASE_PATH": "x.db"}, CATALOG).database_is_embedded
    assert not load(tmp_path, {}, CATALOG, database_url="sqlite:///x.db").database_is_embedded


def test_the_option_takes_precedence_over_every_source(tmp_path: Path) -> None:
    found = load(tmp_path, {"DATABASE_URL": "sqlite:///a.db", "DATABASE_PATH": "b.db"}, CATALOG,
                 database_url="sqlite:////c.db")  # fmt: skip
    assert found.database_url.database == str(Path("/c.db").absolute())
    assert found.warnings == ()


def test_database_url_takes_precedence_over_database_path_with_a_warning(tmp_path: Path) -> None:
    found = load(tmp_path, {"DATABASE_URL": "sqlite:////a.db", "DATABASE_PATH": "b.db"}, CATALOG)
    assert found.database_url.database == str(Path("/a.db").absolute())
    assert "DATABASE_PATH in the environment is not used" in found.warnings[0]


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory"]
)
def test_an_in_memory_database_is_rejected(url: str, tmp_path: Path) -> None:
    assert "names an in-memory database" in fault(tmp_path, DATABASE_URL=url)


# ---------------------------------------------------------------- secrets, and the log's folder


def test_every_secret_is_known_to_the_redactor(tmp_path: Path) -> None:
    found = load(tmp_path, FULL | {"DATABASE_URL": "postgresql://u:p%40ss@h/x"}, CATALOG)
    assert set(found.secrets) >= {SECRET, "p@ss"}


def test_the_key_of_a_check_is_never_shown(tmp_path: Path) -> None:
    for text in (f"http://10.0.0.1/{SECRET}", f"https://h/{SECRET}#"):
        assert SECRET not in fault(tmp_path, RECOURS_PING_URL=text)
    assert SECRET not in repr(load(tmp_path, {"RECOURS_PING_URL": f"https://h/{SECRET}"}, CATALOG))


def test_the_ping_url_is_loaded_despite_other_faults(tmp_path: Path) -> None:
    good = {"RECOURS_PING_URL": "https://h/x", "RECOURS_TIMEZONE": "x"}
    assert load_one("RECOURS_PING_URL", tmp_path, good) == "https://h/x"
    assert load_one("RECOURS_PING_URL", tmp_path, {"RECOURS_PING_URL": "http://h/x"}) == ""
    assert load_one("RECOURS_PING_URL", tmp_path, {}) == ""


def test_a_representation_holds_no_secret(tmp_path: Path, write: Write) -> None:
    write(".env", f"CHRONOPOST_PASSWORD={SECRET}\n")
    found = load(tmp_path, {"DATABASE_URL": f"postgresql://u:{SECRET}@h/x"}, CATALOG)
    assert SECRET not in repr(found)
    assert SECRET not in repr(find(tmp_path, {"CHRONOPOST_PASSWORD": SECRET}))


def test_the_log_folder_is_loaded_despite_other_faults(tmp_path: Path, write: Write) -> None:
    assert load_one("RECOURS_LOG_DIR", tmp_path, {}) == tmp_path / "logs"
    assert (
        load_one("RECOURS_LOG_DIR", tmp_path, {"RECOURS_LOG_DIR": "l", "RECOURS_TIMEZONE": "x"})
        == tmp_path / "l"
    )
    write(".env", "RECOURS_LOG_DIR=from-env\n")
    assert load_one("RECOURS_LOG_DIR", tmp_path, {}) == tmp_path / "from-env"
    write(".streamlit/secrets.toml", "broken")
    assert load_one("RECOURS_LOG_DIR", tmp_path, {"QUOTA_X": "1"}) == tmp_path / "from-env"


def test_the_logs_folder_is_the_same_for_a_fault_and_for_a_run(tmp_path: Path) -> None:
    environment = {"RECOURS_LOG_DIR": "~/logs"}
    assert load_one("RECOURS_LOG_DIR", tmp_path, environment) == load(tmp_path, environment, CATALOG).log_dir


def test_an_impossible_home_is_reported_in_a_sentence() -> None:
    with pytest.raises(NoHomeError, match="RECOURS_HOME is set to a folder that cannot be accessed"):
        find_home({"RECOURS_HOME": f"/{'a' * 300}"})
