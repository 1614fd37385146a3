"""The text of the module `pipeline.py`: a graph in plain Beam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from mmnotebook.beam.prepare import Prepared
from mmnotebook.errors import GraphError, Problem
from mmnotebook.export.beam_script import layout, sources
from mmnotebook.export.beam_script.build import Build
from mmnotebook.export.beam_script.sources import ScriptSource
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph.graph import Graph, Node

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
"""The runner of a script by default: in the process of the script."""


@dataclass(frozen=True)
class Script:
    """A script and the files beside it.

    Attributes
    ----------
    text
        The module.
    packages
        The top packages that it imports.
    files
        The content of further files, by path relative to the script.
    sources, results
        The names of the sources, and of the nodes whose elements the script writes.
    as_json
        The name of the script's function that returns an element as JSON.
    """

    text: str
    packages: set[str]
    files: dict[str, bytes]
    sources: tuple[str, ...]
    results: tuple[str, ...]
    as_json: str


def plain(graph: Graph, prepared: Prepared, head: str) -> Script:
    """Return a graph as a script of plain Beam, which does not import this package.

    Raises
    ------
    GraphError
        With each step that plain Beam cannot express, and why.
    """
    build, problems, found = Build(graph, prepared), [], []
    for node in graph.order():
        try:
            if not node.inputs:
                found.append(sources.of_node(node, prepared, build.code))
            _writer(node)(build, node)
        except NotWritable as error:
            problems.append(
                Problem(f"plain Beam cannot express this step: {error}", node=node.name)
            )
    if problems:
        raise GraphError(problems, remedy='mm.export.script(graph, path, mode="mmnotebook")')
    results = ends(graph)
    lines = {name: build.code.helper(name) for name in ("as_json", "failure")}
    text = _text(build, found, results, head, lines)
    files = {f"models/{name}": content for name, content in build.files.items()}
    files |= {
        f"data/{one.name}.jsonl": one.content.encode() for one in found if one.content is not None
    }
    names = tuple(one.name for one in found)
    return Script(
        text, {*build.code.packages, "apache_beam"}, files, names, results, lines["as_json"]
    )


def _writer(node: Node) -> Callable[[Build, Node], None]:
    module, _, name = node.step.script.partition(":")
    if not module:
        raise NotWritable(f"the step kind {node.kind!r} cannot be exported")
    found: Callable[[Build, Node], None] = getattr(import_module(module), name)
    return found


def ends(graph: Graph) -> tuple[str, ...]:
    """Return the nodes whose elements no other node reads, without those that write files."""
    read = {wire.node for node in graph for wire in node.inputs}
    return tuple(one.name for one in graph.order() if one.name not in read and not one.step.ends)


def _text(
    build: Build,
    found: list[ScriptSource],
    results: tuple[str, ...],
    head: str,
    lines: Mapping[str, str],
) -> str:
    code = build.code
    for statement in _IMPORTS:
        code.imported(statement)
    code.imports.pop("from __future__ import annotations", None)
    parts = [
        f'"""{head}"""',
        layout.imports(list(code.imports)),
        'HERE = pathlib.Path(__file__).parent\nMODELS = str(HERE / "models")\n'
        f"RESULTS = {list(results)!r}",
        *layout.section("Functions of the notebook", code.user),
        *layout.section("Inputs of models", build.inputs),
        "# The pipeline",
        _build(build),
        _run(found, lines),
        *layout.section("Steps of Beam pipelines", code.helpers),
        'if __name__ == "__main__":\n    run()',
    ]
    return layout.formatted("\n\n\n".join(parts) + "\n")


_IMPORTS = (
    "import argparse",
    "import pathlib",
    "import apache_beam as beam",
    "from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions",
)


def _build(build: Build) -> str:
    lines = "\n".join(f"    {line}" for line in build.lines)
    return f'''def build(sources, models=MODELS):
    """Add the steps to a pipeline; return the outputs and failures of each by name.

    An element is a pair of its id and its value.
    """
    nodes, failed = {{}}, {{}}
{lines}
    return nodes, failed'''


def _run(found: list[ScriptSource], names: Mapping[str, str]) -> str:
    options = "\n".join(
        f'    parser.add_argument("--input_{one.name}", default={one.default})' for one in found
    )
    lines = "\n".join(f"    {one.lines}" for one in found)
    return f'''def run(argv=None):
    """Start the pipeline."""
    parser = argparse.ArgumentParser(description=__doc__)
{options}
    parser.add_argument("--models", default=MODELS, help="the folder of the models")
    parser.add_argument("--output", default="output", help="the folder of the results")
    args, others = parser.parse_known_args(argv)
    options = PipelineOptions(others)
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or "{RUNNER}"
    pipeline = beam.Pipeline(options=options)
    sources = {{}}
{lines}
    nodes, failed = build(sources, args.models)
    for name in RESULTS:
        rows = nodes[name] | f"{{name}}: as JSON" >> beam.Map({names["as_json"]})
        rows | f"{{name}}: write" >> beam.io.WriteToText(
            f"{{args.output}}/{{name}}", ".jsonl"
        )
    for name, elements in failed.items():
        rows = elements | f"{{name}}: failures" >> beam.Map({names["failure"]}, name)
        rows | f"{{name}}: write failures" >> beam.io.WriteToText(
            f"{{args.output}}/failed/{{name.replace(':', '')}}", ".jsonl"
        )
    return pipeline.run()'''
