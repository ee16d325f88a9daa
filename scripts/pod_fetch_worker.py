"""Starts the fetch worker, for cron or the Task Scheduler. See docs/schedule.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recours.launch import main

if __name__ == "__main__":
    main("pod_fetch_worker")
