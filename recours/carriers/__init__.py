"""The carriers: the queue that is the only way to them, HTTP, and one module for each carrier."""
