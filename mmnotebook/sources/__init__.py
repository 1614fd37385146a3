"""Sources of elements, and files that elements are written to."""
