"""What a person has the system do beside the runs. What they read of it is in `recours.reporting`."""
