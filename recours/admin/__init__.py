"""Actions of people, outside the runs. Reports for people are in `recours.reporting`."""
