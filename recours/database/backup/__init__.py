"""Copies of a database, taken while others write to it, and put back."""
