"""Keys that encrypt clients' credentials, and hashes of the dashboard's password."""

from functools import cache

from cryptography.fernet import Fernet

from recours.core.password import hash_of


def new_key() -> str:
    """A key, created as in docs/accounts.md."""
    return Fernet.generate_key().decode()


@cache
def page_hash(password: str) -> str:
    """A value for RECOURS_DASHBOARD_PASSWORD_HASH. Computed on demand, because the hash is slow by design."""
    return str(hash_of(password, bytes(16)))
