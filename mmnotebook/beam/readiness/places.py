"""Places: files, data and models that are only on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mmnotebook import sizes, storage
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.readiness import functions
from mmnotebook.beam.readiness.finding import Finding, Findings, Target
from mmnotebook.fingerprint import origin
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec

IN_PIPELINE = 1 << 20
"""Data and models up to this size in bytes, in total, can be a part of the pipeline."""

_STAGE = "name a folder or an address that workers see: mm.cluster(..., staging=...)"


def findings(prepared: Prepared, target: Target) -> Findings:
    """Yield the findings about the sources, the models and the writes of a graph."""
    if target.staging is None:
        yield from _unstaged(prepared)
    for node in prepared.graph.order():
        yield from _source(node, prepared, target)
        if node.step.ends and not target.share(str(node["path"])):
            yield Finding(
                node.name,
                f"writes to the local path {node['path']!r}: the file would be on a worker's disk",
                "write to an address that workers see, such as gs:// or s3://; or leave the step "
                "out and write the result",
                "error",
            )
        yield from _models(node, prepared, target)


def _unstaged(prepared: Prepared) -> Findings:
    """Yield what is too large for the pipeline, if there is no staging area."""
    local = sorted(_local(prepared), key=lambda one: one[1], reverse=True)
    total = sum(size for _, size in local)
    for (node, what), size in local:
        if total <= IN_PIPELINE:
            return
        total -= size
        yield Finding(
            node,
            f"{what} is only on this machine, and with {sizes.text(size)} too large to be a part "
            "of the pipeline",
            _STAGE,
            "error",
        )


def _local(prepared: Prepared) -> Iterator[tuple[tuple[str, str], int]]:
    for name, blocks in prepared.objects.items():
        yield (name, "the data of the notebook"), sum(block.nbytes for block in blocks)
    done = set()
    for node in prepared.graph.order():
        for name in node.models:
            spec = prepared.models[name]
            if name not in done and spec.path is not None and "://" not in spec.path:
                done.add(name)
                yield (node.name, f"the model {name!r}"), size_of(spec)


def size_of(spec: ModelSpec) -> int:
    """Return the size of a model's files in bytes; 0 if it has none on this machine."""
    path = Path(spec.path or "")
    if spec.path is None or not path.exists():
        return 0
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in files if one.is_file())


def _source(node: Node, prepared: Prepared, target: Target) -> Findings:
    plan = prepared.plans.get(node.name)
    if plan is None or not plan.slices:
        return
    first = plan.slices[0]
    if not target.share(first.path):
        yield Finding(
            node.name,
            f"reads local files, such as {first.path!r}: each worker needs them at the same path",
            "read from an address that workers see, such as gs:// or s3://",
        )
    if first.id is None and os.path.isabs(first.prefix):  # noqa: PTH117 - it is no path
        yield Finding(
            node.name,
            f"the ids of its elements contain the absolute path {first.prefix!r}: elsewhere they, "
            "and the branches that a split chooses by them, are others",
            'name a column of ids: id="column", or read a relative path',
        )


def _models(node: Node, prepared: Prepared, target: Target) -> Findings:
    for name in node.models:
        spec = prepared.models[name]
        lacking = {
            module: None
            for module, _ in sorted(spec.references)
            if module != "__main__" and module in sys.modules and origin.is_users(module)
        }
        yield from functions.modules(node.name, lacking, target)
        for path, _ in spec.files:
            if path != spec.path and not target.share(path) and not storage.is_ours(Path(path)):
                yield Finding(
                    node.name,
                    f"the model {name!r} refers to the local file {path!r}",
                    "register a model that is whole in itself, or refer to an address that workers "
                    "see",
                )
    watch = node["watch"] if node.step.param("watch") else None
    if watch and not target.share(str(watch)):
        yield Finding(
            node.name,
            f"watches the local path {watch!r}: workers elsewhere see no newer files",
            "watch an address that workers see, such as gs:// or s3://",
        )
