"""The sources of a script: files of the user, and files of the notebook's elements."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmnotebook.beam.prepare import Prepared
from mmnotebook.export import typed_json
from mmnotebook.export.beam_script.code import Code
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph.graph import Node
from mmnotebook.graph.names import Names, notebook_names
from mmnotebook.sources.objects import is_path

READABLE = ("csv", "parquet", "npy", "jsonl")


@dataclass(frozen=True)
class ScriptSource:
    """A source of a script.

    Attributes
    ----------
    name
        The name of the source node.
    default
        The expression of the default of its option.
    reader
        The name of the function that reads the rows, and its further arguments.
    content
        The content of its file in the folder `data`; None for files of the user.
    """

    name: str
    default: str
    reader: str
    content: str | None = None

    @property
    def lines(self) -> str:
        """The statement that reads the source."""
        steps = [
            f'"{self.name}: files" >> beam.Create([args.input_{self.name}])',
            f'"{self.name}" >> beam.FlatMap({self.reader})',
            f'"{self.name}: spread" >> beam.Reshuffle()',
        ]
        return f"sources[{self.name!r}] = (pipeline | {' | '.join(steps)})"


def of_node(node: Node, prepared: Prepared, code: Code) -> ScriptSource:
    """Return the source of a node.

    Raises
    ------
    NotWritable
        If plain Beam cannot read it.
    """
    if node.name in prepared.plans:
        readers = {part.reader for part in prepared.plans[node.name].slices}
        unknown = sorted(readers.difference(READABLE))
        if unknown:
            raise NotWritable(f"files of the kind {unknown[0]!r} cannot be exported yet")
        helper = code.helper("rows_of_files")
        reader = helper if node["id"] is None else f"{helper}, {node['id']!r}"
        return ScriptSource(node.name, repr(str(Path(path_of(node, prepared)).absolute())), reader)
    if node.name not in prepared.objects:
        raise NotWritable("a Beam transform as a source has no source code; write it to a file")
    blocks = prepared.objects[node.name]
    elements = ((key.id, value) for block in blocks for key, value in block.elements())
    content = typed_json.lines(elements)
    default = f'str(HERE / "data" / "{node.name}.jsonl")'
    reader = "stored_tensors" if '"tensor": true' in content else "stored_rows"
    return ScriptSource(node.name, default, code.helper(reader), content)


def path_of(node: Node, prepared: Prepared) -> str:
    """Return the path or pattern of a source that reads files."""
    if node.step.reads_files:
        return str(node["path"])
    names = Names({}, prepared.graph.bindings, notebook_names())
    value: Any = names.object(node["data"])
    assert is_path(value)
    return str(value)
