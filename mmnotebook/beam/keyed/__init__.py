"""A model per key: which key an element has, and how the models are run."""
