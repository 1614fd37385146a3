"""The form that registers a model and tries it on one example."""
