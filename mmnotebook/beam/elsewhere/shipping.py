"""What goes along with a pipeline to its workers: models, stored data, modules of the user."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from mmnotebook.beam.elsewhere.area import Area
from mmnotebook.beam.elsewhere.shipped import Shipper
from mmnotebook.beam.lowering.sources import Files, Stored
from mmnotebook.beam.prepare import Prepared
from mmnotebook.compat import cloudpickle as compat
from mmnotebook.errors import RunError
from mmnotebook.fingerprint import origin
from mmnotebook.graph.models import ModelSpec


def local_modules() -> AbstractContextManager[None]:
    """Pickle what modules of the user define by value in this block: workers cannot import them."""
    return compat.by_value(module for _, module in _own_modules())


def _own_modules() -> Iterator[tuple[str, ModuleType]]:
    for name, module in list(sys.modules.items()):
        if name != "__main__" and isinstance(module, ModuleType) and origin.is_users(name):
            yield name, module


def shipped(prepared: Prepared, shipper: Shipper) -> Prepared:
    """Return a prepared graph whose models are loaded from copies on the workers.

    Raises
    ------
    RunError
        If a `write` writes a local path that is not in the staging area, or a model is too big to
        travel in the pipeline.
    """
    _check_writes(prepared, shipper.place)
    return replace(
        prepared,
        models={name: _model(spec, shipper) for name, spec in prepared.models.items()},
        refreshed={name: _model(spec, shipper) for name, spec in prepared.refreshed.items()},
    )


def _model(spec: ModelSpec, shipper: Shipper) -> ModelSpec:
    if spec.path is None or not Path(spec.path).exists():
        return spec
    path = Path(spec.path)
    others = (Path(one) for one, _ in spec.files)
    beside = [one for one in others if one.parent == path.parent and one.name != path.name]
    beside = [one for one in beside if one.is_file()]
    needed = any(name != "__main__" and origin.is_users(name) for name, _ in spec.references)
    modules = _files_of_modules() if needed else None
    shipped = shipper.path(spec.path, beside, f"model {spec.name!r}", modules)
    return replace(spec, path=shipped, files=())


def _files_of_modules() -> dict[str, Path]:
    """Return the files of all loaded modules of the user, by their paths in an archive."""
    found = {}
    for name, module in _own_modules():
        path = Path(str(module.__file__))
        if path.suffix == ".py" and path.is_file():
            inner = name.replace(".", "/")
            found[f"{inner}/__init__.py" if path.stem == "__init__" else f"{inner}.py"] = path
    return found


def _check_writes(prepared: Prepared, place: Area | None) -> None:
    for node in prepared.graph:
        if not node.step.ends or "://" in str(node["path"]):
            continue
        if place is None or not place.contains(node["path"]):
            known = "a staging area" if place is None else f"{place.root!r}"
            raise RunError(
                f"node {node.name!r} writes {node['path']!r}, a local path: the workers may have "
                "another disk, and the file would be lost with it",
                remedy=f"write to a URL, or to a folder in {known}, which all workers see; or "
                "leave out the write step, and write the result",
                node=node.name,
            )


class ShippedStored(Mapping[str, Stored]):
    """The stored nodes of a run; the files of a node are shipped when its transforms are added."""

    def __init__(self, stored: Mapping[str, Stored], shipper: Shipper) -> None:
        self._stored, self._shipper = stored, shipper

    def __getitem__(self, name: str) -> Stored:
        one = self._stored[name]
        return Stored(self._files(name, one.files), self._files(name, one.sources))

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __contains__(self, name: object) -> bool:
        return name in self._stored

    def _files(self, name: str, files: Files) -> Files:
        what = f"the data of {name!r}"
        return tuple((self._folder(folder, info.name, what), info) for folder, info in files)

    def _folder(self, folder: str, name: str, what: str) -> str:
        return self._shipper.folder_of(Path(folder) / name, what)
