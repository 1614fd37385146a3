"""Beam's own tests over our parts, from the installed package: `python -m tests.beam_suites`."""
