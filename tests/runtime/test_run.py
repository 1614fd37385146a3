"""`mm.run`: its extent, when and how it stops, its errors, and what it leaves behind."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.runners.interactive import interactive_environment

import mmnotebook as mm
from mmnotebook import storage
from mmnotebook.beam import interactive
from mmnotebook.errors import GraphError, ModelError, RunError
from mmnotebook.graph.graph import Graph
from mmnotebook.state import run_state
from tests.runtime import toys


def plus(x: Any) -> Any:
    return x + 1


def picky(x: Any) -> Any:
    if x >= 50:
        raise ValueError(f"{x} is too much")
    return x


def chain(data: Any, **names: Any) -> Graph:
    return mm.pipeline(
        "first = data | plus\nlast = first | picky", data=data, plus=plus, picky=picky
    )


def test_until_and_limit() -> None:
    result = mm.run(chain(list(range(1000))), until="first", limit=7)
    assert list(result) == ["data", "first"]
    assert result["first"]["value"].tolist() == list(range(1, 8))
    assert mm.last is result
    with pytest.raises(
        RunError, match="'last' was not part of this run; nodes that ran: data, first"
    ):
        result["last"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": 0}, "limit=0; allowed: a positive integer"),
        ({"limit": 2.0}, "limit=2.0"),
        ({"limit": True}, "limit=True"),
        ({"max_failed": 1.5}, "max_failed=1.5; allowed: a share from 0 to 1"),
        ({"max_failed": "10%"}, "max_failed='10%'"),
    ],
)
def test_invalid_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(RunError, match=says):
        mm.run(chain([1]), **options)


def test_until_an_unknown_node() -> None:
    with pytest.raises(GraphError, match="did you mean 'first'"):
        mm.run(chain([1]), until="frist")
    with pytest.raises(GraphError, match=r"no such node; found \['first'\]"):
        mm.run(chain([1]), until=["first"])


def test_a_batch_of_64_with_3_bad_elements() -> None:
    rows = np.zeros((64, 4), np.float32)
    rows[[3, 17, 40], 0] = 99
    mm.register("scale", toys.Scale(2.0, most=60), batch_size=64)
    result = mm.run(mm.pipeline("rows | scale", rows=rows))
    assert len(result["scale"]) == 61
    failed = result.failed
    assert list(failed.columns) == ["node", "id", "error", "message", "traceback"]
    assert failed["id"].tolist() == ["3", "17", "40"]
    assert set(failed["node"]) == {"scale"} and set(failed["error"]) == {"ValueError"}
    assert set(failed["message"]) == {"above 60"}
    assert failed["traceback"].str.contains('raise ValueError\\(f"above').all()
    models = result.models.loc["scale"]
    assert (models["predictions"], models["failed"]) == (61, 3)
    nodes = result.nodes.loc["scale"]
    assert (nodes["elements_in"], nodes["elements_out"], nodes["failed"]) == (64, 61, 3)


def test_too_many_failures_stop_the_run_early() -> None:
    with pytest.raises(RunError) as caught:
        mm.run(mm.pipeline("data | fails", data=list(range(20_000)), fails=fails))
    error = caught.value
    assert (error.node, error.model, error.result) == ("fails", None, None)
    assert str(error).startswith("node 'fails': so far 2,001 of 2,001 elements failed")
    assert "ValueError: always" in str(error)
    assert len(error.failed) == 2001


def fails(x: Any) -> Any:
    raise ValueError("always")


def test_too_many_failures_at_the_end_come_with_the_result() -> None:
    with pytest.raises(RunError) as caught:
        # The number of elements of a flat_map is unknown until it is finished.
        graph = mm.pipeline("many = data | flat_map(list)\nmany | picky", data=[list(range(60))],
                            list=list, picky=picky)  # fmt: skip
        mm.run(graph)
    error = caught.value
    assert error.node == "picky" and len(error.failed) == 10
    assert "10 of 60 elements failed: 10 × ValueError: 50 is too much (first: '0/50')" in str(error)
    assert len(error.result["picky"]) == 50
    assert mm.run(graph, max_failed=0.2).nodes.loc["picky", "failed"] == 10


def test_the_error_names_the_model_and_its_own_first_failure() -> None:
    mm.register("scale", toys.Scale(2.0, most=5))
    data = [float(i) for i in range(40, 80)]
    with pytest.raises(RunError) as caught:
        mm.run(mm.pipeline("good = data | picky\nscaled = data | scale", data=data, picky=picky),
               max_failed=0.8)  # fmt: skip
    assert caught.value.node == "scaled" and caught.value.model == "scale"
    assert "ValueError: above 5" in str(caught.value)
    assert set(caught.value.failed["node"]) == {"scaled"}


def test_a_model_whose_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 1), torch.zeros(1, 1)), path)
    mm.register("gone", path)
    path.unlink()
    started = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        mm.run(mm.pipeline("data | gone", data=[[1.0]] * 10))
    assert time.perf_counter() - started < 20
    message = caught.value.message
    assert "\n" not in message and len(message) < 600
    assert "model 'gone' cannot be loaded" in message and str(path) in message
    assert "No such file" in message or "FileNotFoundError" in message
    assert "register 'gone' again" in str(caught.value)


class NeverLoads(toys.OwnHandler):
    def load_model(self) -> Any:
        raise OSError("the weights\nare somewhere else")


def test_a_handler_that_cannot_load() -> None:
    mm.register("never", NeverLoads())
    with pytest.raises(ModelError, match="'never' cannot be loaded: OSError: the weights are some"):
        mm.run(mm.pipeline("data | never", data=[1.0]))


def test_a_function_that_ends_the_program() -> None:
    def leaves(x: Any) -> Any:
        raise SystemExit(3)

    with pytest.raises(RunError) as caught:
        mm.run(mm.pipeline("data | leaves", data=[1], leaves=leaves))
    assert "SystemExit" in str(caught.value)
    assert "Traceback" not in str(caught.value) and "apache_beam" not in str(caught.value)


def test_results_stay_readable_after_later_runs() -> None:
    first = mm.run(chain([1, 2]))
    second = mm.run(chain([10, 20, 30]))
    assert first["last"]["value"].tolist() == [2, 3]
    assert second["last"]["value"].tolist() == [11, 21, 31]
    assert first["first"]["value"].tolist() == [2, 3]
    assert first.failed.empty


def test_the_same_ids_take_the_same_arm_in_every_run() -> None:
    text = 'arms = ids | split({"a": 0.9, "b": 0.1})'
    runs = [mm.run(mm.pipeline(text, ids=range_list(20_000))) for _ in range(2)]
    one, two = (run["arms"].set_index("id")["key"] for run in runs)
    assert (one == two).all()
    assert (one == "a").mean() == pytest.approx(0.9, abs=0.01)


def range_list(count: int) -> list[int]:
    return list(range(count))


def test_the_size_of_a_205_and_a_51_megabyte_model_in_either_order() -> None:
    # Wide embeddings: they are created quickly, and each run reads only one row.
    sizes = {"large": 205_000_000, "small": 51_000_000}
    for name, size in sizes.items():
        table = torch.nn.Embedding(size // 4 // 1000, 1000, _weight=torch.empty(size // 4000, 1000))
        mm.register(name, table, output=first_number)
    for order in (("large", "small"), ("small", "large")):
        text = "\n".join(f"data | {name}" for name in order)
        result = mm.run(mm.pipeline(text, data=[0, 1]))
        assert result.models["parameter_bytes"].to_dict() == sizes
    for name in sizes:
        mm.registry.remove(name)  # its file is removed too


def first_number(row: Any) -> float:
    return float(row.isnan().any())


# Files and threads after a run


def state() -> dict[str, Any]:
    env = interactive_environment.current_env()
    sizes = {name: len(value) for name, value in vars(env).items() if hasattr(value, "__len__")}
    loggers = [logging.getLogger(), logging.getLogger("apache_beam")]
    return {
        **sizes,
        "watched": dict(interactive._watched),
        "live": dict(run_state._runs),
        "environ": dict(os.environ),
        "levels": [logger.level for logger in loggers],
        "handlers": [list(logger.handlers) for logger in loggers],
        "disabled": logging.root.manager.disable,
        "threads": [thread.name for thread in threading.enumerate() if "mmnotebook" in thread.name],
        "display": pd.get_option("display.max_rows"),
    }


@pytest.mark.usefixtures("gate")
def test_runs_leave_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    mm.run(chain([1]))
    before = state()
    folders = set(storage.session_folder().iterdir())
    for _ in range(2):
        mm.run(chain([1, 2]))
    with pytest.raises(RunError):
        mm.run(chain(list(range(100))))
    interrupted(chain_slow())
    ended(before["threads"])
    assert state() == before
    gc.collect()
    left = set(storage.session_folder().iterdir()) - folders
    assert not left
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[toys.Gate]:
    """Hold a call or a load until the test releases it; it is released at the end."""
    monkeypatch.setattr(toys, "GATE", toys.Gate())
    yield toys.GATE
    toys.GATE.release.set()


def slow(x: Any) -> Any:
    toys.GATE.started.set()
    time.sleep(0.05)
    return x


def chain_slow() -> Graph:
    return mm.pipeline("data | slow", data=list(range(2000)), slow=slow)


def interrupted(graph: Graph) -> tuple[float, BaseException]:
    """Press Ctrl-C when the step has begun; return the seconds until the error, and the error."""
    pressed: list[float] = []

    def press() -> None:
        assert toys.GATE.started.wait(60)
        # Python may miss a signal that arrives when a system call begins, until the call ends.
        threading.Event().wait(0.2)
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    # A shell that starts pytest in the background makes it ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            mm.run(graph)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    return time.perf_counter() - pressed[0], caught.value


def ended(names: list[str]) -> None:
    """Wait until no other thread of a run exists."""
    for thread in threading.enumerate():
        if thread.name.startswith("mmnotebook") and thread.name not in names:
            thread.join(30)


@pytest.mark.usefixtures("gate")
def test_ctrl_c_during_a_slow_map() -> None:
    seconds, error = interrupted(chain_slow())
    assert seconds < 30, "all elements would take 100 s"
    assert isinstance(error, RunError) and "stopped by you; data 2,000, slow " in str(error)
    assert mm.run(chain([1, 2]))["last"]["value"].tolist() == [2, 3]


class LongCall(toys.OwnHandler):
    """A handler whose call takes long."""

    def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Iterator[Any]:
        toys.hold(batch)
        return super().run_inference(batch, model)


class LongLoad(toys.OwnHandler):
    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = mark

    def load_model(self) -> Any:
        toys.hold(None)
        return super().load_model()

    def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Iterator[Any]:
        self.mark.touch()
        return super().run_inference(batch, model)


def test_ctrl_c_during_one_long_call(capfd: pytest.CaptureFixture[str], gate: toys.Gate) -> None:
    mm.register("long", LongCall())
    interrupted(mm.pipeline("data | long", data=[1.0] * 30))
    # The next run works while the thread of the first one is still in its call, and after it.
    assert mm.run(chain([1, 2]))["last"]["value"].tolist() == [2, 3]
    assert not gate.release.is_set()
    gate.release.set()
    ended([])
    assert mm.run(chain([1, 2]))["last"]["value"].tolist() == [2, 3]
    assert capfd.readouterr() == ("", "")
    assert run_state._runs == {}


def test_ctrl_c_while_a_model_loads(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, gate: toys.Gate
) -> None:
    mark = tmp_path / "called"
    mm.register("long", LongLoad(mark))
    interrupted(mm.pipeline("data | long", data=[1.0] * 30))
    assert not gate.release.is_set()
    gate.release.set()
    ended([])
    # After the interrupt, nothing more is computed or logged.
    assert not mark.exists()
    assert capfd.readouterr() == ("", "")


def test_one_run_at_a_time() -> None:
    results = []

    def first() -> None:
        results.append(mm.run(mm.pipeline("data | hold", data=[1], hold=toys.hold)))

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert toys.GATE.started.wait(60)
        with pytest.raises(RunError, match="another run is already in progress"):
            mm.run(chain([1]))
    finally:
        toys.GATE.release.set()
        thread.join(60)
    assert results[0]["hold"]["value"].tolist() == [1]
    assert mm.run(chain([1]))["last"]["value"].tolist() == [2]


def test_sources_that_share_ids_keep_their_own_fields() -> None:
    old, new = pd.DataFrame({"p": [1, 2]}), pd.DataFrame({"p": [7, 8], "q": [0, 0]})
    text = 'left = old["p"] | plus\nright = new["p"] | map(plus)'
    result = mm.run(mm.pipeline(text, old=old, new=new, plus=plus))
    assert list(result["left"]) == ["id", "p", "value", "key"]
    assert result["left"]["p"].tolist() == [1, 2]
    assert result["right"]["q"].tolist() == [0, 0]
    assert result["right"]["p"].tolist() == [7, 8]


def test_whole_numbers_with_a_missing_one_stay_whole_numbers() -> None:
    big = 2**60 + 1
    frame = pd.DataFrame({"count": pd.array([big, None], dtype="Int64"), "share": [0.5, None]})
    rows = mm.run(mm.pipeline("rows | repr", rows=frame))["repr"]
    assert rows["count"].dtype == "Int64" and rows["count"][0] == big and rows["count"].isna()[1]
    assert rows["share"].dtype == "float64"


def test_until_the_name_of_several_nodes() -> None:
    text = "both = data | [map(plus), map(picky)]\nboth | map(len)"
    result = mm.run(mm.pipeline(text, data=[1], plus=plus, picky=picky), until="both")
    assert list(result) == ["data", "plus", "picky"]
    assert result["both"][["plus", "picky"]].to_numpy().tolist() == [[2, 1]]


def test_an_exception_that_cannot_be_printed() -> None:
    result = mm.run(mm.pipeline("data | mute", data=[1, 2], mute=toys.mute), max_failed=1)
    assert result.failed["message"].tolist() == ["(its message cannot be shown)"] * 2
    assert result.failed["error"].tolist() == ["Mute", "Mute"]


def test_logging_of_beam_does_not_set_up_the_root_logger() -> None:
    # In a new process, since pytest adds handlers to the root logger.
    done = subprocess.run(
        [sys.executable, "-c", LOUD], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["0", "0"]
    assert done.stderr.strip() == "from the user"


LOUD = """
import logging
import torch
import mmnotebook as mm

def loud(prediction):
    logging.getLogger("mine").warning("from the user")
    return 1

mm.register("gpu", torch.nn.Linear(2, 1), device="GPU")
print(len(logging.getLogger().handlers))
mm.run(mm.pipeline("data | gpu | loud", data=[[0.0, 1.0]], loud=loud))
print(len(logging.getLogger().handlers))
"""


@pytest.mark.parametrize(
    ("graph", "options", "says"),
    [
        ("data | plus", {}, "a pipeline's text is not a graph yet"),
        (3, {}, "expected a graph, not 3"),
        (chain([1]), {"runner": "dataflow"}, "runner='dataflow'; allowed: a Beam runner"),
        (chain([1]), {"options": 3}, "options=3; allowed: Beam's PipelineOptions or a dict"),
    ],
)
def test_arguments_of_another_kind(graph: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(RunError, match=says):
        mm.run(graph, **options)
    if not options:
        with pytest.raises(RunError, match=says):
            mm.explain(graph)


def test_a_value_that_cannot_be_stored() -> None:
    with pytest.raises(RunError) as caught:
        mm.run(mm.pipeline("data | letters", data=["a", "b"], letters=toys.letters))
    assert str(caught.value).startswith(
        "node 'letters': so far 2 of 2 elements failed: 2 × NotStorableError: a "
        "generator cannot be stored: TypeError: cannot pickle 'generator' object"
    )
    assert "a list in place of a generator" in str(caught.value)
    assert caught.value.node == "letters"
