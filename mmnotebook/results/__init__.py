"""What happened: the results of a run as tables, plots and single elements. Imports no Beam."""
