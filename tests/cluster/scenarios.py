"""What the tests run in a process of its own, in a network namespace with an engine."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from apache_beam.runners.portability.portable_runner import PortableRunner

import mmnotebook as mm
from tests.cluster.namespaces import prism
from tests.runtime.test_ways_to_run import FUNCTIONS, PATTERNS, Adds


def patterns(folder: str, binary: str) -> dict[str, str]:
    """Return the difference between a run here and one there for each node; "" if none."""
    for name, number in (("one", 1.0), ("other", 2.0)):
        mm.register(name, Adds(number))
    staging = f"{folder}/shared/staging"
    Path(staging).mkdir(mode=0o700)
    lines = [f"{_name(name)} = {text}" for name, text in PATTERNS.items()]
    text = "\n".join(lines).replace("FOLDER", staging)
    graph = mm.pipeline(text, data=list(range(100)), **FUNCTIONS)
    settings: dict[str, Any] = {"progress": False, "max_failed": 0.5, "fresh": True}
    here = mm.run(graph, **settings)
    with prism(binary, folder) as options:
        runner = PortableRunner()
        there = mm.run(graph, runner=runner, options=options, staging=staging, **settings)
    found = {name: _differ(here[name], there[name]) for name in here}
    counts = ["elements_in", "elements_out", "failed"]
    found["counts"] = _differ(here.nodes[counts], there.nodes[counts])
    found["failed"] = _differ(here.failed, there.failed)
    models = ["predictions", "failed"]
    found["models"] = _differ(here.models[models], there.models[models])
    return found


def _name(text: str) -> str:
    return "pattern_" + "".join(one if one.isalnum() else "_" for one in text)


def _differ(here: pd.DataFrame, there: pd.DataFrame) -> str:
    try:
        pd.testing.assert_frame_equal(here, there)
    except AssertionError as error:
        return str(error)
    return ""


def _where(folder: str, options: dict[str, Any]) -> mm.Cluster:
    return mm.cluster(
        "PortableRunner",
        job_endpoint=options["job_endpoint"],
        worker_pool=options["environment_config"],
        staging=f"{folder}/shared/staging",
    )


def plus(x: float) -> float:
    return float(x) + 1


def slow(x: float) -> float:
    time.sleep(0.05)
    return float(x)


def fails(x: float) -> float:
    time.sleep(0.01)
    raise ValueError(f"bad {x}")


def sampled(folder: str, binary: str) -> dict[str, Any]:
    """Return what comes back of 20,000 elements with a sample of 500 and one node whole."""
    np.save(f"{folder}/shared/x.npy", np.arange(20_000.0))
    text = f'data = read("{folder}/shared/x.npy") | plus\nother = data | odd'
    graph = mm.pipeline(text, plus=plus, odd=FUNCTIONS["odd"])
    with prism(binary, folder) as options:
        where = _where(folder, options)
        result = mm.run(graph, on=where, keep=["other"], sample=500, progress=False)
        kept = mm.run(graph, on=where, sample=500, progress=False, fresh=True)
    try:
        refused = str(len(kept["data"]))
    except mm.ResultError as error:
        refused = str(error)
    tables = {name: kept.table(name).to_pandas() for name in kept}
    return {
        "names": list(kept),
        "whole": float(result["other"]["value"].sum()),
        "parquet": len(pd.read_parquet(str(result.table("other").path))),
        "counts": result.nodes["elements_out"].to_dict(),
        "sampled": {name: len(table) for name, table in tables.items()},
        "alike": all(table["id"].equals(tables["data"]["id"]) for table in tables.values()),
        "values": bool((tables["data"]["value"] == tables["read"]["value"] + 1).all()),
        "refused": refused,
        "repr": repr(kept.table("data")).splitlines()[-1],
    }


def stopped(folder: str, binary: str) -> dict[str, Any]:
    """Return the progress of a run before it is canceled, how it ended, and what of it is kept."""
    found: dict[str, Any] = {}
    np.save(f"{folder}/shared/x.npy", np.arange(4_000.0))
    graph = mm.pipeline(f'read("{folder}/shared/x.npy") | slow', slow=slow)
    with prism(binary, folder) as options:
        where = _where(folder, options)
        running = mm.run(graph, on=where, wait=False, progress=False)
        found["counted"] = _counts(running, 20)
        start = time.perf_counter()
        running.cancel()
        try:
            running.result(timeout=60)
        except mm.InterruptedRunError as error:
            found["canceled"] = str(error)
        found["seconds"] = time.perf_counter() - start
        bad = mm.pipeline(f'read("{folder}/shared/x.npy") | fails', fails=fails)
        try:
            mm.run(bad, on=where, progress=False)
        except mm.RunError as error:
            found["failed"] = str(error)
    return found


def _counts(running: Any, wanted: int) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        counted = int(running.progress["elements_in"].sum())
        if counted >= wanted or running.done:
            return counted
        time.sleep(0.2)  # until the engine counts
    return 0


def begun(folder: str, binary: str) -> dict[str, Any]:
    """Start a run, attach to it from another process, and return what that process has seen."""
    mm.register("adds", Adds(5.0))
    graph = mm.pipeline("data | slow | adds", data=[float(x) for x in range(100)], slow=slow)
    with prism(binary, folder) as options:
        running = mm.run(graph, on=_where(folder, options), wait=False, progress=False)
        counted = _counts(running, 1)
        code = "import json, sys; from tests.cluster import scenarios as s; "
        code += "print('\\n' + json.dumps(s.attached(*sys.argv[1:])))"
        arguments = (folder, json.dumps(options), running.run_id)
        seen = [_other(code, *arguments, *more) for more in ((), (running.key, "elsewhere"))]
        result = running.result()
    return {
        "counted": counted,
        "seen": seen,
        "here": result["adds"]["prediction"].tolist(),
    }


def _other(code: str, *arguments: str) -> Any:
    """Run code in another process, which has another cache."""
    cache = Path(arguments[0], "private", f"cache{len(arguments)}")
    environment = dict(os.environ)
    if len(arguments) > 3:
        environment["MMNOTEBOOK_CACHE"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def attached(folder: str, options: str, run_id: str, key: str = "", _: str = "") -> dict[str, Any]:
    """Attach to a run, and return its state and its result."""
    where = _where(folder, json.loads(options))
    refused = ""
    if key:
        try:
            mm.attach(run_id, where)
        except mm.StorageError as error:
            refused = str(error)
    run = mm.attach(run_id, where, key=key or None)
    result = run.result(timeout=90)
    return {
        "refused": refused,
        "rows": result["adds"]["prediction"].tolist(),
        "ids": result["adds"]["id"].tolist(),
        "nodes": result.nodes["elements_out"].to_dict(),
        "progress": run.progress["elements_out"].to_dict(),
    }


MODULE = """
from helper_of_mine import three

class Triples:
    def predict(self, batch):
        return [three() * x for x in batch]

def tripled(x):
    return three() * x
"""


def local_modules(folder: str, binary: str) -> dict[str, Any]:
    """Run a model and a function of a module that only this process can import."""
    own = Path(folder, "private", "own")
    own.mkdir()
    (own / "helper_of_mine.py").write_text("def three():\n    return 3\n")
    (own / "module_of_mine.py").write_text(MODULE)
    sys.path.insert(0, str(own))
    module = importlib.import_module("module_of_mine")
    mm.register("triples", module.Triples())
    graph = mm.pipeline("data | tripled | triples", data=[1, 2], tripled=module.tripled)
    with prism(binary, folder) as options:
        result = mm.run(graph, on=_where(folder, options), progress=False)
    return {"rows": result["triples"]["prediction"].tolist()}
