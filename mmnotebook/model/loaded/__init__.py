"""Loaded models: which ones stay loaded, their sizes, and their memory."""
