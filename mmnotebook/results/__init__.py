"""Results of runs: tables, plots and single elements. Imports no Beam."""
