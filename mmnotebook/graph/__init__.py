"""Values: graphs, nodes, step kinds and their parameters, the registry. Imports no framework."""
