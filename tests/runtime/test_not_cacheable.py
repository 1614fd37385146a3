"""Functions that are computed in every run: their reasons are in docs/howto/caching.md."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import torch

import mmnotebook as mm
from mmnotebook.sources import identity

PAGE = (Path(__file__).parents[2] / "docs/howto/caching.md").read_text("utf-8")
FOLDER = Path(tempfile.gettempdir()) / f"not-cacheable-{uuid.uuid4().hex}"
LARGE = Path(f"{FOLDER}-large")
LABELS = Path.home() / "no-such-folder"
seen: list[int] = []
total = 0
numbers = iter(range(1000))
open_file = open(os.devnull)  # noqa: SIM115, PTH123 - an open file is tested


def f_id_of(x: int) -> int:
    return id(x)


def f_hash_of(x: int) -> int:
    return hash(x)


def f_process(x: int) -> int:
    return os.getpid()


def f_threads_of_torch(x: int) -> int:
    return torch.get_num_threads()


def f_appends(x: int) -> int:
    seen.append(x)
    return len(seen)


def f_default(x: int, known: list[int] = []) -> int:  # noqa: B006 - a mutable default is tested
    known.append(x)
    return len(known)


def closure() -> Callable[[int], int]:
    counts = [0]

    def f_in_closure(x: int) -> int:
        counts[0] += 1
        return counts[0]

    return f_in_closure


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def f_count_up(self, x: int) -> int:
        self.count += 1
        return self.count


def f_assigns_global(x: int) -> int:
    global total
    total += x
    return total


def nonlocal_() -> Callable[[int], int]:
    total = 0

    def f_assigns_nonlocal(x: int) -> int:
        nonlocal total
        total += x
        return total

    return f_assigns_nonlocal


def f_iterates(x: int) -> int:
    return next(numbers)


def f_names_open_file(x: int) -> str:
    return open_file.name


def f_home(x: int) -> str:
    return str(Path.home())


def f_working_folder(x: int) -> str:
    return str(Path.cwd())


def f_temporary_folder(x: int) -> str:
    return tempfile.gettempdir()


def f_large_folder(x: int) -> str:
    return str(LARGE / str(x))


def f_environment(x: int) -> str | None:
    return os.environ.get("HOME")


def f_argv(x: int) -> int:
    return len(sys.argv)


def f_cpus(x: int) -> int | None:
    return os.cpu_count()


def f_clock(x: int) -> float:
    return time.time()


def f_draws(x: int) -> float:
    return random.random()


def f_draws_in_torch(x: int) -> float:
    return float(torch.nn.functional.dropout(torch.ones(8)).sum())


def f_writes(x: int) -> int:
    Path(f"{FOLDER}.txt").write_text(str(x))
    return x


def f_makes_folder(x: int) -> int:
    FOLDER.mkdir(exist_ok=True)
    return x


def f_copies(x: int) -> int:
    shutil.copy(__file__, f"{FOLDER}.txt")
    return x


def f_starts(x: int) -> int:
    return subprocess.run([sys.executable, "--version"], check=True).returncode


def f_uses_threads(x: int) -> int:
    thread = threading.Thread(target=str)
    thread.start()
    thread.join()
    return x


def f_evaluates(x: int) -> Any:
    return eval("x * 2")


def f_imports(x: int) -> str:
    return str(importlib.import_module("json").dumps(x))


def f_looks(x: int) -> int:
    return len(sys.modules)


def f_stack(x: int) -> int:
    return len(inspect.stack())


def f_asks(x: int) -> bool:
    return callable(input)


CAUSES: dict[str, tuple[Callable[[int], Any], str]] = {
    "id": (f_id_of, "f_id_of depends on the process (id)"),
    "hash": (f_hash_of, "f_hash_of depends on the process (hash)"),
    "getpid": (f_process, "f_process depends on the process (os.getpid)"),
    "num_threads": (
        f_threads_of_torch,
        "f_threads_of_torch depends on the process (torch.get_num_threads)",
    ),
    "append": (f_appends, "it modifies state that it keeps between calls"),
    "default_argument": (f_default, "it modifies state that it keeps between calls"),
    "in_closure": (closure(), "it modifies state that it keeps between calls"),
    "bound_method": (Counter().f_count_up, "it modifies state that it keeps between calls"),
    "global_": (f_assigns_global, "`total` is a global that f_assigns_global itself changes"),
    "nonlocal_": (nonlocal_(), "`total` is a variable that f_assigns_nonlocal itself changes"),
    "iterator": (f_iterates, "f_iterates uses an iterator, which cannot be fingerprinted"),
    "open_file_": (
        f_names_open_file,
        "f_names_open_file uses an open file, which cannot be fingerprinted",
    ),
    "home_folder": (f_home, "it may open files, but no such access was observed"),
    "cwd": (f_working_folder, "it may open files, but no such access was observed"),
    "gettempdir": (f_temporary_folder, "it may open files, but no such access was observed"),
    "large_folder": (f_large_folder, f"there are too many folders in {LARGE} to watch them"),
    "environ": (f_environment, "f_environment reads the environment (os.environ)"),
    "sys_argv": (f_argv, "f_argv reads the environment (sys.argv)"),
    "cpu_count": (f_cpus, "it queries the operating system (os.cpu_count)"),
    "time_": (f_clock, "f_clock reads the clock (time.time)"),
    "random_": (f_draws, "f_draws draws random numbers (random.random)"),
    "dropout": (f_draws_in_torch, "it drew random numbers (torch)"),
    "write_text": (f_writes, f"it writes files ({FOLDER.name}.txt)"),
    "mkdir": (f_makes_folder, "it changes files (mkdir)"),
    "copy": (f_copies, "it changes files (copyfile)"),
    "subprocess_": (f_starts, "f_starts starts other processes (subprocess.run)"),
    "threading_": (f_uses_threads, "f_uses_threads uses threads (threading.Thread)"),
    "eval_": (f_evaluates, "f_evaluates runs code that cannot be analyzed (eval)"),
    "import_module": (
        f_imports,
        "f_imports runs code that cannot be analyzed (importlib.import_module)",
    ),
    "sys_modules": (f_looks, "f_looks uses objects that cannot be analyzed (sys.modules)"),
    "inspect_stack": (f_stack, "f_stack uses objects that cannot be analyzed (inspect.stack)"),
    "input_": (f_asks, "f_asks reads user input (input)"),
}


def key(x: int) -> str:
    return hashlib.sha256(str(x).encode()).hexdigest()


def home_outside(x: int) -> str:
    return str(LABELS / str(x))


def home_and_file(x: int) -> bool:
    return (Path.home() / "no-such-file").exists()


def seeded(x: int) -> float:
    return float(np.random.default_rng(0).random()) + random.Random(0).random()


def seeded_torch(x: int) -> float:
    return float(torch.rand(1, generator=torch.Generator().manual_seed(0)))


def environment(x: int) -> str | None:
    return os.environ.get("HOME")


def cpus(x: int) -> int | None:
    return os.cpu_count()


def timed(x: int) -> int:
    started = time.perf_counter()
    return x if time.perf_counter() >= started else 0


def process(x: int) -> int:
    return subprocess.run([sys.executable, "--version"], check=True).returncode


def thread(x: int) -> int:
    f_uses_threads(x)
    return x


REMEDIES: dict[str, Callable[[int], Any]] = {
    "key": key,
    "home_outside": home_outside,
    "home_and_file": home_and_file,
    "environment_declared": mm.depends(value=lambda: os.environ.get("HOME"))(environment),
    "cpus_declared": mm.pure(cpus),
    "clock_declared": mm.pure(timed),
    "seeded": seeded,
    "torch_declared": mm.pure(seeded_torch),
    "process_declared": mm.pure(process),
    "threads_declared": mm.pure(thread),
}


@pytest.fixture(scope="module")
def why() -> dict[str, str]:
    """Return why each node was computed in the second of two equal runs."""
    functions = {name: function for name, (function, _) in CAUSES.items()} | REMEDIES
    text = "\n".join(f"rows | {name}" for name in functions)
    graph = mm.pipeline(text, rows=[1, 2, 3], **functions)
    for number in range(201):
        (LARGE / str(number)).mkdir(parents=True)
    mm.run(graph, progress=False)
    again = mm.run(graph, progress=False)
    assert again.failed.empty
    Path(f"{FOLDER}.txt").unlink()
    FOLDER.rmdir()
    shutil.rmtree(LARGE)
    return dict(again.why)


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_has_its_reason(name: str, why: dict[str, str]) -> None:
    assert why[name] == f"not cacheable: {CAUSES[name][1]}"


def test_explain_has_the_reasons_that_are_known_before_a_run() -> None:
    functions = {name: function for name, (function, _) in CAUSES.items()} | REMEDIES
    graph = mm.pipeline("\n".join(f"rows | {name}" for name in functions), rows=[1], **functions)
    reasons = mm.explain(graph).table.set_index("node")["reason"]
    shown = {
        name: reason.partition("; not cacheable: ")[2]
        for name, reason in reasons.items()
        if "not cacheable" in reason
    }
    assert shown.items() <= {name: reason for name, (_, reason) in CAUSES.items()}.items()
    assert len(shown) >= 10 and {"iterator", "time_"} <= shown.keys()


def test_explain_has_the_reason_of_an_upstream_node_and_reads_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("x\n1\n")
    monkeypatch.setattr(identity, "of_files", lambda plan: pytest.fail("the files were read"))
    graph = mm.pipeline(f"read({str(file)!r}) | clock | key", clock=f_clock, key=key)
    read, clock, after = repr(mm.explain(graph)).splitlines()
    reason = CAUSES["time_"][1]
    assert "not cacheable" not in read
    assert clock.endswith(f"; not cacheable: {reason}")
    assert after.endswith(f"; not cacheable: upstream node 'clock': {reason}")


def test_explain_has_the_reason_of_data_and_does_not_record_a_beam_transform() -> None:
    graph = mm.pipeline("rows | key\nmade | key", rows=[iter("ab")], made=Unread(), key=key)
    rows, after, made, _ = repr(mm.explain(graph)).splitlines()
    assert "; not cacheable: " in rows
    assert "; not cacheable: upstream node 'rows': " in after
    assert made == "made (source): a Beam transform"


class Unread(beam.PTransform):
    """A source that fails if it becomes part of a pipeline."""

    def expand(self, begin: Any) -> Any:
        raise AssertionError("the source was read")


@pytest.mark.parametrize("name", CAUSES)
def test_the_page_has_the_reason(name: str) -> None:
    function, reason = CAUSES[name]
    # The page calls each function f, and shows one example of each reason.
    general = reason.replace(function.__name__, "f").replace(str(LARGE), "/home/me")
    general = general.partition(" (")[0]
    assert f"`{general}" in PAGE or f"`` {general} ``" in PAGE


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_makes_it_cacheable(name: str, why: dict[str, str]) -> None:
    assert why[name] == "read from the cache"
