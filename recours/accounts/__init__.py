"""Accounts at carriers: their rules, their sealed credentials, and those that a process has opened."""
