"""Proofs of delivery: checked, and kept."""
