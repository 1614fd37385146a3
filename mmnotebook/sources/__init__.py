"""Sources of elements, and the files that `write` steps write."""
