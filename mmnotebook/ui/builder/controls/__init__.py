"""Input controls, one per kind of value, with validation."""
