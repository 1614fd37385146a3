"""Shared parts of the user interface."""
