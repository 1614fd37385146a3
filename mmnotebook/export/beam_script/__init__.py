"""A graph as a Beam pipeline in a script of its own, which does not need this package."""
