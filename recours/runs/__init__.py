"""The use cases: lease claims, fetch, decide, record, notify."""
