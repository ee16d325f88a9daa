"""Backups as folders: filled under another name, sealed by a manifest, verified, put back."""
