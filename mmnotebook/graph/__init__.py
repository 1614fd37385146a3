"""What is wanted: steps, graphs, their notation and the registry of models. Imports no framework."""
