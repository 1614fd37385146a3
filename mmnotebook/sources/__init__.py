"""Where elements come from, and the files that `write` steps write."""
