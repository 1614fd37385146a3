"""`open`: the files that this package writes, opened by their content."""

from __future__ import annotations

from os import PathLike

from mmnotebook.export import graph_file
from mmnotebook.graph.graph import Graph


def open(path: str | PathLike[str]) -> Graph:
    """Open a `.mmgraph` file. Nothing is run or loaded.

    Parameters
    ----------
    path
        The path of a file that `mm.export.graph` wrote, or of the JSON of a graph.

    Returns
    -------
    Graph
        The graph, without data and functions: bind them, or set the parameters of a run.

    Raises
    ------
    GraphError
        If the file cannot be read, was written by a later release, or is not valid.

    See Also
    --------
    mmnotebook.export.graph : Write a graph to a file; has an example.
    """
    return graph_file.read(path).graph
