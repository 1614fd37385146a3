"""The runs of this process: counts, settings of the caller, events."""
