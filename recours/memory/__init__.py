"""Claims, quotas, documents and a clock in memory: what a run works with where nothing is to be called or changed."""
