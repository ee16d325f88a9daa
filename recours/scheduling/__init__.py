"""When the programs start: the crontab of this user."""
