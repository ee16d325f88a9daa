"""The steps of a run: lease claims, fetch, decide, record and notify."""
