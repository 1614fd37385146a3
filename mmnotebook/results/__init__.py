"""Results of a run: tables, metrics, plots, comparisons. This layer does not import Beam."""
