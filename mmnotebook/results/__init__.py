"""Results of a run: tables, metrics, plots, comparisons, single elements. Imports no Beam."""
