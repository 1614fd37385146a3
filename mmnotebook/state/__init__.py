"""The runs of this process: their counts, the settings of who runs them, what they tell."""
