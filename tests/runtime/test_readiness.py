"""`mm.check`, and the warning of `compile_graph`, about a graph for workers elsewhere."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import torch
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.beam.options import create
from mmnotebook.beam.readiness import places
from mmnotebook.clusters import probe
from mmnotebook.clusters.probe import WorkerReport

FLINK = mm.cluster("FlinkRunner", flink_master="host:8081", worker_pool="localhost:50000")


def notebook(text: str) -> dict[str, Any]:
    """Execute the text as a cell of a notebook; return its variables."""
    own: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(text), own)
    return own


def function(text: str) -> Any:
    return notebook(text)["f"]


def of(f: Any, where: mm.Cluster | None = FLINK, data: Any = (1.0, 2.0)) -> mm.Readiness:
    return mm.check(mm.pipeline("f = xs | map(f)", xs=list(data), f=f), where)


HARMLESS = [
    "def f(v): return v",
    "f = lambda v: v * 2",
    """
    import math, re, json
    def f(v):
        return json.dumps({"x": math.sqrt(v), "y": re.sub("a", "b", str(v))})
    """,
    """
    import numpy as np
    TABLE = np.arange(100.0)
    def f(v):
        rows = []
        for x in TABLE[:3]:
            rows.append(float(x) + v)
        return {"total": sum(rows), "mean": np.mean(rows)}
    """,
    """
    import io
    import numpy as np
    def f(v):
        buffer = io.BytesIO()
        np.save(buffer, np.array([v]))
        buffer.seek(0)
        return float(np.load(buffer)[0])
    """,
    """
    import tempfile
    def f(v):
        with tempfile.NamedTemporaryFile("w+") as file:
            file.write(str(v))
            file.seek(0)
            return file.read()
    """,
    """
    import torch
    SCALE = torch.ones(3)
    class Scaler:
        def __init__(self, by):
            self.by = by
        def __call__(self, v):
            return (SCALE * v * self.by).tolist()
    f = Scaler(2)
    """,
    """
    import pandas as pd
    def helper(v):
        return pd.Timestamp("2026-01-01") + pd.Timedelta(v, "D")
    def f(v):
        return str(helper(v))
    """,
    """
    import functools
    def scaled(v, by):
        return v * by
    f = functools.partial(scaled, by=3)
    """,
    """
    import logging
    log = logging.getLogger("mine")
    def f(v):
        log.warning("a value: %s", v)
        print(v)
        return v
    """,
    """
    import random
    def f(v):
        return random.Random(int(v)).random()
    """,
    """
    import numpy as np
    def f(v):
        return float(np.random.default_rng(int(v)).normal())
    """,
    "f = str",
    "f = len",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_nothing_is_said_of_harmless_code(text: str) -> None:
    data = ["a", "b"] if text == "f = len" else [1.0, 2.0]
    found = of(function(text), data=data)
    assert found.findings == ()
    assert found.ok


RISKY = {
    "COUNTS = {}\ndef f(v): COUNTS[v] = 1": "f changes 'COUNTS'",
    "ROWS = []\ndef g(v): ROWS.append(v)\ndef f(v): return g(v)": "g changes 'ROWS'",
    "n = 0\ndef f(v):\n    global n\n    n += 1\n    return n": "f changes 'n'",
    "def f(v): return open('/home/me/table.csv').read()": r"opens files \(open\): a worker",
    "import pathlib\ndef f(v): return pathlib.Path('a').read_text()": "opens files",
    "import pandas as pd\ndef f(v): return pd.read_csv('a.csv')": "opens files",
    "import os\ndef f(v): return os.environ['HOME']": "workers have other environment variables",
    "import os\ndef f(v): return os.getenv('HOME')": "workers have other environment variables",
    "import time\ndef f(v): return time.time()": "reads the clock .*: a bundle that is retried",
    "import datetime\ndef f(v): return datetime.datetime.now()": "reads the clock",
    "import random\ndef f(v): return random.random()": "draws random numbers",
    "import numpy as np\ndef f(v): return np.random.rand()": "draws random numbers",
    "import torch\ndef f(v): return torch.rand(1)": "draws random numbers",
    "import subprocess\ndef f(v): return subprocess.run(['ls'])": "may not have the same programs",
    "def f(v): return hash(str(v))": "each worker process has another value",
    "def f(v): return input()": "a worker has no user",
    "import socket\ndef f(v): return socket.create_connection(('h', 1))": "the same network",
}


@pytest.mark.parametrize(("text", "says"), RISKY.items())
def test_a_function_that_works_otherwise_elsewhere(text: str, says: str) -> None:
    found = of(function(text))
    assert [one.node for one in found.findings] == ["f"]
    assert re.search(says, found.findings[0].reason)
    assert found.findings[0].remedy
    assert found.ok is (says != "a worker has no user")
    assert of(function(text), mm.cluster("FnApiRunner")).findings == ()  # these workers are here


def test_a_declared_function() -> None:
    own = notebook(
        "import time\ndef f(v): return time.time()\nCOUNTS = {}\ndef g(v): COUNTS[v] = v"
    )
    assert of(mm.pure(own["f"])).findings == ()
    assert of(mm.pure(own["g"])).findings == ()
    (only,) = of(mm.depends(path="prices.csv")(function("def f(v): return v"))).findings
    assert "prices.csv" in only.reason


@pytest.mark.parametrize(
    "text",
    [
        "import threading\nLOCK = threading.Lock()\ndef f(v):\n    with LOCK:\n        return v",
        "ROWS = (x for x in [1])\ndef f(v): return next(ROWS)",
        "import os\nFILE = open(os.devnull, 'w')\ndef f(v): return FILE.write(v)",
    ],
)
@pytest.mark.parametrize("where", [None, FLINK, mm.cluster("FnApiRunner")])
def test_what_cannot_be_pickled(text: str, where: mm.Cluster | None) -> None:
    other = function("COUNTS = {}\ndef f(v): COUNTS[v] = 1")
    graph = mm.pipeline("xs | f | g", xs=[1], f=function(text), g=other)
    found = mm.check(graph, where)
    assert not found.ok
    assert found.findings[0].node == "f"
    assert "cannot be sent to a worker" in found.findings[0].reason
    is_here = where is not None and not where.is_elsewhere
    assert any(one.node == "g" for one in found.findings) is not is_here  # the check goes on


@pytest.mark.parametrize(
    "text",
    [
        "def f(v): return TABLE[0] + v",
        "def g(v): return TABLE[0] + v\ndef f(v): return g(v)",
        "def f(v, table=TABLE): return table[0] + v",
        "def make(table):\n    def f(v): return table[0] + v\n    return f\nf = make(TABLE)",
    ],
)
def test_a_large_value_that_goes_into_the_pipeline(text: str) -> None:
    start = "import numpy as np\nTABLE = np.zeros({})\n"
    (only,) = of(function(start.format(500_000) + text)).findings
    assert "brings 4.0 MB into the pipeline: " in only.reason
    assert "table" in only.reason.lower()
    assert of(function(start.format(5_000) + text)).findings == ()


def test_a_module_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_of_test.py").write_text("def g(v):\n    return v\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    texts = ["import beside_of_test\nf = beside_of_test.g"]
    texts += ["import beside_of_test\ndef f(v): return beside_of_test.g(v)"]
    texts += ["from beside_of_test import g\ndef f(v): return g(v)"]
    texts += ["def f(v):\n    import beside_of_test\n    return beside_of_test.g(v)"]
    for text in texts:
        found = of(function(text))
        (only,) = found.findings
        assert "uses the module 'beside_of_test', which is not installed" in only.reason
        assert not found.ok
    staged = mm.cluster("FlinkRunner", flink_master="host:8081", staging="s3://team/mm")
    assert of(function(texts[0]), staged).findings == ()
    own = mm.cluster("FlinkRunner", flink_master="host:8081", setup_file="./setup.py")
    assert of(function(texts[0]), own).findings == ()


def test_models_and_data_without_staging(models: Any) -> None:
    net = torch.nn.Linear(700, 700)
    mm.register("net", net)
    graph = mm.pipeline("xs | net", xs=list(np.zeros((900, 700), np.float32)))
    found = mm.check(graph, FLINK)
    assert [one.node for one in found.findings] == ["xs", "net"]
    assert "the data of the notebook is only on this machine" in found.findings[0].reason
    assert "the model 'net' is only on this machine" in found.findings[1].reason
    assert not found.ok
    staged = mm.cluster("FlinkRunner", flink_master="host:8081", staging="s3://team/mm")
    assert mm.check(graph, staged).findings == ()
    mm.register("net", torch.nn.Linear(2, 2))
    assert mm.check(mm.pipeline("xs | net", xs=[[1.0, 2.0]]), FLINK).findings == ()


def test_the_functions_of_a_model(models: Any) -> None:
    scale = function("COUNTS = {}\ndef f(v):\n    COUNTS[1] = v\n    return v")
    mm.register("net", torch.nn.Linear(2, 2), preprocess=scale)
    (only,) = mm.check(mm.pipeline("xs | net", xs=[[1.0, 2.0]]), FLINK).findings
    assert (only.node, only.reason.startswith("f changes 'COUNTS'")) == ("net", True)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("x\n1\n2\n")
    text = f'read("{rows}") | write("{tmp_path / "out.csv"}")'
    found = mm.check(mm.pipeline(text), FLINK)
    reasons = [f"{one.node} {one.severity}: {one.reason}" for one in found.findings]
    assert reasons[0].startswith("write error: writes to the local path")
    assert reasons[1].startswith("read warning: reads local files")
    shared = mm.cluster("FlinkRunner", flink_master="host:8081", staging=tmp_path)
    assert not any("local" in one.reason for one in mm.check(mm.pipeline(text), shared).findings)


def test_a_join_of_unknown_size(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("x\n1\n2\n")
    own = notebook("def f(v): return v\ndef g(v): return v")
    text = f'rows = read("{rows}")\nboth = rows | [f, g] | stack()'
    shared = mm.cluster("FlinkRunner", flink_master="host:8081", staging=tmp_path)
    found = mm.check(mm.pipeline(text, f=own["f"], g=own["g"]), shared).findings
    assert [one.node for one in found if "joins by id" in one.reason] == ["both"]
    known = mm.pipeline("xs | [f, g] | stack()", xs=[1], f=own["f"], g=own["g"])
    assert mm.check(known, shared).findings == ()


class Endless(beam.PTransform[Any, Any]):
    def expand(self, begin: Any) -> Any:
        made: Any = begin | beam.transforms.periodicsequence.PeriodicImpulse()
        return made | beam.Map(lambda v: 1)


def test_a_stream_without_windows() -> None:
    own = notebook("def f(v): return v\ndef g(v): return v")
    graph = mm.pipeline("xs | [f, g] | stack()", xs=Endless(), f=own["f"], g=own["g"])
    found = mm.check(graph, FLINK)
    (error,) = (one for one in found.findings if one.severity == "error")
    assert "unbounded and has no windows" in error.reason
    windows = Endless() | beam.WindowInto(beam.window.FixedWindows(1))
    graph = mm.pipeline("xs | [f, g] | stack()", xs=windows, f=own["f"], g=own["g"])
    assert mm.check(graph, FLINK).ok


def test_options_without_effect() -> None:
    f = function("def f(v): return v")
    options = {"flink_master": "host:8081", "requirements_file": "r.txt", "num_workers": 3}
    pool = mm.cluster("FlinkRunner", worker_pool="localhost:50000", **options)
    reasons = " ".join(one.reason for one in of(f, pool).findings)
    assert "requirements_file has no effect" in reasons
    assert "num_workers has no effect" in reasons
    image = mm.cluster("FlinkRunner", sdk_container_image="mine", **options)
    (only,) = of(f, image).findings
    assert "num_workers has no effect" in only.reason


def compiled(f: Any, runner: Any, **options: Any) -> list[str]:
    """Return the readiness warnings of `compile_graph`."""
    made = create(runner, options)
    graph = mm.pipeline("xs | map(f)", xs=[1.0], f=f)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mm.compile_graph(graph, beam.Pipeline(runner, options=made))
    found = [one for one in caught if issubclass(one.category, mm.ReadinessWarning)]
    assert all(one.filename == __file__ for one in found)
    return [str(one.message) for one in found]


def test_the_warning_of_compile_graph() -> None:
    pool = {"environment_type": "EXTERNAL", "environment_config": "localhost:2"}
    risky = function("COUNTS = {}\ndef f(v): COUNTS[v] = open('a')")
    (text,) = compiled(risky, PortableRunner(), job_endpoint="localhost:1", **pool)
    assert "2 findings" in text
    assert "f changes 'COUNTS'" in text
    assert "opens files" in text
    harmless = function("def f(v): return v")
    assert compiled(harmless, PortableRunner(), job_endpoint="localhost:1", **pool) == []
    assert compiled(risky, FnApiRunner()) == []
    here = {"job_endpoint": "localhost:1", "environment_type": "LOOPBACK"}
    assert compiled(risky, PortableRunner(), **here) == []


def test_the_probe() -> None:
    f = function("import numpy as np\ndef f(v): return np.sum(v)")
    found = mm.check(mm.pipeline("xs | f", xs=[1], f=f), mm.cluster("FnApiRunner"), probe=True)
    assert found.findings == ()
    assert found.worker is not None
    assert found.worker.python == "{}.{}.{}".format(*sys.version_info[:3])
    assert found.worker.packages == found.packages
    assert found.packages["numpy"] == importlib.metadata.version("numpy")
    assert (found.worker.memory or 0) > 1 << 28


def answer(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> list[str]:
    """Return the findings if the worker gives another answer than this process."""

    def ask(runner: Any, options: Any, packages: list[str]) -> WorkerReport:
        here = probe.here(packages)
        versions = {**here.packages, **changed.get("packages", {})}
        return WorkerReport(changed.get("python", here.python), versions, changed.get("memory"))

    monkeypatch.setattr(probe, "ask", ask)
    graph = mm.pipeline("xs | net", xs=[[1.0, 2.0]])
    return [f"{one.severity}: {one.reason}" for one in mm.check(graph, FLINK, probe=True).findings]


def test_a_worker_with_other_versions(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mm.register("net", torch.nn.Linear(2, 2))
    assert answer(monkeypatch) == []
    assert answer(monkeypatch, packages={"torch": ""}) == ["error: workers lack the package torch"]
    (only,) = answer(monkeypatch, packages={"numpy": "1.0"})
    assert only.startswith("warning: workers have numpy 1.0, this process has")
    (only,) = answer(monkeypatch, python="3.5.2")
    assert only.startswith("error: workers run Python 3.5.2")
    size = places.size_of(mm.registry["net"])
    assert answer(monkeypatch, memory=size) == []
    (only,) = answer(monkeypatch, memory=size - 1)
    assert only.startswith("error: its models have")


def test_a_probe_without_an_answer() -> None:
    nowhere = mm.cluster(
        "PortableRunner", job_endpoint="localhost:1", job_server_timeout=1, worker_pool="h:1"
    )
    found = mm.check(mm.pipeline("xs | map(f)", xs=[1], f=str), nowhere, probe=True)
    (only,) = found.findings
    assert only.reason.startswith("no worker answered the probe")
    assert not found.ok


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("data | plus",), "a pipeline's text is not a graph yet"),
        ((mm.pipeline("xs | map(f)", xs=[1], f=str), "FlinkRunner"), "where='FlinkRunner'"),
    ],
)
def test_arguments_of_another_kind(arguments: Any, says: str) -> None:
    with pytest.raises(mm.RunError, match=says):
        mm.check(*arguments)
    with pytest.raises(mm.RunError, match="probe=True needs a cluster"):
        mm.check(mm.pipeline("xs | map(f)", xs=[1], f=str), probe=True)


def test_how_the_findings_are_shown() -> None:
    found = of(function("def f(v): return open('<a>') and input()"))
    assert repr(found).startswith("not ready: 1 error, 1 warning\nerror: f: f reads user input")
    html = found._repr_html_()
    assert "<p>not ready: 1 error, 1 warning</p>" in html
    assert list(found.table.columns) == ["node", "severity", "reason", "remedy"]
    assert repr(of(function("f = str"))) == "ready: no findings"


LINES = {
    "v = v + 1": None,
    "v = len(str(v)) + BASE": None,
    "v = [v for _ in range(2)][0]": None,
    "v = helper(v)": None,
    "ROWS.append(v)": "changes 'ROWS'",
    "v = v + time.time()": "reads the clock",
    "v = v + random.random()": "draws random numbers",
    "v = str(os.environ.get('A'))": "reads the environment",
    "v = open(str(v))": "opens files",
}


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(LINES)), max_size=5), st.booleans())
def test_each_risk_of_random_code_and_no_other(lines: list[str], in_helper: bool) -> None:
    body = "\n".join(f"    {line}" for line in lines)
    text = "import os, random, time\nROWS, BASE = [], 1\ndef helper(v): return v\n"
    text += f"def g(v):\n{body}\n    return v\n"
    text += "def f(v): return g(v)" if in_helper else "f = g"
    reasons = " ".join(one.reason for one in of(function(text)).findings)
    for line, says in LINES.items():
        if says is not None:
            assert (says in reasons) is (line in lines), text
    assert bool(reasons) is any(LINES[line] for line in lines)
