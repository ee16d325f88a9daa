"""One client module per carrier, and the queue and HTTP layer that make every call."""
