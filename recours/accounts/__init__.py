"""Accounts of clients: their credentials, sealed for the database."""
