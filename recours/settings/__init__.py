"""Settings and secrets, read from three places. All are validated together, with a sentence for each fault."""
