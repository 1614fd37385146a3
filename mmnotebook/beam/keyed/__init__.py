"""Models per key: the key of an element, and how the models are run."""
