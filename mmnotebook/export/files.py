"""`open`: the files that this package writes, opened by their content."""

from __future__ import annotations

import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

from mmnotebook.export import graph_file, run_capsule


def open(path: str | PathLike[str]) -> Any:
    """Open a `.mmgraph` file or a capsule. Nothing is run, and no model is loaded.

    Parameters
    ----------
    path
        The path of a file that `mm.export.graph` or `mm.export.capsule` wrote, or of the JSON of a
        graph.

    Returns
    -------
    Graph or Result
        The graph, without data and functions: bind them, or set the parameters of a run. Or the
        result of the run in a capsule; its rows are a sample, its counts those of the whole run.

    Raises
    ------
    GraphError, ResultError
        If the file cannot be read, was written by a later release, or is not valid.

    See Also
    --------
    mmnotebook.export.graph : Write a graph to a file; has an example.
    mmnotebook.export.capsule : Write a run to a file; has an example.
    """
    place = Path(path).expanduser()
    if zipfile.is_zipfile(place):
        return run_capsule.read(place)
    return graph_file.read(place).graph
