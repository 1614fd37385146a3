"""Loaded models: loaded once, kept within a budget, and unloaded on request."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from apache_beam.ml.inference.sklearn_inference import ModelFileType, SklearnModelHandlerNumpy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

import mmnotebook as mm
from mmnotebook.errors import MMError, UnknownModelError
from mmnotebook.model.frameworks.torch_handler import TorchHandler
from mmnotebook.model.loaded.models import Lease, LoadedModels
from mmnotebook.model.loaded.parameter_bytes import weigh
from mmnotebook.state import events

MB = 1_000_000


def loader(spec: mm.ModelSpec) -> Callable[[], Any]:
    """Return a function that loads a registered model, as its handler does."""
    if spec.framework == "torch":
        return TorchHandler(spec).load_model
    return SklearnModelHandlerNumpy(str(spec.path), ModelFileType.PICKLE).load_model


def array(size: int) -> Callable[[], Any]:
    """Return a function that loads a model of exactly this many bytes."""
    return partial(np.zeros, size, np.uint8)


def names(warm: LoadedModels) -> list[str]:
    """Return the names of the loaded models, most recently used first."""
    return list(warm.table.index)


@pytest.fixture
def warm() -> LoadedModels:
    return LoadedModels()


@pytest.fixture
def large() -> mm.ModelSpec:
    """Return a network of 40 MB."""
    return mm.register("large", torch.nn.Linear(10_000, 1_000, bias=False))


@pytest.fixture
def trees(forest: RandomForestClassifier) -> mm.ModelSpec:
    return mm.register("trees", forest)


def test_a_second_lease_loads_nothing(warm: LoadedModels, large: mm.ModelSpec) -> None:
    first = warm.get("k", "large", loader(large))
    assert first.fresh and first.seconds is not None and first.seconds > 0
    assert first.weight.parameter_bytes == 40 * MB
    model = first.model
    first.release()
    first.release()
    assert first.model is None

    def again() -> Any:
        raise AssertionError("it is warm")

    second = warm.get("k", "large", again)
    assert second.model is model
    assert not second.fresh and second.seconds is None
    assert second.weight == weigh(model)
    row = warm.table.loc["large"]
    assert (row["bytes"], row["parameter_bytes"], row["loads"], row["used"]) == (40e6, 40e6, 1, 2)
    assert row["device_bytes"] is pd.NA


def test_an_estimator_stays_as_it_is(
    warm: LoadedModels, trees: mm.ModelSpec, forest: RandomForestClassifier, digits: pd.DataFrame
) -> None:
    inputs = np.stack(list(digits["x"]))
    for fresh in (True, False):
        with warm.get("k", "trees", loader(trees)) as lease:
            assert lease.fresh is fresh
            assert np.array_equal(lease.model.predict(inputs), forest.predict(inputs))
    assert warm.table.loc["trees", "bytes"] == weigh(forest).parameter_bytes


def test_threads_load_one_model_once(warm: LoadedModels, large: mm.ModelSpec) -> None:
    together = threading.Barrier(8)
    loads = []

    def load() -> Any:
        loads.append(loader(large)())
        return loads[-1]

    def ask() -> Lease:
        together.wait()
        return warm.get("k", "large", load)

    with ThreadPoolExecutor(8) as pool:
        leases = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
    assert len(loads) == 1 and sum(lease.fresh for lease in leases) == 1
    assert len({id(lease.model) for lease in leases}) == 1


def test_different_models_load_at_the_same_time(warm: LoadedModels) -> None:
    both = threading.Barrier(2, timeout=60)

    def load() -> Any:
        both.wait()
        return array(10)()

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(warm.get, key, key, load) for key in "ab"]
        assert all(future.result().fresh for future in asked)


def test_the_least_recently_used_goes_first(warm: LoadedModels) -> None:
    warm.budget = 100
    for key in "abc":
        warm.get(key, key, array(30)).release()
    warm.get("a", "a", array(30)).release()
    assert names(warm) == ["a", "c", "b"]
    warm.get("d", "d", array(30)).release()
    assert names(warm) == ["d", "a", "c"]
    warm.get("e", "e", array(60)).release()
    assert names(warm) == ["e", "d"]
    warm.budget = 60
    assert names(warm) == ["e"]
    assert warm.get("b", "b", array(0)).fresh
    assert warm.table.loc["b", "loads"] == 2


def test_a_model_was_used_until_its_lease_ended(warm: LoadedModels) -> None:
    warm.budget = 100
    slow = warm.get("slow", "slow", array(40))
    warm.get("quick", "quick", array(40)).release()
    slow.release()
    warm.get("new", "new", array(40)).release()
    assert names(warm) == ["new", "slow"]


def test_models_in_use_stay_loaded_beyond_the_budget(warm: LoadedModels) -> None:
    warm.budget = 100
    used = [warm.get(key, key, array(60)) for key in "ab"]
    warm.get("c", "c", array(60)).release()
    assert names(warm) == ["b", "a"] and all(warm.table["in_use"])
    assert used[1].model.nbytes == 60
    del used[0]  # a lease without references has ended
    assert names(warm) == ["b"]


def test_a_model_bigger_than_the_budget_is_used_and_dropped(warm: LoadedModels) -> None:
    warm.budget = 100
    with warm.get("big", "big", array(101)) as lease:
        assert warm.get("big", "big", array(101)).model is lease.model
        assert names(warm) == ["big"]
    assert names(warm) == []
    warm.budget = 0
    warm.get("small", "small", array(1)).release()
    assert names(warm) == []


def test_an_error_in_loading_is_raised_and_leaves_nothing(warm: LoadedModels) -> None:
    def broken() -> Any:
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        warm.get("k", "mlp", broken)
    assert names(warm) == []
    with pytest.raises(UnknownModelError):
        warm.unload("mlp")
    assert warm.get("k", "mlp", array(1)).fresh


def test_a_waiting_thread_loads_after_a_failed_load(
    warm: LoadedModels, large: mm.ModelSpec
) -> None:
    together = threading.Barrier(8)
    loads = []

    def load() -> Any:
        loads.append(loader(large)())
        if len(loads) == 1:
            raise OSError("no such file")
        return loads[-1]

    def ask() -> Lease:
        together.wait()
        return warm.get("k", "large", load)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        errors = [error for future in asked if (error := future.exception(60))]
    assert len(loads) == 2 and len(errors) == 1 and isinstance(errors[0], OSError)
    assert names(warm) == ["large"]


def test_a_subscriber_that_raises_leaves_no_model_in_use(warm: LoadedModels) -> None:
    def refuse(event: events.Event) -> None:
        if isinstance(event, events.ModelLoaded):
            raise ValueError(event.model)

    warm.on_event.append(refuse)
    with pytest.raises(ValueError, match="mlp"):
        warm.get("k", "mlp", array(1))
    warm.on_event.clear()
    assert warm.unload("mlp").models == ("mlp",)


def test_equal_content_under_two_names_is_one_model(warm: LoadedModels) -> None:
    first = warm.get("k", "a", array(10))
    second = warm.get("k", "b", array(10))
    assert second.model is first.model and not second.fresh
    assert names(warm) == ["a, b"]
    first.release()
    second.release()
    assert warm.unload("b").models == ("a", "b")


def test_events_report_loads_and_unloads(warm: LoadedModels) -> None:
    told: list[events.Event] = []
    warm.on_event.append(told.append)
    warm.budget = 100
    warm.get("a", "a", array(60)).release()
    assert told[0] == events.ModelLoading("a")
    loaded = told[1]
    assert isinstance(loaded, events.ModelLoaded) and (loaded.model, loaded.bytes) == ("a", 60)
    assert loaded.seconds > 0
    warm.get("b", "b", array(60)).release()
    assert told[-1] == events.ModelEvicted("a", 60)
    warm.get("b", "b", array(60)).release()
    assert len(told) == 5
    warm.unload()
    assert told[-1] == events.ModelEvicted("b", 60)
    held = warm.get("c", "c", array(60))
    warm.forget("c")
    assert isinstance(told[-1], events.ModelLoaded)
    held.release()
    assert told[-1] == events.ModelEvicted("c", 60)


@pytest.mark.usefixtures("large", "trees")
def test_unload_reports_what_it_did(warm: LoadedModels, large: mm.ModelSpec) -> None:
    warm.get("k", "large", loader(large)).release()
    warm.get("o", "other", array(5 * MB)).release()
    answer = warm.unload("large")
    assert (answer.models, answer.bytes, answer.later) == (("large",), 40 * MB, ())
    assert repr(answer).startswith("unloaded large: 40.0 MB of parameters, resident memory ")
    assert names(warm) == ["other"]
    nothing = warm.unload("trees")
    assert (nothing.models, nothing.bytes, nothing.freed_bytes) == ((), 0, 0)
    assert repr(nothing) == "trees is registered, but not loaded: nothing to unload"
    assert warm.unload().models == ("other",)
    assert repr(warm.unload()) == "no model is loaded: nothing to unload"


@pytest.mark.usefixtures("large")
def test_unload_refuses_a_name_that_stands_for_nothing(warm: LoadedModels) -> None:
    warm.get("k", "encoder", array(1)).release()
    with pytest.raises(UnknownModelError, match="'larg' .*; loaded: encoder; did you mean 'large'"):
        warm.unload("larg")
    with pytest.raises(UnknownModelError, match="did you mean 'encoder'"):
        warm.unload("encodr")
    with pytest.raises(UnknownModelError, match=r"\['large'\] \(list\)"):
        warm.unload(["large"])  # type: ignore[arg-type]
    assert names(warm) == ["encoder"]


def test_unloaded_models_in_use_are_freed_after_the_run(warm: LoadedModels) -> None:
    lease = warm.get("k", "mlp", array(10))
    answer = warm.unload()
    assert (answer.models, answer.later, answer.freed_bytes) == ((), ("mlp",), 0)
    assert repr(answer) == "mlp is in use by a run and is unloaded when it ends"
    assert "in use, unloaded afterwards" in repr(warm)
    assert lease.model.nbytes == 10
    with warm.get("k", "mlp", array(10)) as other:
        assert other.model is lease.model
        lease.release()
        assert names(warm) == ["mlp"]
    assert names(warm) == []
    assert warm.get("k", "mlp", array(10)).fresh


def test_a_model_unloaded_while_it_loads_is_freed_after_its_use(warm: LoadedModels) -> None:
    def load() -> Any:
        warm.forget("k")
        return array(10)()

    with warm.get("k", "mlp", load):
        assert names(warm) == ["mlp"]
    assert names(warm) == []


def test_a_deleted_model_is_freed(warm: LoadedModels) -> None:
    warm.get("k", "mlp", array(10)).release()
    warm.forget("another")
    assert names(warm) == ["mlp"]
    warm.forget("k")
    assert names(warm) == []


def test_a_lease_in_a_reference_cycle_ends(warm: LoadedModels) -> None:
    gc.disable()
    try:
        cycle: list[Any] = [warm.get("k", "mlp", array(10))]
        cycle.append(cycle)
        del cycle
        assert list(warm.table["in_use"]) == [True]
        assert warm.unload().models == ("mlp",)
    finally:
        gc.enable()


def test_a_model_of_unknown_weight_counts_as_it_was_measured(
    warm: LoadedModels, trees: mm.ModelSpec
) -> None:
    with warm.get("k", "mlp", lambda: b"x" * (50 * MB)) as lease:
        assert lease.weight.parameter_bytes is None
        assert 40 * MB < warm.table.loc["mlp", "bytes"] < 80 * MB
        assert warm.table.loc["mlp", "parameter_bytes"] is pd.NA
    # If loading shows no memory growth, the size of the file is the minimum.
    warm.get("t", "trees", object).release()
    assert warm.table.loc["trees", "bytes"] >= Path(str(trees.path)).stat().st_size


def test_the_budget(warm: LoadedModels) -> None:
    assert warm.budget == psutil.virtual_memory().total // 4
    sizes: dict[int | str, int] = {0: 0, "4GiB": 4 << 30, "1.5 GB": 1_500_000_000, "2k": 2000}
    for size, budget in sizes.items():
        warm.budget = size
        assert warm.budget == budget
    for wrong in (-1, 1.5, True, None, "", "lots", "-1GB", "5 i"):
        with pytest.raises(MMError, match="budget=.*allowed: a whole number of bytes"):
            warm.budget = wrong  # type: ignore[assignment]
    assert warm.budget == 2000


def test_it_shows_as_a_table(warm: LoadedModels) -> None:
    warm.budget = "1GB"
    empty = "no models are loaded; a run keeps the models that it loads, up to 1.0 GB"
    assert repr(warm) == empty and warm._repr_html_() == f"<p>{empty}</p>"
    assert list(warm.table.columns) == list(LoadedModels().table.columns)
    warm.get("a", "a", array(1500)).release()
    held = warm.get("b", "<b>", array(20 * MB))
    assert repr(warm).splitlines() == [
        "model  bytes    device  state",
        "<b>    20.0 MB  CPU     in use",
        "a      1.5 kB   CPU     warm",
        "20.0 MB of at most 1.0 GB, most recently used first",
    ]
    html = warm._repr_html_()
    assert "&lt;b&gt;" in html and "<b>" not in html and "20.0 MB of at most 1.0 GB" in html
    assert held.model is not None


class Pair:
    """A model that is created with another model, which it leases."""

    def __init__(self, other: Lease) -> None:
        self.other = other


def test_a_model_may_hold_a_lease(warm: LoadedModels) -> None:
    # It ends when the pair is deleted, during the deletion.
    warm.get("pair", "pair", lambda: Pair(warm.get("one", "one", array(10)))).release()
    assert warm.table["in_use"].to_dict() == {"pair": False, "one": True}
    warm.unload("pair")
    assert warm.table["in_use"].to_dict() == {"one": False}


MEASURED = """
import gc, sys
import numpy as np
import mmnotebook as mm
from mmnotebook.model.loaded.models import loaded_models as warm, unload
{model}
spec = mm.register("m", model)
size = {size}
del model
gc.collect()
lease = warm.get(spec.fingerprint, spec.name, {load})
assert abs(lease.weight.parameter_bytes - size) < size / 100, lease.weight
lease.release()
above = [bytes(100) for _ in range(10_000)]  # the freed memory is not the last there is
print(lease.weight.parameter_bytes, flush=True)
sys.stdin.readline()
answer = unload("m")
print(answer.freed_bytes, answer, flush=True)
sys.stdin.readline()
"""
TORCH = {
    "model": "import torch; model = torch.nn.Sequential(*[torch.nn.Linear(160, 160) for _ in "
    "range(2000)])\nfrom mmnotebook.model.frameworks.torch_handler import TorchHandler",
    "size": "2000 * 160 * 161 * 4",
    "load": "TorchHandler(spec).load_model",
}
SKLEARN = {
    "model": "from sklearn.neighbors import KNeighborsClassifier\n"
    "from apache_beam.ml.inference.sklearn_inference import SklearnModelHandlerNumpy\n"
    "model = KNeighborsClassifier(algorithm='brute').fit("
    "np.random.default_rng(0).random((25_000, 1000)), np.zeros(25_000))",
    "size": "25_000 * 1000 * 8",
    "load": "SklearnModelHandlerNumpy(spec.path).load_model",
}


@pytest.mark.parametrize("parts", [TORCH, SKLEARN], ids=["torch", "sklearn"])
def test_unloading_gives_the_memory_back(parts: dict[str, str]) -> None:
    command = [sys.executable, "-c", MEASURED.format(**parts)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        size = int(child.stdout.readline())
        before = psutil.Process(child.pid).memory_info().rss
        print(file=child.stdin, flush=True)
        freed, said = child.stdout.readline().split(maxsplit=1)
        after = psutil.Process(child.pid).memory_info().rss
        print(file=child.stdin, flush=True)
    assert child.returncode == 0 and size > 195 * MB
    assert before - after >= 0.9 * size
    assert 0.9 * size <= int(freed) <= 1.5 * size
    assert said.startswith(f"unloaded m: {size / MB:.1f} MB of parameters, resident memory ")


FORK = """
import os, sys, threading, weakref
from mmnotebook.model.loaded.models import loaded_models as warm

warm.budget = "1GiB"
loading, done = threading.Event(), threading.Event()

def slow():
    loading.set()
    done.wait(60)
    return "slow"

class Model:
    pass

held = warm.get("held", "held", Model)
with warm.get("idle", "idle", Model) as lease:
    idle = weakref.ref(lease.model)
thread = threading.Thread(target=lambda: warm.get("slow", "slow", slow))
thread.start()
loading.wait(60)
child = os.fork()
if child == 0:
    # Nothing is warm here, nothing is loading, and the parent's lease can still end.
    good = len(warm.table) == 0 and warm.budget == 1 << 30 and idle() is None
    good &= warm.get("slow", "slow", lambda: "own").model == "own"
    held.release()
    good &= list(warm.table.index) == ["slow"]
    os._exit(0 if good else 1)
good = os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
print(good, *sorted(warm.table.index), warm.table.loc["held", "in_use"], idle() is not None)
"""


def test_a_forked_child_starts_empty() -> None:
    command = [sys.executable, "-c", FORK]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    assert said.split() == ["True", "held", "idle", "slow", "True", "True"]


def test_leases_may_end_in_the_middle_of_anything(warm: LoadedModels) -> None:
    warm.budget = 100
    threshold = gc.get_threshold()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(400):
            key = chance.choice("abcdef")
            cycle: list[Any] = [warm.get(key, key, array(30))]
            assert cycle[0].model.nbytes == 30
            cycle.append(cycle)

    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work, seed) for seed in range(4)]:
                done.result()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    table = warm.table
    assert not any(table["in_use"]) and table["bytes"].sum() <= 100


class Plain:
    """A simple model of what `LoadedModels` should do."""

    def __init__(self) -> None:
        self.budget = 100
        self.sizes: dict[str, int] = {}  # least recently used first
        self.leases: list[str] = []
        self.leaving: set[str] = set()

    def get(self, key: str, size: int) -> bool:
        fresh = key not in self.sizes
        self.sizes[key] = self.sizes.pop(key, size)
        self.leases.append(key)
        self.tidy()
        return fresh

    def release(self, place: int) -> None:
        key = self.leases.pop(place)
        self.sizes[key] = self.sizes.pop(key)
        self.tidy()

    def forget(self, key: str) -> None:
        self.leaving |= {key} & set(self.sizes)
        self.tidy()

    def tidy(self) -> None:
        idle = [key for key in self.sizes if key not in self.leases]
        for key in idle:
            if key in self.leaving or sum(self.sizes.values()) > self.budget:
                del self.sizes[key]
                self.leaving.discard(key)


KEYS = st.sampled_from("abcde")
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("release"), st.integers(0, 5)),
    st.tuples(st.just("forget"), KEYS),
    st.tuples(st.just("budget"), st.integers(0, 200)),
)


@settings(deadline=None)
@given(steps=st.lists(STEPS, max_size=40), sizes=st.tuples(*[st.integers(1, 120)] * 5))
def test_any_sequence_behaves_like_a_simple_model(
    steps: list[tuple[str, Any]], sizes: tuple[int, ...]
) -> None:
    warm, plain = LoadedModels(), Plain()
    warm.budget = plain.budget
    leases: list[Lease] = []
    for step, what in steps:
        if step == "get":
            size = sizes["abcde".index(what)]
            leases.append(warm.get(what, what, array(size)))
            assert leases[-1].fresh == plain.get(what, size)
        elif step == "release" and what < len(leases):
            leases.pop(what).release()
            plain.release(what)
        elif step == "forget":
            warm.forget(what)
            plain.forget(what)
        elif step == "budget":
            warm.budget = plain.budget = what
            plain.tidy()
        table = warm.table
        assert list(table.index) == list(reversed(plain.sizes))
        assert list(table["in_use"]) == [key in plain.leases for key in table.index]
        assert table["bytes"].to_dict() == plain.sizes
