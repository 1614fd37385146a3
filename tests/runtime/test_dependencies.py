"""The observed dependencies of a node decide whether its entry is used again."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
import torch

import mmnotebook as mm
from mmnotebook.results.results import Result

CACHED = "read from the cache"


def run(f: Callable[[Any], Any], text: str = "d | f", **names: Any) -> Result:
    return mm.run(mm.pipeline(text, d=[1, 2, 3], f=f, **names), progress=False)


def values(result: Result, node: str = "f") -> list[Any]:
    return list(result[node]["value"])


def reader(path: Path) -> Callable[[Any], Any]:
    def f(x: int) -> int:
        return x + int(path.read_text())

    return f


def test_a_function_that_reads_a_file_is_cached_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("1")
    f = reader(path)
    assert values(run(f)) == [2, 3, 4]
    again = run(f)
    assert (values(again), again.why["f"]) == ([2, 3, 4], CACHED)
    path.write_text("5")
    changed = run(f)
    assert values(changed) == [6, 7, 8]
    assert changed.why["f"] == "the file more.txt that it reads changed"
    assert run(f).why["f"] == CACHED
    path.write_text("1")
    assert values(run(f)) == [2, 3, 4]


def test_equal_size_and_time_do_not_hide_a_change(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("1")
    stamp = path.stat()
    f = reader(path)
    run(f)
    path.write_text("2")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert values(run(f)) == [3, 4, 5]


def test_nodes_downstream_are_computed_too(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("1")
    f = reader(path)

    def double(x: int) -> int:
        return 2 * x

    text = "d | f | double"
    assert values(run(f, text, double=double), "double") == [4, 6, 8]
    assert run(f, text, double=double).why["double"] == CACHED
    path.write_text("5")
    changed = run(f, text, double=double)
    assert values(changed, "double") == [12, 14, 16]
    assert changed.why["double"] == "its input changed (f)"
    assert run(f, text, double=double).why["double"] == CACHED
    mm.cache.clear("f")  # and not found by its identity without the file
    path.write_text("1")
    assert values(run(f, text, double=double), "double") == [4, 6, 8]


def test_all_changes_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("1")
    f, text = reader(path), "d | f | g"
    run(f, text, g=lambda x: x)
    path.write_text("2")
    why = run(f, text, g=lambda x: -x).why["g"]
    assert why == "its function g changed and its input changed (f)"


def test_a_missing_file_is_a_dependency(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"

    def f(x: int) -> int:
        try:
            return x + int(path.read_text())
        except FileNotFoundError:
            return x

    assert values(run(f)) == [1, 2, 3]
    assert run(f).why["f"] == CACHED
    path.write_text("1")
    assert values(run(f)) == [2, 3, 4]
    path.unlink()
    assert values(run(f)) == [1, 2, 3]


def test_a_folder_that_is_listed_is_a_dependency(tmp_path: Path) -> None:
    def f(x: int) -> int:
        return x + len(list(tmp_path.glob("*.n")))

    assert values(run(f)) == [1, 2, 3]
    assert run(f).why["f"] == CACHED
    (tmp_path / "a.n").touch()
    assert values(run(f)) == [2, 3, 4]


def test_a_file_that_compiled_code_reads_is_a_dependency(tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text("v\n1\n")

    def f(x: int) -> int:
        table: pa.Table = pyarrow.csv.read_csv(str(path))
        return x + int(table["v"][0].as_py())

    assert values(run(f)) == [2, 3, 4]
    path.write_text("v\n2\n")
    assert values(run(f)) == [3, 4, 5]


def test_dependencies_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("1")
    run(reader(path))
    found = mm.cache.dependencies("f")
    assert list(found.columns) == ["kind", "name", "changed"]
    row = found[found["name"] == str(path)].iloc[0]
    assert (row["kind"], bool(row["changed"])) == ("file", False)
    path.write_text("2")
    found = mm.cache.dependencies("f")
    assert found.set_index("name")["changed"][str(path)]
    with pytest.raises(mm.StorageError, match="the cache has no entry for 'g'"):
        mm.cache.dependencies("g")


def test_a_function_that_reads_nothing_depends_on_nothing() -> None:
    run(lambda x: x + 1)
    assert mm.cache.dependencies("f").empty


SEED: Any = None


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.nn.functional.dropout(torch.ones(256)).tolist(),
        lambda: np.random.default_rng(SEED).normal(size=4).tolist(),
        lambda: random.Random(SEED).random(),
    ],
    ids=["torch", "numpy", "python"],
)
def test_a_random_function_is_computed_again(draw: Callable[[], Any]) -> None:
    def f(x: int) -> Any:
        return draw()

    first = run(f)
    second = run(f)
    assert values(first) != values(second)
    assert second.why["f"].startswith("not cacheable: ")
    assert first.why["f"].startswith("not cacheable: ")


class _Answers(BaseHTTPRequestHandler):
    asked = 0

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        type(self).asked += 1
        body = str(self.asked).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


_OTHER_KERNEL = """
import json, sys, urllib.request
import mmnotebook as mm

def ask(x):
    with urllib.request.urlopen({url!r}) as answer:
        return int(answer.read())

class Model:
    def predict(self, batch):
        return [ask(x) for x in batch]

mm.register("m", Model(), framework="python", version={version!r})
r = mm.run(mm.pipeline("d | [f, m]", d=[1, 2, 3], f=ask), progress=False)
again = mm.run(mm.pipeline("d | [f, m]", d=[1, 2, 3], f=ask), progress=False)
print(json.dumps([r.why, again.why]))
"""


def other_kernel(url: str, version: str | None) -> list[dict[str, str]]:
    script = _OTHER_KERNEL.format(url=url, version=version)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("version", [None, "1"])
def test_results_from_the_network_are_reused_in_their_kernel(url: str, version: str | None) -> None:
    first = other_kernel(url, version)
    assert first[0]["f"] != CACHED and first[1]["f"] == CACHED
    assert first[0]["m"] != CACHED and first[1]["m"] == CACHED
    second = other_kernel(url, version)
    assert second[0]["f"] == "it used the network, for the first time in this kernel"
    assert (second[0]["m"] == CACHED) is (version is not None)
    assert second[1]["f"] == CACHED


def test_a_function_that_writes_is_computed_each_time(tmp_path: Path) -> None:
    path = tmp_path / "log"

    def f(x: int) -> int:
        with path.open("a") as file:
            file.write("x")
        return x

    assert run(f).why["f"].startswith("not cacheable: ")
    run(f)
    assert path.read_text() == "x" * 6


def test_a_function_with_a_counter_is_computed_each_time() -> None:
    kept: list[int] = []

    def f(x: int) -> int:
        kept.append(x)
        return len(kept)

    def rewrites(x: int, table: dict[str, int] = {}) -> int:  # noqa: B006 - a common mistake, tested here
        table["n"] = table.get("n", 0) + x
        return table["n"]

    for function in (f, rewrites):
        for _ in range(2):
            why = run(function).why["f"]
            assert why == "not cacheable: it modifies state that it keeps between calls"


def test_state_that_is_only_read_is_cached() -> None:
    table, names = {"a": 1}, ["b"]

    def f(x: int) -> int:
        return x + table["a"] + len(names)

    run(f)
    assert run(f).why["f"] == CACHED


def test_code_outside_of_the_identity_makes_it_not_cacheable(tmp_path: Path) -> None:
    (tmp_path / "hidden_steps.py").write_text("def more(x):\n    return x + 1\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import hidden_steps  # type: ignore[import-not-found]

        table = {"hidden": "more"}

        def f(x: int) -> Any:
            return socket.__dict__.get("_x", sys.modules["hidden_" + "steps"].more)(x)

        assert hidden_steps.more(1) == 2 and table
        assert values(run(f)) == [2, 3, 4]
        hidden_steps.more = lambda x: x + 2
        assert values(run(f)) == [3, 4, 5]
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["hidden_steps"]


def test_urllib_is_seen_in_this_kernel(url: str) -> None:
    def f(x: int) -> int:
        with urllib.request.urlopen(url) as answer:
            return int(answer.read())

    first = run(f)
    again = run(f)
    assert again.why["f"] == CACHED and values(again) == values(first)
    kinds = list(mm.cache.dependencies("f")["kind"])
    assert "network" in kinds
