"""The rules: backoff, error kinds, decisions and quota windows. These modules do no I/O."""
