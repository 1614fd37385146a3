"""`capsule`: a run in one file, with its measures and a sample of its rows.

The file is a zip with `capsule.json` (the graph, the measures, the digests, the versions) and a
Parquet file with a sample of each node's elements. It contains no pickles, models or functions.
"""

from __future__ import annotations

import importlib.metadata
import io
import itertools
import json
import platform
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mmnotebook.errors import MMError, ResultError, one_line, shown
from mmnotebook.export import typed_json
from mmnotebook.export.capsule_rows import CapsuleRows, SampledElements
from mmnotebook.graph import json_format
from mmnotebook.graph.graph import Graph
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.records import Failure, Machine, Warned
from mmnotebook.results.results import Result

VERSION = 1
ENDING = ".mmcapsule"
LARGEST = 1 << 30
"""The maximum size of the content of a file in bytes."""
SAMPLE = 100
_PACKAGES = ("mmnotebook", "apache-beam", "numpy", "pandas", "torch", "scikit-learn")
_COLUMNS = ("id", "origin", "key", "branch", "model", "value")
_FAILURES = ("node", "id", "error", "message")


def capsule(result: Result, path: str | PathLike[str], *, sample: int = SAMPLE) -> Path:
    """Write a run to a file, which `mm.open` opens anywhere, without the models and the data.

    The file has the graph, the digests of the models, the salts of splits, the versions of the
    packages, the counts, the latency sketches, the warnings, and a sample of the rows: the elements
    of every node that are derived from the first elements of the sources. It contains no functions,
    models or environment variables. The rows and the messages of failures are data of yours.

    Parameters
    ----------
    result
        The result of a run.
    path
        The path of the file; ".mmcapsule" is appended if it has no ending. Only you can read it.
    sample
        The number of elements of the sources whose rows are kept.

    Returns
    -------
    Path
        The path of the written file.

    Raises
    ------
    ResultError
        If an argument is not valid, or the file cannot be written.

    See Also
    --------
    mmnotebook.open : Open the file.
    mmnotebook.Result.merge : Add the counts of another run.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=range(1000), double=lambda x: 2 * x)
    >>> result = mm.run(graph, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = mm.export.capsule(result, Path(folder) / "run", sample=2)
    ...     opened = mm.open(path)
    >>> opened.nodes["elements_out"].to_dict()
    {'numbers': 1000, 'double': 1000}
    >>> opened["double"]
      id  value   key
    0  0      0  None
    1  1      2  None
    >>> opened.note
    'the rows are a sample: those of 2 elements of the sources'
    """
    if not isinstance(result, Result):
        raise ResultError(f"expected a result, not {shown(result)}")
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
        raise ResultError(f"sample={shown(sample)}; allowed: a number of elements")
    target = Path(path).expanduser()
    target = target if target.suffix else target.with_suffix(ENDING)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in _parts(result, sample):
            archive.writestr(name, part)
    try:
        target.touch(0o600)
        target.write_bytes(content.getvalue())
    except OSError as error:
        raise ResultError(f"cannot write {str(target)!r}: {one_line(error)}") from error
    return target


def _parts(result: Result, sample: int) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file in a capsule."""
    chosen = _origins(result, sample)
    yield "capsule.json", json.dumps(_about(result, len(chosen)), indent=1).encode()
    for place, node in enumerate(result):
        yield f"rows/{place}.parquet", _parquet(_rows(result, node, chosen), _COLUMNS)
    failed = result.failed.head(max(sample, 1))[list(_FAILURES)]
    yield "failures.parquet", _parquet(failed.to_numpy().tolist(), _FAILURES)


def _origins(result: Result, sample: int) -> set[str]:
    """Return the ids of the first elements of each source.

    If the result itself has only a sample of some nodes, these are ids of that sample.
    """
    kept = _kept(result)
    sources = [node.name for node in result.graph if not node.inputs and node.name in result]
    found: set[str] = set()
    for source in sources:
        ids = (one for one in result.elements(source).ids if kept is None or one in kept)
        found.update(itertools.islice(ids, sample))
    return found


def _kept(result: Result) -> set[str] | None:
    """Return the origins of the nodes of which only a sample is stored; None for no such node."""
    found: set[str] | None = None
    for name, measure in result.measures.items():
        elements = result.elements(name)
        if len(elements.ids) < (measure.elements_out or 0):
            found = (found or set()).union(elements.origins)
    return found


def _rows(result: Result, node: str, chosen: set[str]) -> list[list[str | None]]:
    found = result.elements(node)
    columns = (found.ids, found.origins, found.keys, found.branches(), found.models())
    return [
        [*map(_text, row), _value(value)]
        for *row, value in zip(*columns, found.plain(), strict=True)
        if row[1] in chosen
    ]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _value(value: Any) -> str:
    try:
        return json.dumps(typed_json.encoded(value))
    except typed_json.NotWritable:
        return json.dumps({"__text__": shown(value)})


def _parquet(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> bytes:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [pa.array(column, pa.string()) for column in columns]
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(names)), buffer)
    return buffer.getvalue()


def _about(result: Result, count: int) -> dict[str, Any]:
    """Return all of a capsule except its rows, as data for JSON."""
    table = result.arms.reset_index()
    salts = {node.name: node["salt"] for node in result.graph if node.step.param("salt")}
    return {
        "mmcapsule": VERSION,
        "graph": json_format.to_data(result.graph),
        "run_ids": list(result.run_ids),
        "seconds": result.seconds,
        "finished": result.finished.isoformat(),
        "limit": result.limit,
        "machine": asdict(result.machine),
        "why": dict(result.why),
        "nodes": {name: asdict(one) for name, one in result.measures.items()},
        "models": {name: asdict(one) for name, one in result.sketches.items()},
        "warnings": [asdict(one) for one in result.warned],
        "arms": json.loads(table.to_json(orient="values", double_precision=15)),
        "digests": result.digests,
        "salts": salts,
        "versions": result.about.get("versions") or _versions(),
        "scores": {},
        "sample": count,
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def read(path: Path) -> Result:
    """Return the result in a capsule.

    Raises
    ------
    ResultError
        If the file is not a capsule, or a later release wrote it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > LARGEST:
                raise ResultError(f"{str(path)!r} is too large; allowed: {LARGEST >> 30} GiB")
            return _result(archive)
    except MMError:
        raise
    except Exception as error:
        raise ResultError(
            f"{str(path)!r} is not a capsule ({one_line(error)})",
            remedy="mm.export.capsule(result, path) writes one",
        ) from error


def _result(archive: zipfile.ZipFile) -> Result:
    about = json_format.loaded(archive.read("capsule.json").decode())
    if about["mmcapsule"] != VERSION:
        raise ResultError(
            f"the capsule has version {about['mmcapsule']!r}; allowed: {VERSION}",
            remedy="open it with the release that wrote it",
        )
    graph = json_format.of_data(about["graph"]).validate()
    measures = {_known(graph, name): NodeMeasure(**one) for name, one in about["nodes"].items()}
    count = int(about["sample"])
    result = Result(
        graph,
        _store(archive, list(measures)),
        measures,
        {name: _model(one) for name, one in about["models"].items()},
        float(about["seconds"]),
        Machine(**about["machine"]),
        {str(name): str(why) for name, why in about["why"].items()},
        None if about["limit"] is None else int(about["limit"]),
        [Warned(**one) for one in about["warnings"]],
        {str(name): str(digest) for name, digest in about["digests"].items()},
        [str(one) for one in about["run_ids"]],
        f"the rows are a sample: those of {count:,} elements of the sources",
        _arms(about["arms"]),
    )
    result.finished = datetime.fromisoformat(about["finished"])
    result.about = {name: dict(about[name]) for name in ("versions", "salts", "scores")}
    if not all(map(len, (repr(result), result.nodes.columns, result.models.columns))):
        raise ValueError("its measures cannot be shown")
    return result


def _known(graph: Graph, name: str) -> str:
    return graph[name].name


def _model(data: Mapping[str, Any]) -> ModelMeasure:
    buckets = {int(key): int(count) for key, count in data["buckets"].items()}
    return ModelMeasure(**{**data, "buckets": buckets})


def _arms(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    columns = ["node", "arm", "elements", "share", "expected"]
    frame = pd.DataFrame(list(rows), columns=columns)
    frame = frame.astype({"elements": "int64", "share": "float64", "expected": "float64"})
    return frame.set_index(["node", "arm"])


def _store(archive: zipfile.ZipFile, nodes: Sequence[str]) -> CapsuleRows:
    found = {}
    for place, node in enumerate(nodes):
        rows = _table(archive, f"rows/{place}.parquet", _COLUMNS)
        found[node] = SampledElements(
            ids=rows["id"],
            origins=rows["origin"],
            keys=rows["key"],
            arms=rows["branch"],
            predicted_by=rows["model"],
            values=[_decoded(text) for text in rows["value"]],
        )
    failed = _table(archive, "failures.parquet", _FAILURES)
    each = zip(*(failed[name] for name in _FAILURES), strict=True)
    failures = [Failure(node, key, error, message, "") for node, key, error, message in each]
    return CapsuleRows(found, failures)


def _table(archive: zipfile.ZipFile, name: str, columns: Sequence[str]) -> dict[str, list[Any]]:
    table = pq.read_table(io.BytesIO(archive.read(name)), columns=list(columns))
    return {column: table.column(column).to_pylist() for column in columns}


def _decoded(text: str) -> Any:
    data = json.loads(text)
    if isinstance(data, dict) and set(data) == {"__text__"}:
        return data["__text__"]
    return typed_json.decoded(data)
