"""Settings and secrets from three sources, validated together, with a sentence for each error."""
