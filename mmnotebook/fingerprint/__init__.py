"""Fingerprints of values: 32 hex digits that are the same in every process."""
