"""Reuse of outputs that were computed earlier for equal elements."""
