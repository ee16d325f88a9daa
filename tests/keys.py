"""Keys that encrypt clients' credentials, and hashes of the dashboard's password."""

from functools import cache

from cryptography.fernet import Fernet

from recours.core.password import hash_of


def new_key() -> str:
    """A key, created as docs/accounts.md describes."""
    return Fernet.generate_key().decode()


@cache
def page_hash(password: str) -> str:
    """For RECOURS_DASHBOARD_PASSWORD_HASH. Computed on demand, because it is slow on purpose."""
    return str(hash_of(password, bytes(16)))
