"""The use cases: take claims, fetch, decide, record, tell."""
