"""What a person does beside the runs. What they read is in `recours.reporting`."""
