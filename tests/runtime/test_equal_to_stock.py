"""The results of a run equal those of Beam's own transforms on the stock InteractiveRunner."""

from __future__ import annotations

import contextlib
import io
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import torch
from apache_beam.ml.inference.base import RunInference
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.ml.inference.sklearn_inference import SklearnModelHandlerNumpy
from apache_beam.runners.interactive import interactive_beam as ib
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

import mmnotebook as mm
from mmnotebook.beam.compiler import compile_graph
from mmnotebook.elements import routing
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result
from mmnotebook.results.values import column, plain
from tests.runtime import toys
from tests.runtime.alike import never_meet, same

Values = Mapping[str, Mapping[str, Any]]
"""Values by node and by id."""


class Pair(NamedTuple):
    left: Any
    right: Any


# Elements

DTYPES = ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64", "complex64"]


def array(seed: int, dtype: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(seed).standard_normal(shape) * 9).astype(dtype)


def tensor(seed: int, dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    made = torch.as_tensor(array(seed, "float64", shape))
    return made.to(getattr(torch, dtype))


SEEDS = st.integers(0, 99)
SHAPES = st.sampled_from([(), (0,), (1,), (3,), (2, 3), (1, 2, 2)])
SCALARS: list[st.SearchStrategy[Any]] = [
    st.integers(-5, 5), st.just(2**62), st.floats(width=32), st.booleans(), st.none(),
    st.text("aé\n", max_size=4), st.binary(max_size=4), st.complex_numbers(max_magnitude=3),
]  # fmt: skip


@st.composite
def kinds(draw: st.DrawFn) -> st.SearchStrategy[Any]:
    """Draw a strategy for elements of one kind, which columns can hold."""
    inner = draw(
        st.one_of(
            *map(st.just, SCALARS),
            st.builds(arrays, st.sampled_from(DTYPES), SHAPES),
            st.builds(tensors, st.sampled_from([*DTYPES, "bfloat16"]), SHAPES),
            st.builds(numbers, st.sampled_from(DTYPES)),
            st.just(st.one_of(*SCALARS, arrays("float32", (2,)), tensors("int64", (2,)))),
        )
    )
    shape = draw(st.sampled_from(["bare", "bare", "bare", "record", "pair", "list", "mixed"]))
    wrapped = {
        "record": st.fixed_dictionaries({"x": inner, "n": st.integers(0, 3)}),
        "pair": st.builds(Pair, inner, st.text(max_size=2)),
        "list": st.lists(inner, max_size=3),
        "mixed": st.one_of(inner, st.none(), st.builds(Pair, inner, inner)),
    }
    return wrapped.get(shape, inner)


def arrays(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    return st.builds(array, SEEDS, st.just(dtype), st.just(shape))


def tensors(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    return st.builds(tensor, SEEDS, st.just(dtype), st.just(shape))


def numbers(dtype: str) -> st.SearchStrategy[Any]:
    """Draw NumPy scalars."""
    return st.builds(lambda seed: array(seed, dtype, (1,))[0], SEEDS)


# Steps: functions that accept any value


def wrapped(x: Any) -> Any:
    return {"value": x, "n": 1}


def paired(x: Any) -> Any:
    return Pair(x, None)


def type_name(x: Any) -> Any:
    return type(x).__name__


def doubled(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return torch.stack([x, x])
    return np.stack([x, x]) if isinstance(x, np.ndarray) else (x, x)


def measured(x: Any) -> Any:
    return np.float32(len(repr(x))) if isinstance(x, np.generic) else len(repr(x))


def partly(x: Any) -> Any:
    return None if len(repr(x)) % 3 == 0 else x


def kept(x: Any) -> bool:
    return len(repr(x)) % 4 != 0


def spread(x: Any) -> Any:
    return list(x) if isinstance(x, (list, tuple)) else [x] * (len(repr(x)) % 3)


MAPS = (wrapped, paired, type_name, doubled, measured, partly)
FUNCTIONS = {f.__name__: f for f in (*MAPS, kept, spread)}


@dataclass(frozen=True)
class Step:
    """One node: its kind, its function, and its inputs.

    A split has branches for `measured` and `wrapped`; `partly` is the union of both.
    """

    kind: str
    function: str
    above: tuple[str, ...]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[Any]], dict[str, Step]]:
    """Draw data by source, and steps by node."""
    data, steps = {}, dict[str, Step]()
    for place in range(2):
        source, values = f"data{place}", draw(kinds())
        data[source] = draw(st.lists(values, min_size=0, max_size=6))
        names = [source]
        for number in range(draw(st.integers(1, 3))):
            name = f"{'abc'[place]}{number}"
            above = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
            kind = draw(st.sampled_from(["map", "map", "map", "filter", "flat_map", "split"]))
            if kind == "split":
                above = above[:1]
            function = draw(st.sampled_from(MAPS)).__name__ if kind == "map" else ""
            function = {"filter": "kept", "flat_map": "spread"}.get(kind, function)
            steps[name] = Step(kind, function, tuple(above))
            names.append(name)
    return data, steps


def text_of(steps: Mapping[str, Step]) -> str:
    lines = []
    for name, step in steps.items():
        above = step.above[0] if len(step.above) == 1 else f"[{', '.join(step.above)}]"
        if step.kind == "split":
            lines += [
                f'{name}_arms = {above} | split({{"one": 0.5, "two": 0.5}})',
                f"{name}_one = {name}_arms.one | map(measured)",
                f"{name}_two = {name}_arms.two | map(wrapped)",
                f"{name} = {{{name}_one, {name}_two}} | map(partly)",
            ]
        else:
            # As in CoGroupByKey: an element that a filter removed from an input is missing.
            missing = ', missing="use rest"' if len(step.above) > 1 else ""
            lines.append(f"{name} = {above} | {step.kind}({step.function}{missing})")
    return "\n".join(lines)


# The same with Beam's transforms, on (id, value)


def applied(element: tuple[str, Any], function: Callable[[Any], Any]) -> tuple[str, Any]:
    return element[0], function(element[1])


def children(element: tuple[str, Any]) -> Iterator[tuple[str, Any]]:
    for place, child in enumerate(spread(element[1])):
        yield f"{element[0]}/{place}", child


def joined_outputs(
    element: tuple[str, dict[str, list[Any]]], names: tuple[str, ...]
) -> tuple[str, Any]:
    outputs = element[1]
    return element[0], {name: outputs[name][0] for name in names if outputs[name]}


def side(element: tuple[str, Any], _: int) -> int:
    token = routing.fraction(element[0], "mmnotebook")
    return ["one", "two"].index(routing.branch(token, (("one", 0.5), ("two", 0.5))))


def stock(
    pipeline: beam.Pipeline, data: Mapping[str, list[Any]], steps: Mapping[str, Step]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for source, values in data.items():
        elements = [(str(place), value) for place, value in enumerate(values)]
        made[source] = pipeline | source >> beam.Create(elements)
    for name, step in steps.items():
        above = made[step.above[0]]
        if len(step.above) > 1:
            together = {a: made[a] for a in step.above} | f"{name} join" >> beam.CoGroupByKey()
            above = together | f"{name} whole" >> beam.Map(joined_outputs, step.above)
        if step.kind == "split":
            made[f"{name}_arms"] = above
            one, two = above | f"{name} arms" >> beam.Partition(side, 2)
            made[f"{name}_one"] = one | f"{name} one" >> beam.Map(applied, measured)
            made[f"{name}_two"] = two | f"{name} two" >> beam.Map(applied, wrapped)
            arms = (made[f"{name}_one"], made[f"{name}_two"]) | f"{name} union" >> beam.Flatten()
            made[name] = arms | name >> beam.Map(applied, partly)
        elif step.kind == "filter":
            made[name] = above | name >> beam.Filter(lambda element: kept(element[1]))
        elif step.kind == "flat_map":
            made[name] = above | name >> beam.FlatMap(children)
        else:
            made[name] = above | name >> beam.Map(applied, FUNCTIONS[step.function])
    return made


def collected(pcolls: Mapping[str, Any]) -> list[list[Any]]:
    """Return the values that the stock InteractiveRunner computes."""
    ib.watch(dict(pcolls))
    with contextlib.redirect_stdout(io.StringIO()):
        return list(ib.collect(*pcolls.values(), raw_records=True, force_tuple=True))


def by_id(elements: Any) -> dict[str, Any]:
    found = dict(elements)
    assert len(found) == len(list(elements))
    return found


# The same with this package, in two ways

SEEN: dict[str, list[tuple[str, Any]]] = {}


def compiled_values(make: Callable[[beam.Pipeline], Mapping[str, Any]]) -> Values:
    """Return the values that FnApiRunner computes, as pairs of an id (or a key) and a value."""
    SEEN.clear()
    with beam.Pipeline(FnApiRunner()) as pipeline:
        for name, pcoll in make(pipeline).items():
            SEEN[name] = []
            _ = pcoll | f"{name} seen" >> beam.Map(see, name)
    return {name: by_id(elements) for name, elements in SEEN.items()}


def see(element: tuple[Any, Any], name: str) -> None:
    SEEN[name].append((getattr(element[0], "id", element[0]), element[1]))


def compiled(graph: Graph) -> Values:
    return compiled_values(lambda pipeline: compile_graph(graph, pipeline))


def check_frame(result: Result, name: str, values: Mapping[str, Any]) -> None:
    """Check that a node's frame has the same values, as plain values if it is not a source."""
    frame = result[name].set_index("id")
    assert set(frame.index) == set(values)
    cells = [values[id] for id in frame.index]
    if name not in ("data0", "data1"):
        cells = [plain(cell) for cell in cells]
    right = column(cells)
    assert frame["value"].dtype == right.dtype
    assert same(frame["value"].tolist(), right.tolist())


Drawn = tuple[dict[str, list[Any]], dict[str, Step]]


@settings(max_examples=1)
@given(graphs())
def test_every_value_is_the_stock_interactive_runners(drawn: Drawn) -> None:
    graph = valid_graph(drawn)
    pcolls = stock(beam.Pipeline(InteractiveRunner()), *drawn)
    check(graph, dict(zip(pcolls, map(by_id, collected(pcolls)), strict=True)))


@settings(max_examples=4)
@given(graphs())
def test_every_value_is_that_of_beams_own_transforms(drawn: Drawn) -> None:
    graph = valid_graph(drawn)
    check(graph, compiled_values(lambda pipeline: stock(pipeline, *drawn)))


def valid_graph(drawn: Drawn) -> Graph:
    """Draw a graph without joins that can never succeed."""
    data, steps = drawn
    text = text_of(steps)
    used = {name: f for name, f in FUNCTIONS.items() if re.search(rf"\({name}\b", text)}
    try:
        return mm.pipeline(text, **data, **used)
    except mm.GraphError as error:
        assume(not never_meet(error))
        raise


def check(graph: Graph, right: Values) -> None:
    """Check that a compiled pipeline and a run compute the right values."""
    ours = compiled(graph)
    result = mm.run(graph)
    assert set(ours) == set(right) == set(result)
    for name, values in right.items():
        assert set(ours[name]) == set(values)
        for id, value in values.items():
            assert same(ours[name][id], value), (name, id, ours[name][id], value)
        check_frame(result, name, values)
    assert result.failed.empty


# Models


def test_the_predictions_of_a_torch_and_a_sklearn_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [row.astype(np.float32) for row in rng.standard_normal((130, 4))]
    tensors = [torch.from_numpy(row.copy()) for row in rows]
    tree = DecisionTreeClassifier(random_state=0).fit(rows, [int(row[0] > 0) for row in rows])
    scale = toys.Scale(3.0)
    torch.save(scale.state_dict(), tmp_path / "scale.pt")
    (tmp_path / "tree.pkl").write_bytes(pickle.dumps(tree))
    handlers = {
        "scale": PytorchModelHandlerTensor(
            str(tmp_path / "scale.pt"), toys.Scale, {}, load_model_args={"weights_only": True}
        ),
        "tree": SklearnModelHandlerNumpy(str(tmp_path / "tree.pkl")),
    }
    pipeline = beam.Pipeline(InteractiveRunner())
    pcolls = {}
    for name, data in {"scale": tensors, "tree": rows}.items():
        elements = pipeline | f"{name} rows" >> beam.Create(data)
        pcolls[name] = elements | name >> RunInference(handlers[name])
    lists = collected(pcolls)

    mm.register("scale", scale)
    mm.register("tree", tree)
    graph = mm.pipeline("tensors | scale\nrows | tree", tensors=tensors, rows=rows)
    ours, result = compiled(graph), mm.run(graph)
    for name, right in zip(pcolls, lists, strict=True):
        assert len(right) == len(ours[name]) == 130
        for place, prediction in enumerate(right):
            found = ours[name][str(place)]
            assert type(found) is type(prediction) and found.model_id == name
            assert same(found.example, prediction.example)
            assert same(found.inference, prediction.inference)
        shown = result[name]["prediction"].tolist()
        assert same(shown, [plain(prediction.inference) for prediction in right])
