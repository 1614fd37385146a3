"""PCollections and Beam transforms of the user in a graph."""
