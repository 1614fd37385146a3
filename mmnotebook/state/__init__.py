"""The runs of this process: their counts, their events, the settings of their callers."""
