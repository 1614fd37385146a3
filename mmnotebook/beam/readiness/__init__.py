"""The readiness lint: what of a graph would not work, or work otherwise, on workers elsewhere."""
