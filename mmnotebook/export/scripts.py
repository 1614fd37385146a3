"""`script`: a graph as a stand-alone Beam pipeline, with all that it needs beside it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Literal

from mmnotebook.errors import RunError, shown
from mmnotebook.graph.graph import Graph

Mode = Literal["plain", "mmnotebook"]
SAMPLE = 100


def script(
    graph: Graph,
    path: str | PathLike[str] = "pipeline.py",
    mode: Mode | None = None,
    *,
    sample: int = SAMPLE,
) -> Path:
    """Write a graph as a Beam pipeline in a Python script, in a folder with what it needs.

    The script does not import mmnotebook. It uses Beam's own transforms: RunInference with Beam's
    handler for each model, KeyedModelHandler with KeyModelMapping for a model per key, GroupByKey
    where `group` says so, CoGroupByKey for joins. A split uses the same hash as in the notebook, so
    each element takes the same branch. Functions are written as their source. If ruff is installed,
    the script is formatted with it.

    Beside the script, it writes `models/` and `data/` with files that have the content of models
    and of data of the notebook, `requirements.txt` with the versions in use, a `Dockerfile`,
    `metadata.json` for a Flex Template of Dataflow, and `test_pipeline.py`, which compares the rows
    of the script with those of the notebook for the first elements of each source.

    Parameters
    ----------
    graph
        The graph, with the objects behind its names: it runs on a sample.
    path
        The path of the script. Its folder is created.
    mode
        "plain" writes plain Beam. "mmnotebook" writes a script that runs the graph with
        `mm.compile_graph`, which can express every graph. Default: "plain".
    sample
        The number of elements of each source for the test; 0 writes no test.

    Returns
    -------
    Path
        The path of the script.

    Raises
    ------
    GraphError
        With each step that plain Beam cannot express, and why.
    RunError
        If `mode` or `sample` is not valid, or the run on the sample fails.

    See Also
    --------
    mmnotebook.compile_graph : Add a graph to a pipeline of your own.
    mmnotebook.export.graph : Write the graph alone.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = mm.export.script(graph, Path(folder) / "pipeline.py")
    ...     text = path.read_text()
    >>> "def double(x):" in text, "mmnotebook" in text.replace("by mmnotebook", "")
    (True, False)
    """
    from mmnotebook.export.beam_script import writing

    if mode not in (None, "plain", "mmnotebook"):
        raise RunError(f"mode={shown(mode)}; allowed: 'plain', 'mmnotebook', or None for 'plain'")
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
        raise RunError(f"sample={shown(sample)}; allowed: a number of elements, or 0 for no test")
    return writing.written(graph, Path(path).expanduser(), mode or "plain", sample)
