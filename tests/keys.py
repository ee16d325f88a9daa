"""Keys that seal clients' credentials, and hashes of the page's password."""

from functools import cache

from cryptography.fernet import Fernet

from recours.core.password import hash_of


def new_key() -> str:
    """As docs/accounts.md says how to make one."""
    return Fernet.generate_key().decode()


@cache
def page_hash(password: str) -> str:
    """For RECOURS_DASHBOARD_PASSWORD_HASH. It takes work on purpose: not in each process that collects tests."""
    return str(hash_of(password, bytes(16)))
