"""The DoFn of all steps, its tracking, and the storing of PCollections."""
