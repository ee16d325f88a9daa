"""The rules: backoff, error kinds, decisions, quota windows. Pure functions and tables, no I/O."""
