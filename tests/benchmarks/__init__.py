"""Benchmarks, one module each: `python -m tests.benchmarks [NAME ...]`. No tests."""
