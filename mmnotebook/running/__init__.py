"""A run, from its plan to its result: planning, execution, commits, progress and errors."""
