"""Settings and secrets: read from three places, validated all at once, a sentence for each fault."""
