"""Accounts with carriers: rules, encryption of credentials, health, and the open accounts of a process."""
