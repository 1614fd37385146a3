"""Loaded models: which are kept, their size and their memory."""
