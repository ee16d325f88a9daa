"""`recours dashboard`: the page in a browser, served until Ctrl-C."""

import os
import secrets
import socket
from importlib.util import find_spec

import click

from recours.cli.common import database_option, settings_for
from recours.cli.console import FAILED, USAGE, echo, number_option, say_error
from recours.core.password import SALT_BYTES, SHORTEST, hash_of
from recours.settings.model import is_loopback

NEEDED = ("starlette", "uvicorn", "multipart", "itsdangerous", "babel")


@click.command("dashboard")
@number_option("--port", 1, 65535, 8501, "Where it listens.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address it listens at; any address other than localhost requires a password.",
)
@click.option(
    "--hash-password", is_flag=True, help="Ask for a password and print the setting for it; no page."
)
@database_option
def command(port: int, host: str, hash_password: bool, database_url: str | None) -> None:
    """Serve a page in the browser: how the system is doing, every claim, its proof, and a button to fetch it now."""
    if hash_password:
        _hash_password()
        return
    settings = settings_for(database_url)
    is_behind_proxy = bool(settings.page_user_header and settings.page_proxies)
    has_no_password = settings.dashboard_password is None and settings.dashboard_viewer_password is None
    if not is_loopback(host) and has_no_password and not is_behind_proxy:
        say_error(
            f"At {host} others can reach the page, so it needs a password: set RECOURS_DASHBOARD_PASSWORD_HASH to what "
            "'recours dashboard --hash-password' prints."
        )
        raise SystemExit(USAGE)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        say_error(
            f"The page needs packages that are not installed ({', '.join(missing)}): "
            "install them in the project's folder with .venv/bin/python -m pip install -e '.[dashboard]'."
        )
        raise SystemExit(USAGE)
    _see_that_it_is_free(host, port)
    if database_url is not None:  # the settings are read again for each request
        os.environ["DATABASE_URL"] = database_url
    from recours.dashboard.app import serve  # noqa: PLC0415 (of the extra)

    echo(f"The page is at http://{f'[{host}]' if ':' in host else host}:{port}; Ctrl-C ends it.")
    serve(host, port)


def _hash_password() -> None:
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if len(password) < SHORTEST:
        say_error(f"A password of {len(password)} signs is too short: take at least {SHORTEST}.")
        raise SystemExit(USAGE)
    echo(f"RECOURS_DASHBOARD_PASSWORD_HASH={hash_of(password, secrets.token_bytes(SALT_BYTES))}")


def _see_that_it_is_free(host: str, port: int) -> None:
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as trial:
            if os.name != "nt":  # there the option means that two programs may share a port
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        say_error(
            f"The page cannot listen at {host}, port {port}: {error.strerror}. Choose others with --host, --port."
        )
        raise SystemExit(FAILED) from error
