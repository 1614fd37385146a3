"""Newer files that replace registered models: `model(mlp, watch="models/*.pt")`."""

from __future__ import annotations

import copy
import glob
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from mmnotebook import storage
from mmnotebook.compat.beam import wrapped
from mmnotebook.errors import MMError, ModelError, one_line
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import frameworks
from mmnotebook.model.framework import Options
from mmnotebook.remote import addresses, files
from mmnotebook.remote.stores import RemoteFile

_copies: dict[tuple[str, str], Path] = {}
"""The copies of remote files, by address and version."""
INTERVAL = 360.0
"""Seconds between searches for newer files, as in Beam."""


def matches(pattern: str) -> list[str | Path]:
    """List the files that match a pattern, by modification time and name; the newest is last.

    Raises
    ------
    mmnotebook.errors.RunError
        If remote files cannot be listed.
    """
    if addresses.is_remote(pattern):
        return [one.address for one in sorted(files.matched(pattern), key=_by_age)]
    found = []
    for name in glob.glob(str(Path(pattern).expanduser()), recursive=True):  # noqa: PTH207
        path = Path(name)
        try:
            found.append((path.stat().st_mtime_ns, name, path))
        except OSError:
            continue  # the file was deleted meanwhile
    return [path for _, _, path in sorted(found)]


def _by_age(file: RemoteFile) -> tuple[float, str]:
    return file.updated, file.address


def models(
    graph: Graph, registered: Mapping[str, ModelSpec]
) -> tuple[dict[str, ModelSpec], dict[str, str]]:
    """Return two dicts by node with `watch=`: the model of the newest file, and a message.

    A node for which no file matches is not in the first dict, and uses its registered model.

    Raises
    ------
    ModelError
        If the newest file does not contain a suitable model.
    """
    found: dict[str, ModelSpec] = {}
    said: dict[str, str] = {}
    for node in graph:
        pattern = node["watch"] if node.step.param("watch") else None
        if pattern is None:
            continue
        known = matches(pattern)
        if not known:
            said[node.name] = f"no file matches {pattern!r}: the registered model is used"
            continue
        found[node.name] = refreshed(registered[node["model"]], known[-1])
        said[node.name] = f"{known[-1]} is the newest of {len(known)} that match {pattern!r}"
    return found, said


def refreshed(spec: ModelSpec, path: str | Path) -> ModelSpec:
    """Return a registered model with the content of another file, which is loaded as a test.

    Raises
    ------
    ModelError
        If the file does not contain a suitable model.
    """
    try:
        if spec.form == "handler":
            return _of_handler(spec, path)
        new = _of_file(spec, _here(path))
        return replace(new, origin=path) if addresses.is_remote(path) else new
    except MMError as error:
        cause, remedy = error.message, error.remedy
    except Exception as error:  # noqa: BLE001 - a framework may raise anything for an unsuitable file
        cause, remedy = one_line(error), None
    raise ModelError(
        f"model {spec.name!r} cannot be refreshed from {str(path)!r}: {cause}",
        remedy=remedy or "remove the file, or write a newer one",
    )


def _here(path: str | Path) -> Path:
    """Return a file on this machine; a remote file is copied once, until its version changes."""
    if not addresses.is_remote(path):
        return Path(path)
    key = path, files.version(path)
    if key not in _copies or not _copies[key].exists():
        _copies[key] = files.fetch(path, storage.new_folder("model"))
    return _copies[key]


def _of_file(spec: ModelSpec, path: Path) -> ModelSpec:
    by_class = spec.form == "state_dict"
    made_by, params = (spec.target, dict(spec.params)) if by_class else (None, {})
    options = Options(made_by, params, spec.method, dict(spec.extra))
    new = frameworks.by_name(spec.framework).store(spec.name, path, options)
    return replace(
        spec,
        form=new.form,
        origin=new.origin,
        path=new.path,
        fingerprint=new.fingerprint,
        target=new.target,
        params=new.params,
    )


def _of_handler(spec: ModelSpec, path: str | Path) -> ModelSpec:
    inner: Any = spec.target
    while (within := wrapped(inner)) is not None:
        inner = within
    if getattr(type(inner), "update_model_path", None) is ModelHandler.update_model_path:
        raise ModelError(
            f"a {type(inner).__name__} cannot load another file",
            remedy="define update_model_path(path) on the handler",
        )
    target = copy.deepcopy(spec.target)
    target.update_model_path(str(path))
    content = digest([spec.fingerprint, contents.of(path)])
    return replace(spec, origin=str(path), path=str(path), fingerprint=content, target=target)


def check_watch(node: Node) -> None:
    """Check that a file matches when a stream starts, as Beam's watch requires.

    Raises
    ------
    ModelError
        If no file matches. For patterns with "://", Beam performs this check.
    """
    pattern = node["watch"]
    if "://" not in pattern and not matches(pattern):
        raise ModelError(
            f"node {node.name!r}: no file matches {pattern!r}, and a stream needs one "
            "when it starts",
            remedy="create a first model file with such a name",
        )
