"""Actions that people take outside the runs. Reports for people are in `recours.reporting`."""
