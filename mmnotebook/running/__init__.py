"""Runs: planning, execution, counts and progress."""
