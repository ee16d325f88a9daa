"""Monitoring of runs with pings to a check and a metrics file."""
