"""`recours dashboard`: serves the dashboard in a browser until Ctrl-C."""

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
@number_option("--port", 1, 65535, 8501, "Listen on this port.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen on this address; any address other than localhost requires a password.",
)
@click.option(
    "--hash-password", is_flag=True, help="Prompt for a password, print the setting for it, and exit."
)
@database_option
def command(port: int, host: str, hash_password: bool, database_url: str | None) -> None:
    """Serve the dashboard: the system's state, every claim with its proof, and a button to fetch a claim now."""
    if hash_password:
        _hash_password()
        return
    settings = settings_for(database_url)
    is_behind_proxy = bool(settings.page_user_header and settings.page_proxies)
    has_no_password = settings.dashboard_password is None and settings.dashboard_viewer_password is None
    if not is_loopback(host) and has_no_password and not is_behind_proxy:
        say_error(
            f"Others can reach the dashboard at {host}, so it needs a password. Set RECOURS_DASHBOARD_PASSWORD_HASH to "
            "the output of 'recours dashboard --hash-password'."
        )
        raise SystemExit(USAGE)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        say_error(
            f"The dashboard needs packages that are not installed ({', '.join(missing)}). "
            "Install them in the project's folder with .venv/bin/python -m pip install -e '.[dashboard]'."
        )
        raise SystemExit(USAGE)
    _require_free_port(host, port)
    if database_url is not None:  # each request reads the settings again
        os.environ["DATABASE_URL"] = database_url
    from recours.dashboard.app import serve  # noqa: PLC0415 (needs the extra)

    echo(
        f"The dashboard is at http://{f'[{host}]' if ':' in host else host}:{port}. Press Ctrl-C to stop it."
    )
    serve(host, port)


def _hash_password() -> None:
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if len(password) < SHORTEST:
        say_error(f"The password has {len(password)} characters; use at least {SHORTEST}.")
        raise SystemExit(USAGE)
    echo(f"RECOURS_DASHBOARD_PASSWORD_HASH={hash_of(password, secrets.token_bytes(SALT_BYTES))}")


def _require_free_port(host: str, port: int) -> None:
    """If the address cannot be used, print why and end the process with status 1."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as trial:
            if os.name != "nt":  # on Windows, the option lets two programs share a port
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        say_error(
            f"The dashboard cannot listen on {host}, port {port}: {error.strerror}. Choose another with --host or --port."
        )
        raise SystemExit(FAILED) from error
