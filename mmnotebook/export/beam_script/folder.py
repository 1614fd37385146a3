"""The files beside a script: requirements, an image, a Flex Template, and a test."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmnotebook.export.beam_script import helpers, layout
from mmnotebook.export.beam_script.code import distributions
from mmnotebook.export.typed_json import NotWritable

_PREFERRED = {"apache_beam": "apache-beam", "google": "apache-beam"}


def requirements(packages: Iterable[str]) -> str:
    """Return the installed distributions of these packages, pinned to their versions."""
    found = {"apache-beam", "cloudpickle"}
    for package in packages:
        if package not in sys.stdlib_module_names:
            found.add(_PREFERRED.get(package) or distributions().get(package, [package])[0])
    lines = []
    for name in sorted(found):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise NotWritable(f"the package {name!r} has no version") from error
        lines.append(f"{name}=={version.partition('+')[0]}")
    return "\n".join(lines) + "\n"


def dockerfile(script: str) -> str:
    """Return a Dockerfile whose image runs workers, and is a Flex Template."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    beam = importlib.metadata.version("apache-beam")
    launcher = (
        f"gcr.io/dataflow-templates-base/python{python.replace('.', '')}-template-launcher-base"
    )
    binary = "/opt/google/dataflow/python_template_launcher"
    return f"""\
# An image for workers, and for a Flex Template of Dataflow.
FROM {launcher} AS launcher
FROM apache/beam_python{python}_sdk:{beam}
COPY --from=launcher {binary} {binary}
WORKDIR /template
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/template/{script}
ENTRYPOINT ["/opt/apache/beam/boot"]
"""


def metadata(name: str, sources: Iterable[str]) -> str:
    """Return the `metadata.json` of a Flex Template."""
    parameters = [
        *(
            _parameter(f"input_{source}", f"Files of {source}", "A path or a pattern of files.")
            for source in sources
        ),
        _parameter("models", "Models", "The folder of the models."),
        _parameter("output", "Results", "The folder of the results.", optional=False),
        _parameter(
            "sdk_container_image", "Image", "The image of the workers: that of this folder."
        ),
    ]
    words = "A pipeline of models, exported by mmnotebook."
    data = {"name": name, "description": words, "parameters": parameters}
    return json.dumps(data, indent=2) + "\n"


def _parameter(name: str, label: str, words: str, optional: bool = True) -> dict[str, Any]:
    return {"name": name, "label": label, "helpText": words, "isOptional": optional}


def sample(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    """Return the elements of a sample, by source and by node, as JSON."""
    return json.dumps({"inputs": inputs, "outputs": outputs}) + "\n"


def test(script: str, as_json: str) -> str:
    """Return a test that the rows of a script equal those of the notebook."""
    decoded = inspect.getsource(helpers.decoded)
    text = TEST.replace("MODULE", Path(script).stem).replace("DECODED\n", decoded)
    text = text.replace("AS_JSON", as_json)
    return layout.formatted(text)


TEST = '''\
"""The rows of the script equal those of the notebook, for a sample."""

import json
import pathlib

import apache_beam as beam
import MODULE as script
import numpy as np
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

HERE = pathlib.Path(__file__).parent


DECODED


def check(pairs, expected, node):
    found = {key: json.loads(script.AS_JSON((key, value)))["value"] for key, value in pairs}
    assert found.keys() == expected.keys(), f"{node}: other ids"
    for key, value in expected.items():
        assert alike(found[key], value), f"{node}, {key}: {found[key]} is not {value}"


def alike(one, other):
    if isinstance(other, dict):
        same = isinstance(one, dict) and one.keys() == other.keys()
        return same and all(alike(one[name], other[name]) for name in other)
    if isinstance(other, list):
        same = isinstance(one, list) and len(one) == len(other)
        return same and all(map(alike, one, other))
    if isinstance(other, (int, float)) and isinstance(one, (int, float)):
        return bool(np.isclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True))
    return one == other


def test_the_rows_equal_those_of_the_notebook():
    sample = json.loads((HERE / "sample.json").read_text())
    with beam.Pipeline(FnApiRunner()) as pipeline:
        sources = {}
        for name, rows in sample["inputs"].items():
            make = script.torch.from_numpy if hasattr(script, "torch") else None
            rows = [(key, decoded(value, make)) for key, value in rows]
            sources[name] = pipeline | name >> beam.Create(rows)
        nodes, _ = script.build(sources)
        for name, expected in sample["outputs"].items():
            if expected is not None:
                pairs = nodes[name] | f"{name}: all" >> beam.combiners.ToList()
                pairs | f"{name}: check" >> beam.Map(check, expected, name)
'''
