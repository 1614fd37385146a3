"""Elements: where they come from, how they are kept and where they are written."""
