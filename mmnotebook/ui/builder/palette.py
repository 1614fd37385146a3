"""The palette: the items that can be added to a graph, from the current notebook."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from mmnotebook.editing.templates import templates
from mmnotebook.graph.kinds import KINDS, bare_step
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import Names
from mmnotebook.ui.builder.controls.fields import existing

Json = dict[str, Any]
_MOST = 200
_WIDE, _LONG = 40, 200  # characters
_LONGEST_PATH = 4096


def sections(names: Names) -> list[Json]:
    """Return the sections of the palette; an empty one has a hint."""
    return [
        _section("Templates", _templates(), ""),
        _section("Data", _data(names), "no DataFrame, list or array in this notebook yet"),
        _section("Models", _models(names), "no model is registered yet"),
        _section("Functions", _functions(names), "no function is defined in this notebook yet"),
        _section("Steps", _steps(), ""),
    ]


def _section(title: str, items: Iterator[Json], empty: str) -> Json:
    shown = [item for _, item in zip(range(_MOST), items, strict=False)]
    return {"title": title, "items": shown, "empty": empty}


def _templates() -> Iterator[Json]:
    for template in templates().values():
        yield {"template": template.name, "title": template.title, "detail": template.summary}


def _models(names: Names) -> Iterator[Json]:
    for name, spec in names.models.items():
        yield _item(*bare_step("model", name), name, origin_of(spec))


def origin_of(spec: ModelSpec) -> str:
    """Return the origin of a model, then its framework; of a path, only the file's name."""
    path = Path(spec.origin)
    return f"{path.name if path.is_absolute() else spec.origin} · {spec.framework}"


def _data(names: Names) -> Iterator[Json]:
    for name in data_names(names):
        yield _item(*bare_step("data", name), name, size_of(names.object(name)))


def data_names(names: Names) -> Iterator[str]:
    """Yield the variables that hold data; strings only if paths, dicts only if of columns."""
    for name in names.known("data"):
        value = names.object(name)
        if isinstance(value, str) and not _is_path(value):
            continue
        if not issubclass(type(value), Mapping) or _has_columns(value):
            yield name


def _has_columns(value: Mapping[Any, Any]) -> bool:
    """Return whether a dict's values have the same length, and none is a string or a dict."""
    try:
        columns = list(value.values())
        lengths = set(map(len, columns))
    except Exception:  # noqa: BLE001 - a dict of any class may raise anything
        return False
    return len(lengths) == 1 and not any(isinstance(c, (str, bytes, Mapping)) for c in columns)


def _is_path(text: str) -> bool:
    if len(text) > _LONGEST_PATH:
        return False
    return any(mark in text for mark in "*?[") or existing(text) is not None


def filling(names: Names, template: str) -> Json:
    """Return the names for a template's placeholders: the notebook's data and its first models.

    The data is filled in if there is only one variable with data, or only one DataFrame.
    """
    data = list(data_names(names))
    frames = [name for name in data if type(names.object(name)).__name__ == "DataFrame"]
    models = list(names.models)[: templates()[template].models]
    only = next((found for found in (data, frames) if len(found) == 1), None)
    return {"models": models, **({"data": only[0]} if only else {})}


def size_of(value: Any) -> str:
    """Describe the size of a DataFrame, array or tensor by shape, of a list by length.

    Other values are described by their type.
    """
    kind = type(value).__name__
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            return f"{' × '.join(f'{n:,}' for n in shape)} · {kind}"
        if isinstance(value, list):
            return f"{len(value):,} · list"
        return value[:_WIDE] if isinstance(value, str) else kind
    except Exception:  # noqa: BLE001 - any object may raise anything
        return kind


def _functions(names: Names) -> Iterator[Json]:
    for name in names.known("function"):
        value = names.object(name)
        if is_users_own(value):
            kind, params = bare_step("function", name)
            yield _item(kind, params, name, _first_line(value.__doc__) or kind)
    for name in names.known("transform"):
        yield _item(*bare_step("transform", name), name, type(names.object(name)).__name__)


def _first_line(doc: Any) -> str:
    """Return the first line of a function's `__doc__`, which can be any object."""
    return doc.strip().split("\n")[0][:_LONG] if isinstance(doc, str) else ""


def is_users_own(value: Any) -> bool:
    """Return whether a function is defined in the notebook or a user's module, not in a library."""
    if type(value) is not FunctionType:
        return False
    if value.__module__ == "__main__":
        return True
    file = getattr(sys.modules.get(str(value.__module__)), "__file__", None)
    return isinstance(file, str) and not _is_in_a_library(file)


@cache
def _is_in_a_library(file: str) -> bool:
    places = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")]
    this_package = Path(__file__).resolve().parents[2]
    return any(Path(file).resolve().is_relative_to(place) for place in [*places, this_package])


def _steps() -> Iterator[Json]:
    """Yield the step kinds that the palette lists; kinds whose step calls a function are first."""
    steps = [kind for kind in KINDS.values() if kind.listed]
    for kind in sorted(steps, key=lambda kind: kind.family != "function"):
        yield _item(kind.name, {}, kind.name, kind.summary)


def _item(kind: str, params: Json, title: str, detail: str) -> Json:
    return {"kind": kind, "params": params, "title": title, "detail": detail}
