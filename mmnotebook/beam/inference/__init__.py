"""How a model is run: batches, calls, measures, and what is found out about its answers."""
