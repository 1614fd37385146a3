"""Text to graph and back; `text` has the public functions."""
