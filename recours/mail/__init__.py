"""Chooses the recipients of emails, and renders and sends emails."""
