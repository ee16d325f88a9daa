"""Monitoring of runs: pings to a check, and a metrics file."""
