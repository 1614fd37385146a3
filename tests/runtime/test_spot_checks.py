"""Spot checks of cached elements; if outputs differ, the entry is removed, with a warning."""

from __future__ import annotations

import ctypes
import json
import math
import pkgutil
import random
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook.elements.block import Block
from mmnotebook.errors import InterruptedRunError, MMError
from mmnotebook.fingerprint.identity import NETWORK, Identity
from mmnotebook.model import probes
from mmnotebook.observing import Record, outcome
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.results import Result
from mmnotebook.running import samples, spot_checks
from mmnotebook.running.measures import Measured
from mmnotebook.running.spot_checks import CheckCost
from mmnotebook.store import entries, eviction, timed
from mmnotebook.store.cache import open_store
from mmnotebook.store.store import Aside

CACHED = "read from the cache"
ROWS = 50


@pytest.fixture(autouse=True)
def all_are_checked(monkeypatch: pytest.MonkeyPatch, no_spot_checks: None) -> None:
    """Check every node that can be checked, without knowledge from other tests."""
    monkeypatch.setattr(spot_checks, "_costs", {})
    monkeypatch.setattr(spot_checks, "_last", {})
    monkeypatch.setattr(probes, "SECONDS", 60.0)
    mm.cache.verify = "all"


class CheckedRun:
    """The result of a run, and its cache warnings."""

    def __init__(self, text: str, **names: Any) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.result: Result = mm.run(mm.pipeline(text, **names), progress=False)
        self.warned = [str(one.message) for one in caught if one.category is mm.CacheWarning]

    def values(self, node: str) -> list[Any]:
        return list(self.result[node]["value"])


def folder_of(node: str) -> Path:
    manifests = Path(open_store().inner).glob("entries/*/manifest.json")
    (found,) = [
        one.parent for one in manifests if json.loads(one.read_text())["meta"]["node"] == node
    ]
    return found


def falsify(node: str, change: Callable[[Block], Block]) -> None:
    """Store other values for a node, in a complete and correctly named entry."""
    entry = entries.read_manifest(folder_of(node))
    draft = open_store().draft(entry.identity)
    for place, shard in enumerate(entry.shards()):
        blocks = [change(block) for block in timed.values(shard)]
        eviction.write_shard(draft.path, place, blocks, sum(map(len, blocks)))
    draft.commit(entry.meta, replace=True)


def counts() -> tuple[int, int]:
    return mm.cache.checked, mm.cache.differed


def plus(x: int) -> int:
    return x + 1


def even(x: int) -> bool:
    return x % 2 == 0


def twice(x: int) -> list[int]:
    return [x, -x]


def label(x: Any) -> float:
    return round(float(np.asarray(getattr(x, "inference", x)).ravel()[0]), 3)


DATA = list(range(0, 2 * ROWS, 2))
VECTORS = [np.array([place, 1, 2], "float32") for place in range(ROWS)]
WRONG: dict[Callable[[int], Any], tuple[str, Callable[[Block], Block]]] = {
    plus: ("map", lambda block: block.with_values([value + 7 for value in block.values])),
    even: ("filter", lambda block: block.take([])),
    twice: ("flat_map", lambda block: block.take(range(0, len(block), 2))),
}


class TestDifferences:
    @pytest.mark.parametrize("step", WRONG)
    def test_wrong_values_are_found(self, step: Callable[[int], Any]) -> None:
        node, (kind, change) = step.__name__, WRONG[step]
        names = {"data": DATA, node: step, "str": str}
        text = f"data | {kind}({node}) | map(str)"
        right = CheckedRun(text, **names).values("str")
        before = counts()
        falsify(node, change)
        said = CheckedRun(text, **names)
        assert said.values("str") == right
        why = said.result.why
        assert why["data"] == CACHED and why[node].startswith(f"{spot_checks.AGAIN} (element ")
        assert why["str"] == (
            f"computed again: the stored output of the upstream node {node!r} differed from its "
            "current output"
        )
        (warned,) = said.warned
        assert warned.startswith(f"node {node!r}: its cached output differed")
        assert counts() == (before[0] + 1, before[1] + 1)
        again = CheckedRun(text, **names)
        assert set(again.result.why.values()) == {CACHED} and again.warned == []
        assert again.values("str") == right
        assert counts() == (before[0] + 3, before[1] + 1)

    @pytest.mark.parametrize("kind", ["sklearn", "torch"])
    def test_a_model(self, kind: str) -> None:
        torch.manual_seed(0)
        linear = LinearRegression().fit(np.eye(3), [1.0, 2.0, 3.0])
        mm.register("lin", linear if kind == "sklearn" else torch.nn.Linear(3, 1))
        names = {"rows": VECTORS, "label": label}
        right = CheckedRun("rows | lin | map(label)", **names).values("label")
        assert CheckedRun("rows | lin | map(label)", **names).warned == []
        before = counts()

        def other(block: Block) -> Block:
            given = [one._replace(inference=one.inference + 1) for one in block.values.rows()]
            return block.with_values(given)

        falsify("lin", other)
        said = CheckedRun("rows | lin | map(label)", **names)
        assert said.values("label") == right and len(said.warned) == 1
        assert said.result.why["lin"].startswith(spot_checks.AGAIN)
        assert counts() == (before[0] + 1, before[1] + 1)

    def test_other_nodes_with_its_function_are_checked_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hidden = ctypes.c_int(3)
        address = ctypes.addressof(hidden)

        def read(x: int) -> int:
            return x + ctypes.c_int.from_address(address).value

        text = "one = data | map(plus)\na = data | map(read)\nb = one | map(read)"
        names = {"data": DATA, "read": read, "plus": plus}
        CheckedRun(text, **names)
        hidden.value = 4

        class Dice(random.Random):
            """A random number generator with which only the second node is checked."""

            asked = 0

            def random(self) -> float:
                self.asked += 1
                return 0.0 if self.asked == 2 else 0.99

            def getrandbits(self, k: int) -> int:  # otherwise the sample depends on `random`
                return super().getrandbits(k)

        check = spot_checks.check
        monkeypatch.setattr(spot_checks, "check", lambda *given: check(*given, Dice()))
        mm.cache.verify = "sample"
        before = counts()
        said = CheckedRun(text, **names)
        assert len(said.warned) == 2 and said.result.why["one"] == CACHED
        assert said.values("a")[0] == 4 and said.values("b")[0] == 5
        assert counts() == (before[0] + 2, before[1] + 2)

    def test_the_events_of_a_difference(self) -> None:
        names = {"data": DATA, "plus": plus, "str": str}
        graph = mm.pipeline("data | map(plus) | map(str)", **names)
        mm.run(graph, progress=False)
        falsify("plus", WRONG[plus][1])
        heard: list[Any] = []
        with pytest.warns(mm.CacheWarning, match="'plus'"):
            mm.run(graph, subscribers=[heard.append])
        last = {one.node: one for one in heard if hasattr(one, "node")}
        kinds = {name: type(last[name]).__name__ for name in ("data", "plus", "str")}
        assert kinds == {"data": "NodeCached", "plus": "NodeFinished", "str": "NodeFinished"}
        assert last["str"].elements == ROWS and heard[-1].state == "done"

    def test_a_change_outside_of_the_identity(self) -> None:
        hidden = ctypes.c_int(3)
        address = ctypes.addressof(hidden)

        def read(x: int) -> int:
            return x + ctypes.c_int.from_address(address).value

        names = {"data": DATA, "read": read}
        assert CheckedRun("data | map(read)", **names).values("read")[0] == 3
        assert CheckedRun("data | map(read)", **names).warned == []
        hidden.value = 4
        mm.cache.verify = "off"
        assert CheckedRun("data | map(read)", **names).values("read")[0] == 3
        mm.cache.verify = "all"
        said = CheckedRun("data | map(read)", **names)
        assert said.values("read")[0] == 4 and len(said.warned) == 1

    def test_another_failure_and_none(self) -> None:
        hidden = ctypes.c_int(0)
        address = ctypes.addressof(hidden)

        def fails(x: int) -> int:
            kinds = (ValueError, TypeError, None)
            kind = kinds[ctypes.c_int.from_address(address).value]
            if kind is not None:
                raise kind(x)
            return x

        graph = mm.pipeline("data | map(fails)", data=DATA, fails=fails)
        with pytest.warns(mm.CacheWarning) as caught:
            for state in (0, 0, 1, 1, 2, 2):
                hidden.value = state
                result = mm.run(graph, progress=False, max_failed=1.0)
                assert len(result["fails"]) == (ROWS if state == 2 else 0)
        said = [str(one.message) for one in caught if one.category is mm.CacheWarning]
        assert ["ValueError and TypeError" in said[0], "TypeError and an output" in said[1]] == [
            True, True,
        ]  # fmt: skip
        assert len(said) == 2 and len(result.failed) == 0

    def test_entries_computed_from_it_in_other_graphs_are_removed_too(self) -> None:
        one = {"data": DATA, "plus": plus}
        names = {**one, "str": str}
        right = CheckedRun("data | map(plus) | map(str)", **names).values("str")
        falsify("plus", WRONG[plus][1])
        falsify("str", lambda block: block.with_values(["wrong"] * len(block)))
        assert CheckedRun("data | map(plus)", **one).warned
        said = CheckedRun("data | map(plus) | map(str)", **names)
        assert said.values("str") == right and said.warned == []
        assert said.result.why["str"] == "not in the cache"


class Own:
    """An object of a user's class."""

    def __init__(self, x: int) -> None:
        self.x, self.others = x, {x, x + 1}


def image(x: int) -> Image.Image:
    return Image.new("RGB", (4, 4), (x, 0, 0))


def frame(x: int) -> pd.DataFrame:
    return pd.DataFrame({"a": [x, None], "b": pd.Categorical(["u", "v"])})


def mixed(x: int) -> Any:
    return [x, float(x), str(x), None, x % 4 == 0, np.float32(x), {"a": x}, [x, "b"]][x // 2 % 8]


def refuses(x: int) -> int:
    if x % 30 == 0:
        raise ValueError(x)
    return x


VALUES: dict[str, Callable[[int], Any]] = {
    "nan": lambda x: float("nan"),
    "text": lambda x: f"é{x}",
    "record": lambda x: {"a": x, "b": str(x), "c": [x, None]},
    "array": lambda x: np.arange(x, dtype="float32"),
    "same shape": lambda x: np.full((2, 2), x / 3),
    "strings": lambda x: np.array([str(x)]),
    "tensor": lambda x: torch.full((3,), x / 7, dtype=torch.bfloat16),
    "series": lambda x: pd.Series({"a": x, "b": 1.5}),
    "stamp": lambda x: pd.Timestamp(2020, 1, 1) + pd.Timedelta(days=x),
    "set": lambda x: {str(x), "b", "c"},
    "own": Own,
    "image": image,
    "frame": frame,
    "mixed": mixed,
    "fails": refuses,
}


class TestNoDifferences:
    @pytest.mark.parametrize("name", VALUES)
    def test_every_kind_of_value(self, name: str) -> None:
        names = {"data": DATA, "give": VALUES[name], "again": lambda x: x}
        for _ in range(2):  # a class that was never pickled differs afterwards
            CheckedRun("data | map(give) | map(again)", **names)
        before = counts()
        for _ in range(4):
            assert CheckedRun("data | map(give) | map(again)", **names).warned == []
        assert counts() == (before[0] + 8, before[1])

    def test_elements_in_many_shards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timed, "ELEMENTS", 1)
        data = list(range(20_000))
        names = {"data": data, "plus": plus, "even": even, "twice": twice}
        text = "data | map(plus) | filter(even) | flat_map(twice)"
        assert len(CheckedRun(text, **names).values("twice")) == 20_000
        assert len(entries.read_manifest(folder_of("plus")).infos) > 2
        before = counts()
        for _ in range(4):
            assert CheckedRun(text, **names).warned == []
        assert counts() == (before[0] + 12, before[1])

    def test_one_branch_alone(self) -> None:
        def side(x: int) -> str:
            return "low" if x < ROWS else "high"

        text = 'way = data | switch(side, ["low", "high"])\nway.low | map(plus)'
        names = {"data": DATA, "side": side, "plus": plus}
        CheckedRun(text, **names)
        before = counts()
        assert [CheckedRun(text, **names).warned for _ in range(3)] == [[], [], []]
        assert counts() == (before[0] + 3, before[1])
        falsify("plus", WRONG[plus][1])
        assert len(CheckedRun(text, **names).warned) == 1

    def test_ids_that_come_twice(self) -> None:
        text = "one = data | map(plus)\ntwo = data | map(str)\nboth = {one, two} | map(int)\n"
        text += "both | map(even)"
        names = {"data": DATA, "plus": plus, "str": str, "int": int, "even": even}
        CheckedRun(text, **names)
        assert [CheckedRun(text, **names).warned for _ in range(4)] == [[], [], [], []]


class Batched(torch.nn.Module):
    """A model whose output depends on the batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


class Counting(torch.nn.Module):
    """A model with state that changes between calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x + 0 * self.calls

    def reset(self) -> None:
        self.calls = 0


def met_network() -> dict[str, Any]:
    """Return the metadata of a node that used the network in this kernel."""
    seen, reason = outcome.judged(Identity("1", may=frozenset({NETWORK})), Record())
    assert seen.kernel and not reason
    return seen.meta()


class TestLeftOut:
    def checked(self, text: str, **names: Any) -> int:
        """Return the number of checks in the second of two runs."""
        CheckedRun(text, **names)
        before = counts()
        assert set(CheckedRun(text, **names).result.why.values()) == {CACHED}
        return counts()[0] - before[0]

    def test_verify_off(self) -> None:
        mm.cache.verify = "off"
        assert self.checked("data | map(plus)", data=DATA, plus=plus) == 0

    def test_a_model_that_is_not_loaded(self) -> None:
        mm.register("lin", LinearRegression().fit(np.eye(3), [1.0, 2.0, 3.0]))
        names = {"rows": VECTORS}
        assert self.checked("rows | lin", **names) == 1
        mm.unload()
        assert self.checked("rows | lin", **names) == 0
        assert not len(mm.models.table)

    @pytest.mark.parametrize("name", ["same", "remote", "batched", "counting"])
    def test_models_that_are_not_deterministic(self, name: str) -> None:
        made: dict[str, tuple[Any, dict[str, Any]]] = {
            "same": (torch.nn.Identity(), {}),
            "remote": (torch.nn.Identity(), {"remote": True}),
            "batched": (Batched(), {}),
            "counting": (Counting(), {"reset": "reset"}),
        }
        model, options = made[name]
        mm.register("net", model, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mm.ModelWarning)
            assert self.checked("rows | net", rows=VECTORS) == (name == "same")

    def test_a_function_that_imports_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = tmp_path / "site-packages"
        installed.mkdir()
        (installed / "heavy_library.py").write_text("ONE = 1")
        monkeypatch.syspath_prepend(str(installed))
        monkeypatch.delitem(sys.modules, "heavy_library", raising=False)

        def uses(name: str) -> str:
            try:
                return str(pkgutil.resolve_name(name).__name__)
            except BaseException:  # noqa: BLE001 - as some user code does
                return "none"

        names = {"data": ["heavy_library"] * 3, "uses": uses}
        assert self.checked("data | map(uses)", **names) == 1
        monkeypatch.delitem(sys.modules, "heavy_library")
        finders = list(sys.meta_path)
        assert self.checked("data | map(uses)", **names) == 0
        assert "heavy_library" not in sys.modules and sys.meta_path == finders

    def test_a_function_that_asks_others(self) -> None:
        hidden = ctypes.c_int(0)
        address = ctypes.addressof(hidden)

        def asks(x: int) -> int:
            ctypes.c_int.from_address(address).value += 1
            sys.audit("socket.connect", None, ("example.org", 80))
            return x

        names = {"data": DATA, "asks": asks}
        assert self.checked("data | map(asks)", **names) == 0
        assert hidden.value == ROWS

    @pytest.mark.parametrize("network", [True, False])
    def test_a_node_that_used_the_network(self, network: bool) -> None:
        names = {"data": DATA, "plus": plus}
        CheckedRun("data | map(plus)", **names)
        entry = entries.read_manifest(folder_of("plus"))
        draft = open_store().draft(entry.identity)
        for place, shard in enumerate(entry.shards()):
            eviction.write_shard(draft.path, place, shard, ROWS)
        draft.commit({**entry.meta, "seen": met_network() if network else None}, replace=True)
        assert self.checked("data | map(plus)", **names) == (not network)

    def test_joins_and_sources(self) -> None:
        text = "a = data | map(plus)\nb = data | map(float)\n[a, b] | mean()"
        assert self.checked(text, data=DATA, plus=plus, float=float) == 2

    def test_an_error_in_the_check_does_not_fail_the_run(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> Any:
            raise OSError

        monkeypatch.setattr(samples, "choose", broken)
        assert self.checked("data | map(plus)", data=DATA, plus=plus) == 0


def generators() -> tuple[Any, ...]:
    """Return the states of the global random number generators."""
    return random.getstate(), torch.get_rng_state().tolist(), str(np.random.get_state())


class TestSideEffects:
    """A check changes nothing except its count."""

    def test_generators_warnings_and_state(self) -> None:
        def warns(x: int) -> int:
            warnings.warn(f"of {x % 4}", UserWarning, stacklevel=2)
            return x

        names = {"data": DATA, "warns": warns}
        first = CheckedRun("data | map(warns)", **names).result
        states = generators()
        before = counts()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = mm.run(mm.pipeline("data | map(warns)", **names), progress=False)
        assert counts() == (before[0] + 1, before[1]) and caught == []
        assert result.warnings.equals(first.warnings) and len(first.warnings)
        assert result.nodes["elements_in"].equals(first.nodes["elements_in"])
        assert generators() == states

    def test_a_cancelled_run_ends_its_check(self) -> None:
        hidden = (ctypes.c_int * 2)(0, 0)
        address = ctypes.addressof(hidden)

        def waits(x: int) -> int:
            states = (ctypes.c_int * 2).from_address(address)
            states[1] += 1
            while states[0]:
                time.sleep(0.01)
            return x

        graph = mm.pipeline("data | map(waits)", data=DATA, waits=waits)
        mm.run(graph, progress=False)
        hidden[0], hidden[1] = 1, 0
        before = counts()
        running = mm.run(graph, progress=False, wait=False)
        deadline = time.monotonic() + 60
        while not hidden[1]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.cancel()
        hidden[0] = 0
        with pytest.raises(InterruptedRunError):
            running.result(60)
        assert hidden[1] == 1 and counts() == before
        assert mm.run(graph, progress=False).why["waits"] == CACHED
        assert counts() == (before[0] + 1, before[1])


class TestSetting:
    @pytest.mark.parametrize("wrong", ["every", "of", None, True, 3])
    def test_another_is_refused(self, wrong: Any) -> None:
        with pytest.raises(MMError, match=r"mm\.cache\.verify = .*allowed: \"sample\"") as caught:
            mm.cache.verify = wrong
        assert caught.value.remedy and mm.cache.verify == "all"

    def test_differences_are_shown(self) -> None:
        CheckedRun("data | map(plus)", data=DATA, plus=plus)
        falsify("plus", WRONG[plus][1])
        CheckedRun("data | map(plus)", data=DATA, plus=plus)
        assert "1 checked, 1 of them differed" in repr(mm.cache)


def measured(seconds: float, elements: int, batches: int = 0) -> Measured:
    node = NodeMeasure("map", elements, elements, 0, seconds, 1000)
    if not batches:
        return Measured(node, {})
    model = ModelMeasure(elements, batches, 0, {}, None, 1, None, None, None, None)
    return Measured(replace(node, kind="model"), {"m": model})


class TestCost:
    def test_the_share_in_many_runs(self) -> None:
        """Check that the cost of all checks stays below its share, whatever the entries save."""
        dice = random.Random(0)
        nodes = [(0.01, 10, 1e3), (1, 1000, 1e5), (60, 20, 1e4), (9, 9, 1e8)]
        for seconds, elements, size in nodes:
            for known in (None, CheckCost(), CheckCost(2.0, 4)):
                cost = spot_checks.expected_cost(measured(seconds, elements), int(size), known)
                chance = spot_checks.probability(seconds, cost)
                spent = sum(cost for _ in range(20_000) if dice.random() < chance)
                assert 0 < chance <= 1
                assert spent <= (spot_checks.SHARE + 0.004) * 20_000 * max(seconds, 0.1)
                assert chance * cost <= spot_checks.SHARE * seconds * (1 + 1e-9)

    def test_the_expected_cost(self) -> None:
        empty, cost = CheckCost(), spot_checks.expected_cost
        assert 0.03 < cost(measured(10, 1000), 0, empty) < 0.05  # three of a thousand
        assert cost(measured(10, 2), 0, empty) > 10
        assert cost(measured(10, 1000, batches=10), 0, empty) > 1  # a whole batch
        assert cost(measured(10, 1000), 0, None) > 10  # the first call may include the load
        assert cost(measured(10, 1000), 0, CheckCost(6, 2)) == 3  # as before
        assert cost(measured(1, 1000), 1 << 30, empty) > 5
        assert [spot_checks.rest_factor(seconds) for seconds in (0, 30, 60, math.inf)] == [
            0,
            0.5,
            1,
            1,
        ]
        assert spot_checks.probability(0.0, 0.01) == 0 and spot_checks.probability(100, 0.01) == 1

    def test_real_checks_of_a_slow_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        mm.cache.verify = "sample"

        def slow(x: int) -> int:
            time.sleep(0.02)
            return x

        names = {"data": DATA, "slow": slow}
        saved = CheckedRun("data | map(slow)", **names).result.nodes.loc["slow", "seconds"]
        spent, check = [], spot_checks.check

        def clocked(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return check(*arguments, random.Random(len(spent)))
            finally:
                spent.append(time.perf_counter() - started)

        monkeypatch.setattr(spot_checks, "check", clocked)
        before, runs = mm.cache.checked, 60
        for _ in range(runs):
            CheckedRun("data | map(slow)", **names)
        assert len(spent) == runs and mm.cache.checked > before
        # The number of checks is random: allow three standard deviations above its mean.
        most = spot_checks.SHARE * saved * runs
        made = mm.cache.checked - before
        assert sum(spent) <= most + 3 * (made**0.5) * max(spent)


class TestStore:
    def test_entries_computed_from_it_are_removed_too(self) -> None:
        CheckedRun("data | map(plus) | map(str)", data=DATA, plus=plus, str=str)
        store = open_store()
        names = [folder_of(node).name.split(".")[0] for node in ("data", "plus", "str")]
        aside = Aside(store.inner, "is read-only")
        aside.discard(names[1:2])
        assert aside.find(names).keys() == set(names[:1])
        assert folder_of("plus").is_dir()
        store.discard(names[1:2])
        assert store.find(names).keys() == set(names[:1])
