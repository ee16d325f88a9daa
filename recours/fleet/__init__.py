"""Long-lived workers: their work, the job queue that wakes them, and their health."""

LOG_NAME = "recours_worker"
