"""What each step kind means for a graph: validation, wording, layout and drawing."""
