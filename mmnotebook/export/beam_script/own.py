"""A script that runs `graph.json` with `mm.compile_graph`: it can express every graph."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mmnotebook import storage
from mmnotebook.beam.prepare import Prepared
from mmnotebook.errors import GraphError, Problem
from mmnotebook.export import registrations, typed_json
from mmnotebook.export.beam_script import layout, models, sources
from mmnotebook.export.beam_script.code import Code
from mmnotebook.export.beam_script.script import RUNNER, Script, ends
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.models import ModelSpec

_IMPORTS = (
    "import argparse",
    "import json",
    "import pathlib",
    "import apache_beam as beam",
    "import mmnotebook as mm",
    "from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions",
)


def script(graph: Graph, prepared: Prepared, head: str) -> Script:
    """Return a graph as a script that uses this package.

    Raises
    ------
    GraphError
        With each function, model and source that cannot be written to a file.
    """
    code, problems = Code(), list[Problem]()
    files: dict[str, bytes] = {"graph.json": graph.to_json().encode()}
    binds, options, registers = [], [], []
    for name, function in prepared.functions.items():
        with contextlib.suppress(NotWritable):  # the step that uses it raises this again
            code.add(name, function)
    for node in graph.order():
        try:
            if not node.inputs and node.data:
                bind, option = _source(node, prepared, files, code)
                binds.append(bind)
                options.append(option)
            for name in node.functions:
                binds.append(f"{name}={code.add(name, prepared.functions[name])}")
            registers += [_register(prepared.models[name], files, code) for name in node.models]
        except NotWritable as error:
            problems.append(Problem(f"this step cannot be exported: {error}", node=node.name))
    if problems:
        raise GraphError(problems)
    line = code.helper("row_as_json")
    for statement in _IMPORTS:
        code.imported(statement)
    text = _text(code, head, graph, _run(list(dict.fromkeys(binds)), options, registers, line))
    names = tuple(node.name for node in graph if node.data)
    return Script(
        text, {*code.packages, "apache_beam", "mmnotebook"}, files, names, ends(graph), line
    )


def _source(node: Node, prepared: Prepared, files: dict[str, bytes], code: Code) -> tuple[str, str]:
    """Return the argument of `bind` and the option of a source."""
    (name,) = node.data
    option = f'    parser.add_argument("--input_{node.name}", default={{}})'
    if node.name in prepared.plans:
        path = str(Path(sources.path_of(node, prepared)).absolute())
        return f"{name}=args.input_{node.name}", option.format(repr(path))
    if node.name not in prepared.objects:
        raise NotWritable("a Beam transform as a source has no source code; write it to a file")
    blocks = prepared.objects[node.name]
    elements = [(key.id, value) for block in blocks for key, value in block.elements()]
    files[f"data/{node.name}.jsonl"] = typed_json.lines(elements).encode()
    helper = code.helper("notebook_data")
    default = f'str(HERE / "data" / "{node.name}.jsonl")'
    return f"{name}={helper}(args.input_{node.name})", option.format(default)


def _register(spec: ModelSpec, files: dict[str, bytes], code: Code) -> str:
    """Return the statement that registers a model."""
    content, ending, framework = _content(spec)
    file = models.file_name(content, ending)
    files[f"models/{file}"] = content
    found = registrations.of_spec(spec)
    named = found.pop("functions", {})
    del found["digest"]
    given = {**found, "framework": framework}
    arguments = [f"{name}={value!r}" for name, value in given.items()]
    for option, name in named.items():
        value = spec.target if option == "model_class" else getattr(spec, option)
        arguments.append(f"{option}={code.add(name, value)}")
    return f'mm.register({spec.name!r}, f"{{args.models}}/{file}", {", ".join(arguments)})'


def _content(spec: ModelSpec) -> tuple[bytes, str, str]:
    """Return the content of a model's file, its ending, and the framework that loads it."""
    path = Path(str(spec.path))
    if spec.framework in ("sklearn", "python"):
        return models.pickled(spec), ".pkl", spec.framework
    if spec.framework == "torch" and spec.form == "module":
        return models.torch_script(spec)[0], ".pt", "torch"
    if spec.path is None or not path.is_file():
        raise NotWritable(f"the model {spec.name!r} is not in a single file")
    if storage.is_ours(path) and spec.framework not in ("torch", "onnx"):
        raise NotWritable(f"the model {spec.name!r} is a live object; register its file")
    return path.read_bytes(), path.suffix, spec.framework


def _text(code: Code, head: str, graph: Graph, run: str) -> str:
    parts = [
        f'"""{head}"""',
        layout.imports(list(code.imports)),
        f"HERE = pathlib.Path(__file__).parent\nRESULTS = {list(ends(graph))!r}",
        *layout.section("Functions of the notebook", code.user),
        *layout.section("Data", code.helpers),
        "# The pipeline",
        run,
        'if __name__ == "__main__":\n    run()',
    ]
    return layout.formatted("\n\n\n".join(parts) + "\n")


def _run(binds: list[str], options: list[str], registers: list[str], line: str) -> str:
    lines = "\n".join(f"    {one}" for one in dict.fromkeys(registers))
    declared = "\n".join(options)
    return f'''def run(argv=None):
    """Start the pipeline."""
    parser = argparse.ArgumentParser(description=__doc__)
{declared}
    parser.add_argument("--models", default=str(HERE / "models"))
    parser.add_argument("--output", default="output", help="the folder of the results")
    args, others = parser.parse_known_args(argv)
    options = PipelineOptions(others)
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or "{RUNNER}"
{lines}
    graph = mm.Graph.from_json((HERE / "graph.json").read_text(encoding="utf-8"))
    graph = graph.bind({", ".join(binds)})
    pipeline = beam.Pipeline(options=options)
    nodes = mm.compile_graph(graph, pipeline)
    for name in RESULTS:
        rows = nodes[name] | f"{{name}}: as JSON" >> beam.Map({line})
        rows | f"{{name}}: write" >> beam.io.WriteToText(
            f"{{args.output}}/{{name}}", ".jsonl"
        )
    failed = nodes.failed | "failed: as JSON" >> beam.Map(lambda one: json.dumps(one[:4]))
    failed | "failed: write" >> beam.io.WriteToText(f"{{args.output}}/failed", ".jsonl")
    return pipeline.run()'''
