"""The size of the parameters of ONNX models: of all constants in their graphs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

_WORDS = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}
"""The bits per value of the types whose names do not contain this number, unlike UINT4."""


def parameter_bytes(model: Any) -> int | None:
    """Return the size of the constants of a ModelProto in bytes; None if unknown.

    The constants are initializers (dense and sparse), values of Constant nodes, tensors in
    attributes of other nodes, and all numeric attributes of nodes outside the ONNX domain (such as
    the trees of `ai.onnx.ml`): in the main graph, in graphs nested in its nodes, and in functions.
    Each position in external data counts once.
    """
    sizes: dict[Any, int | None] = {}
    parts = [*_of_graph(model.graph), *(p for f in model.functions for p in _of_nodes(f.node))]
    for number, (key, size) in enumerate(parts):
        sizes[number if key is None else key] = size
    known = [size for size in sizes.values() if size is not None]
    return sum(known) if len(known) == len(sizes) else None


_Part = tuple[Any, "int | None"]


def _of_graph(graph: Any) -> Iterator[_Part]:
    yield from map(_of_tensor, graph.initializer)
    for sparse in graph.sparse_initializer:
        yield from _of_sparse(sparse)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[_Part]:
    for node in nodes:
        plain = node.domain in ("", "ai.onnx") and node.op_type != "Constant"
        if node.op_type == "EPContext":
            yield None, None  # compiled for a device, in a special format
        for attribute in node.attribute:
            yield from _of_attribute(attribute, plain, node.op_type == "Constant")


def _of_attribute(attribute: Any, plain: bool, constant: bool) -> Iterator[_Part]:
    """Yield the sizes of the tensors in an attribute, and of numbers and texts if they are data."""
    for graph in _held(attribute, "g", "graphs"):
        yield from _of_graph(graph)
    yield from map(_of_tensor, _held(attribute, "t", "tensors"))
    for sparse in _held(attribute, "sparse_tensor", "sparse_tensors"):
        yield from _of_sparse(sparse)
    if plain:
        return
    yield None, 4 * len(attribute.floats) + 8 * len(attribute.ints) + _text(attribute.strings)
    if constant:
        single = {attribute.FLOAT: 4, attribute.INT: 8, attribute.STRING: len(attribute.s)}
        yield None, single.get(attribute.type, 0)


def _held(attribute: Any, one: str, several: str) -> list[Any]:
    single = [getattr(attribute, one)] if attribute.HasField(one) else []
    return [*single, *getattr(attribute, several)]


def _of_sparse(sparse: Any) -> Iterator[_Part]:
    yield from map(_of_tensor, (sparse.values, sparse.indices))


def _of_tensor(tensor: Any) -> _Part:
    count = 1
    for size in tensor.dims:
        count *= size
    if tensor.data_type == tensor.STRING:
        return None, _text(tensor.string_data)
    name = tensor.DataType.Name(tensor.data_type)
    digits = re.match(r"[A-Z]+?(\d+)", name)
    bits = int(digits.group(1)) if digits else _WORDS.get(name)
    place = None
    if tensor.data_location == tensor.EXTERNAL:
        said = {entry.key: entry.value for entry in tensor.external_data}
        place = (said.get("location"), said.get("offset", "0"), said.get("length"))
    # The smallest types are packed: two or four values in a byte.
    return place, None if bits is None else (count * bits + 7) // 8


def _text(strings: Iterable[bytes]) -> int:
    return sum(map(len, strings))
