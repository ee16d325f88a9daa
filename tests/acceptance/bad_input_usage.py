"""Cases: the command line, the settings, and the files they stand in."""

from typing import Any

from tests.acceptance.bad_input_case import Case, Check, Prepare, case
from tests.acceptance.bad_input_world import DATABASE_PASSWORD, FETCHER, FORGED, PASSWORD, World, a_number

BIDI = "\u202e"


def _range(option: str, value: str, bounds: str, **more: Any) -> Case:
    return case(f"{option} {value[:20]!r}", 2, option, bounds, options=(option, value), **more)


OPTIONS = [
    _range("--batch-size", "0", "from 1 to 10000"),
    _range("--batch-size", "-5", "from 1 to 10000", full=True),
    _range("--batch-size", "10001", "from 1 to 10000"),
    _range("--batch-size", "9" * 30, "from 1 to 10000", full=True),
    _range("--batch-size", "many", "not a whole number"),
    _range("--batch-size", "3.5", "not a whole number", full=True),
    _range("--batch-size", "", "not a whole number", full=True),
    _range("--max-retries", "0", "from 1 to 20", full=True),
    _range("--max-retries", "21", "from 1 to 20"),
    _range("--max-retries", "four", "not a whole number", full=True),
    _range("--concurrency", "0", "from 1 to 64"),
    _range("--concurrency", "65", "from 1 to 64", full=True),
    _range("--concurrency", "x", "not a whole number", full=True),
    _range("--max-runtime", "0", "above 0 and up to 1440"),
    _range("--max-runtime", "-1", "above 0 and up to 1440", full=True),
    _range("--max-runtime", "1441", "above 0 and up to 1440", full=True),
    _range("--max-runtime", "inf", "above 0 and up to 1440", full=True),
    _range("--max-runtime", "nan", "above 0 and up to 1440"),
    _range("--max-runtime", "soon", "not a number of minutes", full=True),
    _range("--batch-size", "0", "from 1 to 10000", worker=FETCHER),
    case("the fetch worker has no --max-retries", 2, "No such option '--max-retries'", options=("--max-retries", "4"),
         worker=FETCHER),
    case("the fetch worker has no --claim", 2, "No such option '--claim'", options=("--claim", "CLM-1"), worker=FETCHER),
    case("a prefix of an option", 2, "No such option '--batch'", "--batch-size", options=("--batch", "3")),
    case("a prefix of --claim", 2, "No such option '--clai'", options=("--clai", "CLM-1"), full=True),
    case("a prefix of --dry-run", 2, "No such option '--dry'", options=("--dry",), full=True),
    case("an unknown option", 2, "No such option '--frobnicate'", options=("--frobnicate",)),
    case("an unknown short option", 2, "No such option '-q'", options=("-q",), full=True),
    case("an option without its value", 2, "'--batch-size' requires an argument", options=("--batch-size",)),
    case("a value for a flag", 2, "'--dry-run' does not take a value", options=("--dry-run=yes",)),
    case("an argument too many", 2, "unexpected extra argument", options=("now",)),
    case("the URL without its option", 2, "unexpected extra argument",
         options=(f"postgresql://recours:{DATABASE_PASSWORD}@127.0.0.1/claims",)),
    case("an option that forges a line", 2, "--batch-size", options=("--batch-size", f"1\n{FORGED}")),
    case("an argument that forges a line", 2, "unexpected extra argument", options=(f"x\n{FORGED}",)),
    case("an option's name that forges a line", 2, "No such option", options=(f"--x\n{FORGED}",)),
    case("a carrier that forges a line", 2, "there is no carrier", options=("--carrier", f"x\n{FORGED}")),
    case("a carrier that turns the text around", 2, "there is no carrier", options=("--carrier", f"{BIDI}SPUU")),
    case("an unknown carrier", 2, "there is no carrier 'Chronopots'", "Did you mean Chronopost?",
         options=("--carrier", "Chronopots")),
    case("a carrier like no other", 2, "there is no carrier 'Zzyzx'", "Known: Chronopost",
         options=("--carrier", "Zzyzx")),
    case("an empty carrier", 2, "there is no carrier ''", options=("--carrier", "")),
    case("a carrier of 5,000 signs", 2, "there is no carrier", options=("--carrier", "C" * 5000), full=True),
]  # fmt: skip


def _held(world: World) -> None:
    world.sql("UPDATE claims SET pod_lease_token = 'x', pod_lease_until = datetime('now', '+5 minutes')")
    world.sql("UPDATE claims SET pod_lease_until = pod_lease_until || '.000000'")


def _is_held_still(world: World, _ran: object) -> None:
    assert world.one("CLM-1")["pod_lease_token"] == "x"
    world.sql("UPDATE claims SET pod_lease_token = NULL, pod_lease_until = NULL")


CLAIMS_NAMED = [
    case("an unknown claim", 2, "There is no claim 'CLM-2'", "Did you mean CLM-1?", options=("--claim", "CLM-2")),
    case("a claim like no other", 2, "There is no claim 'nonsense'", options=("--claim", "nonsense")),
    case("a reference of 100,000 signs", 2, "There is no claim 'CCCC", options=("--claim", "C" * 100_000)),
    case("an empty reference", 2, "There is no claim ''", options=("--claim", "")),
    case("a reference of SQL", 2, "There is no claim", options=("--claim", "' OR 1=1; DROP TABLE claims; --"), full=True),
    case("a reference that is not UTF-8", 2, "There is no claim", options=("--claim", "CLM-\udcff")),
    case("a reference that forges a line", 2, "There is no claim", options=("--claim", f"x\n{FORGED}")),
    case("a claim that has its POD", 2, "CLM-DONE already has its POD", options=("--claim", "CLM-DONE")),
    case("a claim that is held", 2, "CLM-1 is being fetched by another run", options=("--claim", "CLM-1"),
         prepare=_held, check=_is_held_still),
    case("a claim that is paid", 2, "CLM-1 has the status 'paid'", options=("--claim", "CLM-1"),
         prepare=lambda w: w.sql("UPDATE claims SET status = 'paid' WHERE id = 1")),
    case("one good claim and two bad ones", 2, "There is no claim 'CLM-9'", "CLM-DONE already has its POD",
         options=("--claim", "CLM-1", "--claim", "CLM-9", "--claim", "CLM-DONE")),
    case("an unknown claim in a dry run", 2, "There is no claim 'CLM-2'", options=("--dry-run", "--claim", "CLM-2")),
]  # fmt: skip


def _url(name: str, status: int, *says: str, url: str, **more: Any) -> Case:
    return case(f"--database-url {name}", status, *says, options=("--database-url", url), **more)


POSTGRES = "127.0.0.1:1/claims"  # nothing listens there
DATABASE_URLS = [
    _url("is none", 2, "--database-url is not a database URL", "sqlite:///", url=f"claims.db:{DATABASE_PASSWORD}"),
    _url("is empty", 2, "--database-url is not a database URL", url="", full=True),
    _url("with a port that is none", 2, "is not a database URL", url=f"postgresql://u:{DATABASE_PASSWORD}@h:port/x"),
    _url("of an unknown kind", 2, "names a oracle database; only SQLite and PostgreSQL",
         url=f"oracle://u:{DATABASE_PASSWORD}@h/x"),
    _url("of MySQL", 2, "names a mysql database; only SQLite and PostgreSQL", url="mysql+pymysql://h/x", full=True),
    _url("of no kind at all", 2, "only SQLite and PostgreSQL", url="frob://h/x", full=True),
    _url("in memory", 2, "names a database in memory", url="sqlite://"),
    _url("in memory by name", 2, "names a database in memory", url="sqlite:///:memory:", full=True),
    _url("in memory by a file's name", 2, "names a database in memory", url="sqlite:///file:x?mode=memory&uri=true"),
    _url("of a missing file", 1, "There is no database file", "recours init-db", url="sqlite:////nowhere/x.db"),
    _url("of a server that is down", 1, "cannot be used: ", "127.0.0.1",
         url=f"postgresql://u:{DATABASE_PASSWORD}@{POSTGRES}"),
    _url("with the password as a parameter", 1, "cannot be used: ",
         url=f"postgresql://{POSTGRES}?user=u&password={DATABASE_PASSWORD}"),
    _url("with an unknown parameter", 2, "has an option that PostgreSQL does not know: frob",
         url=f"postgresql://u:{DATABASE_PASSWORD}@{POSTGRES}?frob=1"),
    _url("with a folder as the host and a port that is none", 2, "--database-url names ports that do not fit its hosts",
         url=f"postgresql://u:{DATABASE_PASSWORD}@/x?host=/tmp&port=abc"),
    _url("with a time-out that is none", 2, "has an option connect_timeout that is not a whole number",
         url=f"postgresql://u:{DATABASE_PASSWORD}@{POSTGRES}?connect_timeout=abc"),
    _url("with an unknown way of encrypting", 1, "cannot be used: ", 'invalid sslmode value: "bogus"',
         url=f"postgresql://u:{DATABASE_PASSWORD}@{POSTGRES}?sslmode=bogus"),
    _url("with an option of the driver's", 2, "does not know: row_factory",
         url=f"postgresql://u:{DATABASE_PASSWORD}@{POSTGRES}?row_factory=x", full=True),
    case("DATABASE_URL is none", 2, "DATABASE_URL in the environment is not a database URL",
         env={"DATABASE_URL": f"pg {DATABASE_PASSWORD}"}),
    case("DATABASE_URL is a path", 2, "DATABASE_URL in the environment is not a database URL",
         env={"DATABASE_URL": "/srv/claims.db"}, full=True),
    case("DATABASE_URL in the old form, server down", 1, "cannot be used: ",
         env={"DATABASE_URL": f"postgres://u:{DATABASE_PASSWORD}@{POSTGRES}"}),
    case("DATABASE_PATH is missing", 1, "There is no database file", "recours init-db",
         env={"DATABASE_PATH": "/nowhere/claims.db"}),
    case("DATABASE_PATH of 5,000 signs", 1, "database", env={"DATABASE_PATH": "/" + "x" * 5000}),
    case("DATABASE_PATH in the home of nobody", 2, "home folder", env={"DATABASE_PATH": "~nobody-of-that-name/x.db"}),
    case("DATABASE_PATH and DATABASE_URL", 0, "DATABASE_URL in the environment wins; DATABASE_PATH in the environment "
         "is not used", prepare=lambda w: w.env.update(DATABASE_URL=f"sqlite:///{w.database}", DATABASE_PATH="x.db"),
         calls=True),
]  # fmt: skip


def _bad(name: str, value: str, *says: str, title: str = "", **more: Any) -> Case:
    title = title or f"{name}={value[:24]!r}"
    return case(title, 2, f"{name} in the environment", *says, env={name: value}, **more)


_BACKOFF = "RECOURS_BACKOFF_HOURS: "
SETTINGS = [
    _bad("RECOURS_BACKOFF_HOURS", "soon", "'soon' is not a number"),
    _bad("RECOURS_BACKOFF_HOURS", "nan", "'nan' is not a number", full=True),
    _bad("RECOURS_BACKOFF_HOURS", "1,,6", "'' is not a number", full=True),
    _bad("RECOURS_BACKOFF_HOURS", "1,inf", "'inf' is not a number", full=True),
    _bad("RECOURS_BACKOFF_HOURS", f"1\n{FORGED}", "is not a number", title="RECOURS_BACKOFF_HOURS forges a line"),
    case("RECOURS_BACKOFF_HOURS shrinks", 2, _BACKOFF + "a wait must not be shorter than the one before it",
         env={"RECOURS_BACKOFF_HOURS": "6,1"}),
    case("RECOURS_BACKOFF_HOURS is negative", 2, _BACKOFF + "every wait must be positive",
         env={"RECOURS_BACKOFF_HOURS": "-1,6"}, full=True),
    case("RECOURS_BACKOFF_HOURS is zero", 2, "every wait must be positive", env={"RECOURS_BACKOFF_HOURS": "0"}, full=True),
    case("a setting's name that forges a line", 0, "is not a setting", env={f"RECOURS_X\n{FORGED}": "1"}, calls=True),
    case("a quota's name that forges a line", 2, "is not a setting", env={f"QUOTA_X\n{FORGED}": "1"}),
    _bad("RECOURS_TIMEZONE", f"x\n{FORGED}", "is not a time zone", title="RECOURS_TIMEZONE forges a line"),
    _bad("RECOURS_SECRETS_FILE", f"x\n{FORGED}", "there is no such file", title="RECOURS_SECRETS_FILE forges a line"),
    _bad("RECOURS_TIMEZONE", "Paris", "'Paris' is not a time zone", full=True),
    _bad("RECOURS_TIMEZONE", "../../../etc/passwd", "is not a time zone"),
    _bad("RECOURS_TIMEZONE", "Europe", "'Europe' is not a time zone", full=True),
    _bad("RECOURS_NOTIFY_PERSISTENT", "always", "is none of last-turn, at-once"),
    _bad("RECOURS_NOTIFY_TEMPORARY", "perhaps", "is neither true nor false"),
    _bad("RECOURS_CARRIER_CONCURRENCY", "0", "not a whole number from 1 to 64", full=True),
    _bad("RECOURS_CARRIER_CONCURRENCY", "٣", "not a whole number from 1 to 64", full=True),
    _bad("RECOURS_CARRIER_CONCURRENCY", "0000000199", "not a whole number from 1 to 64"),
    _bad("RECOURS_LOG_MAX_MB", "5MB", "not a number from 0.01 to 1000", full=True),
    _bad("RECOURS_LOG_MAX_MB", "1e999", "not a number from 0.01 to 1000", full=True),
    _bad("RECOURS_MAIL_BRAKE", "9" * 5000, "not a whole number from 0 to 1000000", title="RECOURS_MAIL_BRAKE huge"),
    case("a setting that is none", 0, "RECOURS_BACKOF_HOURS in the environment is not a setting",
         "Did you mean RECOURS_BACKOFF_HOURS?", env={"RECOURS_BACKOF_HOURS": "1"}, calls=True),
    _bad("QUOTA_CHRONOPOSTE", "500/day", "is not a setting. Did you mean QUOTA_CHRONOPOST?"),
    _bad("QUOTA_CHRONOPOST", "0/day", "the number of calls in '0/day' must be from 1"),
    _bad("QUOTA_CHRONOPOST", "-3/day", "'-3/day' is not a limit; write for example 100/day", full=True),
    _bad("QUOTA_CHRONOPOST", "many", "'many' is not a limit; write for example 100/day", full=True),
    _bad("QUOTA_CHRONOPOST", "100/fortnight", "is not a limit", full=True),
    _bad("QUOTA_CHRONOPOST", "100/day@Moon/Crater", "'Moon/Crater' is not a time zone"),
    _bad("QUOTA_CHRONOPOST", "100/hour@UTC", "only a day has a time zone", full=True),
    _bad("QUOTA_CHRONOPOST", "100/day,50/day", "it names the same window twice", full=True),
    _bad("QUOTA_CHRONOPOST", "100/3days", "only seconds can be counted", full=True),
    _bad("QUOTA_CHRONOPOST", "1/day", "can never be enough for one claim, which needs up to 2 calls"),
    _bad("QUOTA_CHRONOPOST", "9999999999/day", "must be from 1 to", full=True),
    _bad("CHRONOPOST_BASE_URL", "http://ws.chronopost.fr", "plain http is for loopback only"),
    _bad("CHRONOPOST_BASE_URL", "http://127.evil.example", "plain http is for loopback only"),
    _bad("CHRONOPOST_BASE_URL", "https://ws.chronopost.fr/path", "must not have a path"),
    _bad("CHRONOPOST_BASE_URL", f"https://u:{PASSWORD}@ws.chronopost.fr", "must be of the form https://host",
         title="CHRONOPOST_BASE_URL with user and password"),
    _bad("CHRONOPOST_BASE_URL", f"https://:{PASSWORD}@ws.chronopost.fr", "must be of the form https://host",
         title="CHRONOPOST_BASE_URL with a password"),
    _bad("CHRONOPOST_BASE_URL", "https://ws.chronopost.fr#here", "must be of the form https://host"),
    _bad("CHRONOPOST_BASE_URL", "https://two words.fr", "of the form https://host"),
    _bad("CHRONOPOST_BASE_URL", "ftp://ws.chronopost.fr", "must be of the form https://host", full=True),
    _bad("CHRONOPOST_BASE_URL", "ws.chronopost.fr", "must be of the form https://host", full=True),
    _bad("CHRONOPOST_BASE_URL", "https://[::1", "is not a URL", full=True),
    _bad("CHRONOPOST_BASE_URL", "https://host:99999", "is not a URL", full=True),
    _bad("CHRONOPOST_PASSWORD", f"{PASSWORD}\nX: y", "holds a line break", title="a password with a line break"),
    _bad("CHRONOPOST_PASSWORD", "mot-de-passe-\udce9", "not UTF-8", title="a password that is not UTF-8"),
    case("several faults at once", 2, "RECOURS_TIMEZONE in the environment", "QUOTA_CHRONOPOST in the environment",
         "CHRONOPOST_BASE_URL in the environment", "RECOURS_LOG_MAX_MB in the environment",
         "DATABASE_URL in the environment", env={"RECOURS_TIMEZONE": "x", "QUOTA_CHRONOPOST": "x",
         "CHRONOPOST_BASE_URL": "x", "RECOURS_LOG_MAX_MB": "x", "DATABASE_URL": "x"}),
    case("a bad setting, told to the fetch worker", 2, "RECOURS_LOG_MAX_MB in the environment",
         env={"RECOURS_LOG_MAX_MB": "x"}, worker=FETCHER),
]  # fmt: skip


# ---------------------------------------------------------------- .env and secrets.toml


def _dotenv(content: str | bytes) -> Prepare:
    def prepare(world: World) -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        path = world.root / ".env"
        path.write_bytes(raw)
        world.undo.append(path.unlink)

    return prepare


def _secrets(content: str | bytes, name: str = "secrets.toml") -> Prepare:
    """A secrets file of its own, named by the setting."""

    def prepare(world: World) -> None:
        path = world.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        world.env["RECOURS_SECRETS_FILE"] = str(path)
        world.undo.append(path.unlink)

    return prepare


def _own_secrets(content: str) -> Prepare:
    """The secrets file of the root."""

    def prepare(world: World) -> None:
        path = world.root / ".streamlit" / "secrets.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        world.undo.append(path.unlink)

    return prepare


def _known_to(number: int) -> Check:
    """The run's own lines show that the claim was fetched with the account of the file."""

    def check(world: World, _ran: object) -> None:
        assert world.one("CLM-1")["pod_fetch_status"] == "success"
        assert number == len(world.attempts("CLM-1"))

    return check


def _int_password(world: World) -> None:
    world.box.accounts["10000007"] = "700007"
    _secrets("[chronopost]\naccount = 10000007\npassword = 700007\n")(world)


def _file_of_password(world: World) -> None:
    path = world.folder / "secrets.toml"  # a name whose file is expected to hold secrets
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    world.env["CHRONOPOST_PASSWORD_FILE"] = str(path)
    world.undo.append(path.unlink)


def _two_passwords(world: World) -> None:
    _own_secrets('[chronopost]\npassword = "another"\n')(world)
    _dotenv(f"CHRONOPOST_PASSWORD={PASSWORD}\n")(world)


def _folder_as_dotenv(world: World) -> None:
    (world.root / ".env").mkdir()
    world.undo.append((world.root / ".env").rmdir)


def _nested(depth: int) -> str:
    return f'[chronopost]\npassword = "{PASSWORD}"\nx = ' + "[" * depth + "]" * depth


NO_ACCOUNT = {"CHRONOPOST_ACCOUNT": None, "CHRONOPOST_PASSWORD": None}
_NO_LOG = {"RECOURS_LOG_DIR": None}
FILES = [
    case("secrets.toml is no TOML", 2, "is not valid TOML (line 2", "text needs quotes",
         prepare=_secrets(f"[chronopost]\npassword = {PASSWORD}\n")),
    case("secrets.toml is not UTF-8", 2, "secrets.toml is not UTF-8 text",
         prepare=_secrets(f'[chronopost]\npassword = "{PASSWORD}é"\n'.encode("latin-1"))),
    case("secrets.toml is binary", 2, "secrets.toml is not", prepare=_secrets(b"\x00\x01\x02SQLite")),
    case("secrets.toml is named but missing", 2, "RECOURS_SECRETS_FILE in the environment names /nowhere/x.toml, "
         "but there is no such file", env={"RECOURS_SECRETS_FILE": "/nowhere/x.toml"}),
    case("secrets.toml is a folder", 2, "cannot be read: Is a directory", env={"RECOURS_SECRETS_FILE": "/tmp"}),
    case("secrets.toml nested without end", 2, "secrets.toml", prepare=_secrets(_nested(3000))),
    case("secrets.toml with a number without end", 2, "secrets.toml", prepare=_secrets("x = " + "9" * 5000)),
    case("secrets.toml with a control character in the password", 2, "CHRONOPOST_PASSWORD in ", "holds a line break",
         prepare=_secrets(f'[chronopost]\npassword = "{PASSWORD}\\u0007"\n'), env={"CHRONOPOST_PASSWORD": None}),
    case("secrets.toml with numbers as values", 0, "SUCCESS", prepare=_int_password, env=NO_ACCOUNT, calls=True,
         check=_known_to(1)),
    case("the root's secrets.toml is no TOML", 2, ".streamlit/secrets.toml is not valid TOML (line 1",
         prepare=_own_secrets("chronopost = \n"), copied=True),
    case("two sources differ", 0, "CHRONOPOST_ACCOUNT differs between the environment and .streamlit/secrets.toml; "
         "the one in the environment wins", copied=True, calls=True, check=_known_to(1),
         prepare=_own_secrets('[chronopost]\naccount = 11111111\npassword = "another"\n')),
    case(".env and secrets.toml differ", 0, "CHRONOPOST_PASSWORD differs between .env and .streamlit/secrets.toml; "
         "the one in .env wins", copied=True, calls=True, check=_known_to(1), env={"CHRONOPOST_PASSWORD": None},
         prepare=_two_passwords),
    case("a secret's file is missing", 2, "CHRONOPOST_PASSWORD_FILE in the environment names a file that does not exist.",
         env={"CHRONOPOST_PASSWORD": None, "CHRONOPOST_PASSWORD_FILE": f"/nowhere/{PASSWORD}"}),
    case("a secret's file has no end", 2, "CHRONOPOST_PASSWORD_FILE in the environment names a file that cannot be read: it is a pipe or a device",
         env={"CHRONOPOST_PASSWORD_FILE": "/dev/zero"}),
    case("a secret in a file", 0, "SUCCESS", prepare=_file_of_password, env={"CHRONOPOST_PASSWORD": None}, calls=True,
         check=_known_to(1)),
    case(".env with a broken line", 2, ".env, line 2: not of the form NAME=value", copied=True,
         prepare=_dotenv(f"A=1\nCHRONOPOST_PASSWORD {PASSWORD} = '\nB='unclosed\n")),
    case(".env is not UTF-8", 2, ".env is not UTF-8 text; save it again as UTF-8", copied=True,
         prepare=_dotenv(f"CHRONOPOST_PASSWORD={PASSWORD}é\n".encode("latin-1"))),
    case(".env of Notepad", 2, ".env is not UTF-8 text", copied=True,
         prepare=_dotenv(f"CHRONOPOST_PASSWORD={PASSWORD}\r\n".encode("utf-16"))),
    case(".env is a folder", 2, ".env cannot be read: Is a directory", copied=True, prepare=_folder_as_dotenv),
    case("a bad setting in .env", 2, "RECOURS_MAIL_BRAKE in .env: 'x' is not a whole number", copied=True,
         prepare=_dotenv("RECOURS_MAIL_BRAKE=x\n")),
    case("a misspelt quota in .env", 2, "QUOTA_CRONOPOST in .env is not a setting", copied=True,
         prepare=_dotenv("QUOTA_CRONOPOST=5/day\n")),
    case("no credentials", 0, "Chronopost has no credentials: set CHRONOPOST_ACCOUNT and CHRONOPOST_PASSWORD",
         "Skipped (carrier): 1", env=NO_ACCOUNT),
    case("half of the credentials", 0, "Chronopost has no credentials: set CHRONOPOST_PASSWORD",
         env={"CHRONOPOST_PASSWORD": "  "}),
]  # fmt: skip


def first_claim(world: World) -> None:
    """What the database of each of these cases holds: a failed claim that is due, and one that has its POD."""
    world.claim("CLM-1", a_number())
    world.claim("CLM-DONE", a_number(), pod_fetch_status="success", pod_fetch_error=None, pod_url=None)


CASES = [*OPTIONS, *CLAIMS_NAMED, *DATABASE_URLS, *SETTINGS, *FILES]
