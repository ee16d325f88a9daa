"""Proofs of delivery: examination, storage and verification."""
