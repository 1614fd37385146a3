"""Step kinds in a graph: validation, wording and drawing."""
