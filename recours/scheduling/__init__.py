"""When the programs start: crontab and Windows Task Scheduler."""
