"""Accounts with carriers: rules, sealed credentials, health, and the accounts that a process has opened."""
