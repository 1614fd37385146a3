"""A run uses the settings of its caller, and does not change them."""

from __future__ import annotations

import contextvars
import decimal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch

import mmnotebook as mm
from mmnotebook.state import caller

UNIT: contextvars.ContextVar[str] = contextvars.ContextVar("unit", default="m")
TABLE = pd.DataFrame({"a": [1.23456, 2.0]})
THREADS = {"direct_running_mode": "multi_threading", "direct_num_workers": 2}


def third(v: int) -> str:
    return str(decimal.Decimal(v) / 3)


def root(v: int) -> str:
    try:
        return str(np.sqrt(np.float64(-v)))
    except FloatingPointError:
        return "refused"


def printed(v: int) -> str:
    return str(np.array([v / 3]))


def assumed(v: int) -> str:
    return str(sklearn.get_config()["assume_finite"])


def graded(v: int) -> str:
    return str(torch.ones(1, requires_grad=True).mul(v).requires_grad)


def inferred(v: int) -> str:
    return str(torch.ones(1).is_inference())


def cast(v: int) -> str:
    return str(torch.mm(torch.ones(1, 1), torch.ones(1, 1)).dtype)


def cast_low(v: int) -> str:
    return str(torch.get_autocast_dtype("cpu"))


def placed(v: int) -> str:
    return str(torch.ones(1).device)


def dtype(v: int) -> str:
    return str(torch.ones(1).dtype)


def shown(v: int) -> str:
    return str(TABLE)


def size(v: int) -> float:
    return float(matplotlib.rcParams["font.size"])


def unit(v: int) -> str:
    return f"{v} {UNIT.get()}"


@contextmanager
def as_unit(name: str) -> Iterator[None]:
    token = UNIT.set(name)
    try:
        yield
    finally:
        UNIT.reset(token)


@contextmanager
def default_dtype(kind: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def low_autocast() -> Iterator[None]:
    before = torch.get_autocast_dtype("cpu")
    torch.set_autocast_dtype("cpu", torch.float16)
    try:
        yield
    finally:
        torch.set_autocast_dtype("cpu", before)


@contextmanager
def default_device(name: str) -> Iterator[None]:
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


Setting = Callable[[], AbstractContextManager[Any]]
SETTINGS: dict[str, tuple[Callable[[int], Any], Setting]] = {
    "context variable": (unit, lambda: as_unit("km")),
    "decimal": (third, lambda: decimal.localcontext(decimal.Context(prec=5))),
    "np.errstate": (root, lambda: np.errstate(invalid="raise")),
    "np.printoptions": (printed, lambda: np.printoptions(precision=2)),
    "sklearn": (assumed, lambda: sklearn.config_context(assume_finite=True)),
    "no_grad": (graded, torch.no_grad),
    "inference mode": (inferred, torch.inference_mode),
    "autocast": (cast, lambda: torch.autocast("cpu", dtype=torch.bfloat16)),
    "autocast dtype": (cast_low, low_autocast),
    "default device": (placed, lambda: default_device("meta")),
    "device": (placed, lambda: torch.device("meta")),
    "default dtype": (dtype, lambda: default_dtype(torch.float64)),
    "pandas": (shown, lambda: pd.option_context("display.precision", 2)),
    "rcParams": (size, lambda: matplotlib.rc_context({"font.size": 20.0})),
}
BY_THREAD = [name for name in SETTINGS if name not in ("default dtype", "pandas", "rcParams")]


def answers(function: Callable[[int], Any], **how: Any) -> list[Any]:
    graph = mm.pipeline("rows | f", rows=[1, 2], f=function)
    return list(mm.run(graph, progress=False, **how)["f"]["value"])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("options", [None, THREADS], ids=["one thread", "threads"])
def test_a_function_returns_the_same_in_a_run_as_in_a_cell(name: str, options: Any) -> None:
    function, setting = SETTINGS[name]
    at_first = [function(1), function(2)]
    assert answers(function, options=options) == at_first
    with setting():
        here = [function(1), function(2)]
        assert answers(function, options=options) == here  # not an earlier result from the cache
    assert here != at_first
    assert answers(function, options=options) == at_first


class Answers:
    """A model that computes its outputs with a function of each element."""

    def __init__(self, function: Callable[[int], Any]) -> None:
        self.function = function

    def predict(self, batch: list[Any]) -> list[Any]:
        return [self.function(int(v)) for v in batch]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "context variable"])
@pytest.mark.parametrize("timeout", [None, 60.0], ids=["", "timeout"])
def test_a_model_returns_the_same_in_a_run_as_in_a_cell(name: str, timeout: float | None) -> None:
    function, setting = SETTINGS[name]
    mm.register("m", Answers(function), batch_size=1, timeout=timeout)
    graph = mm.pipeline("rows | m", rows=[1, 2])
    before = list(mm.run(graph, progress=False)["m"]["prediction"])
    with setting():
        here = [function(1), function(2)]
        assert list(mm.run(graph, progress=False)["m"]["prediction"]) == here != before


@pytest.mark.parametrize("timeout", [None, 60.0], ids=["", "timeout"])
def test_a_model_sees_context_variables(timeout: float | None) -> None:
    with as_unit("km"):
        mm.register("m", Answers(unit), batch_size=1, timeout=timeout)
        result = mm.run(mm.pipeline("rows | m", rows=[1, 2]), progress=False)
    assert list(result["m"]["prediction"]) == ["1 km", "2 km"]


GO_ON = threading.Event()


def waiting(v: int) -> int:
    GO_ON.wait(30)
    return v


@pytest.mark.parametrize("name", BY_THREAD)
def test_a_run_in_the_background_keeps_the_settings_of_its_start(name: str) -> None:
    function, setting = SETTINGS[name]
    GO_ON.clear()
    graph = mm.pipeline("rows | waiting | f", rows=[1, 2], f=function, waiting=waiting)
    with setting():
        here = [function(1), function(2)]
        running = mm.run(graph, progress=False, wait=False)
    GO_ON.set()
    assert list(running.result(60)["f"]["value"]) == here


def everything() -> list[Any]:
    """Return all settings of this thread."""
    return [function(1) for function, _ in SETTINGS.values()]


def changes_all(v: int) -> int:
    UNIT.set("mile")
    decimal.getcontext().prec = 3
    np.seterr(invalid="raise")
    np.set_printoptions(precision=1)
    sklearn.set_config(assume_finite=True)
    torch.set_grad_enabled(False)
    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_dtype("cpu", torch.float16)
    torch.set_default_device("meta")
    return v


@pytest.mark.parametrize("options", [None, THREADS], ids=["one thread", "threads"])
def test_a_run_changes_none_of_its_callers_settings(options: Any) -> None:
    before = everything()
    assert answers(changes_all, options=options) == [1, 2]
    assert everything() == before


def test_settings_changed_by_a_function_are_reset_for_the_next_run() -> None:
    before = [unit(1), unit(2)], [third(1), third(2)]
    answers(changes_all)
    assert (answers(unit), answers(third)) == before


def test_a_run_goes_well_where_numpy_raises_and_tensors_are_elsewhere() -> None:
    mm.register("m", torch.nn.Linear(3, 2))
    rows = [np.array([1.0, 1e-30, 1e30], np.float32) * scale for scale in range(1, 40)]
    with np.errstate(all="raise"), torch.inference_mode():
        result = mm.run(mm.pipeline("rows | m", rows=rows), progress=False)
    assert len(result["m"]) == 39 and not len(result.failed)


def test_entering_settings_leaves_the_thread_as_it_was() -> None:
    with decimal.localcontext(decimal.Context(prec=5)), torch.no_grad(), as_unit("km"):
        settings = caller.here()
        inside = everything()
    outside = everything()
    with settings.entered():
        assert everything() == inside
        decimal.getcontext().prec = 2
        with settings.entered():  # this thread has them already
            assert third(1) == "0.33"
    assert everything() == outside != inside
    assert settings.run(third, 1) == "0.33333"
