"""A run from its plan to its result: what is cached, execution, commits, progress, errors."""
