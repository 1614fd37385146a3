"""Sources that are Beam transforms, with their windows; models that newer files replace."""
