"""Beam transforms as sources, with their windows, and models that newer files replace."""
