"""Keys that seal clients' credentials."""

from cryptography.fernet import Fernet


def new_key() -> str:
    """As docs/accounts.md says how to make one."""
    return Fernet.generate_key().decode()
