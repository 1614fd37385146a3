"""No edit leaves a stale answer, in one process or after a restart; other edits use the cache."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.hunt import tables

ROOT = Path(__file__).parents[3]
AT_ONCE = 2  # kernels
PATIENCE = 600
QUICK = 16  # edits
REFUSED = 10  # edits that cannot be sent to a worker: they have no answer, so no stale one


class Quiet(SimpleHTTPRequestHandler):
    """A server for the files of a folder, without a log."""

    def log_message(self, *said: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Start a server for the folder `served`; yield the folder of the test and the address."""
    folder = tmp_path_factory.mktemp("hunt")
    (folder / "served").mkdir()
    handler = functools.partial(Quiet, directory=str(folder / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def hunted(name: str, places: Sequence[int], folder: Path, address: str) -> list[dict[str, Any]]:
    """Return the results of edits in one kernel, and in another one after it."""
    found = []
    for phase, cache in (("one process", name), ("restart", f"{name}-restart")):
        answer = folder / f"{cache}.json"
        order = {
            "places": list(places), "folder": str(folder / f"{name}-files"), "phase": phase,
            "answer": str(answer),
        }  # fmt: skip
        environ = {
            **os.environ, "MMNOTEBOOK_CACHE": str(folder / cache), "HUNT_SERVER": address,
            "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.runtime.hunt.hunting", json.dumps(order)]
        done = subprocess.run(
            command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found += json.loads(answer.read_text())
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return a row for each edit and run with a fault."""
    rows = [
        f"{one['place']:5} {one['run']:9} {one['fault']:8} {one['kind']}: {one['cells'][:100]}\n"
        f"      seen {one['seen'][:60]}, true {one['truth'][:60]}, {one['said'][:90]}"
        for one in found
    ]
    return "\n".join([f"{len(rows)} faults", *rows])


def never_run(found: Sequence[dict[str, Any]]) -> set[int]:
    """Return the edits that are refused in every run because they cannot be sent to a worker."""
    said: dict[int, list[bool]] = {}
    for one in found:
        is_refused = one["fault"] == "refused" and "cannot be sent to a worker" in one["said"]
        said.setdefault(one["place"], []).append(is_refused)
    return {place for place, refused in said.items() if all(refused)}


@pytest.fixture(scope="module")
def everything(server: tuple[Path, str]) -> list[dict[str, Any]]:
    """Run all parts, two at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        longest_first = reversed(tables.PARTS)
        parts = pool.map(lambda name: hunted(name, tables.places(name), *server), longest_first)
        return [one for part in parts for one in part]


@pytest.mark.slow
@pytest.mark.timeout(2 * len(tables.PARTS) * PATIENCE)
class TestAll:
    def test_no_answer_is_stale(self, everything: list[dict[str, Any]]) -> None:
        refused = never_run(everything)
        wrong = [
            one
            for one in everything
            if one["fault"] not in ("", "computed") and one["place"] not in refused
        ]
        assert not wrong, table(wrong)

    def test_few_cannot_be_sent_to_a_worker(self, everything: list[dict[str, Any]]) -> None:
        refused = never_run(everything)
        assert len(refused) <= REFUSED, table([o for o in everything if o["place"] in refused])

    def test_there_are_enough_edits(self, everything: list[dict[str, Any]]) -> None:
        refused = never_run(everything)
        asked = {
            one["place"]: one
            for one in everything
            if one["run"] in ("edited", "restarted") and one["place"] not in refused
        }
        changes = [one for one in asked.values() if one["expects"] != "same"]
        assert len(changes) >= 300 and len({one["kind"] for one in changes}) >= 60
        assert len(asked) - len(changes) >= 60
        assert 2 * len(tables.PARTS) <= 10  # kernels

    def test_edits_without_effect_use_the_cache(self, everything: list[dict[str, Any]]) -> None:
        computed = [one for one in everything if one["fault"] == "computed"]
        assert len({one["place"] for one in computed}) <= 3, table(computed)


def test_an_edit_of_each_of_many_kinds(server: tuple[Path, str]) -> None:
    """Run a sample of the edits that need no framework."""
    few = [place for name in ("code", "objects", "files") for place in tables.places(name)]
    found = hunted("quick", few[:: len(few) // QUICK], *server)
    wrong = [one for one in found if one["fault"]]
    assert len(found) >= QUICK and not wrong, table(wrong)
