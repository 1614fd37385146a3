"""Benchmarks, one module each: `python -m tests.benchmarks [NAME ...]`. They are not tests."""
