"""Beam's own tests with parts of this package: `python -m tests.beam_suites`."""
