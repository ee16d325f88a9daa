"""Long-lived workers, the job queue that wakes them, and their health endpoints."""

LOG_NAME = "recours_worker"
