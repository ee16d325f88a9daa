"""The first meeting with a real carrier: one fetch, what in its answers is not as documented, and a recording without secrets."""
