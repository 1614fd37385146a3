"""Graphs, nodes, step kinds and the model registry. This layer imports no framework."""
