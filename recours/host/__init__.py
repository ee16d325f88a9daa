"""This machine: where the files are, who may read them, the log, and how recours was installed."""
