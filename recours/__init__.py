"""Fetches proofs of delivery for parcel claims."""

__version__ = "0.1.0"
