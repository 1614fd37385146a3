"""The DoFn below every step, what it tells of itself, and what stores a PCollection."""
