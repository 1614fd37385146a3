"""What is wanted: steps, graphs, their notation, the registry of models. Needs no framework."""
