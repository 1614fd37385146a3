"""How a graph runs. The only room that imports Beam; importing the package itself does not."""
