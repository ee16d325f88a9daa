"""Schedules the workers in this user's crontab."""
