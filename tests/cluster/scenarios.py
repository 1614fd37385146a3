"""What the tests run in a process of its own, in a network namespace with an engine."""

from __future__ import annotations

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
    """Return the difference between a run here and one there for each pattern; "" if none."""
    for name, number in (("one", 1.0), ("other", 2.0)):
        mm.register(name, Adds(number))
    found = {}
    with prism(binary, folder) as options:
        for name, text in PATTERNS.items():
            used = {one: function for one, function in FUNCTIONS.items() if one in text}
            text = text.replace("FOLDER", f"{folder}/shared/staging")
            graph = mm.pipeline(f"out = {text}", data=list(range(100)), **used)
            found[name] = _compared(graph, options, f"{folder}/shared/staging")
    return found


def _compared(graph: mm.Graph, options: dict[str, Any], staging: str) -> str:
    settings: dict[str, Any] = {"progress": False, "max_failed": 0.5, "fresh": True}
    here = mm.run(graph, **settings)
    start = time.perf_counter()
    there = mm.run(graph, runner=PortableRunner(), options=options, staging=staging, **settings)
    print(round(time.perf_counter() - start, 1), file=sys.stderr)
    try:
        for name in here:
            pd.testing.assert_frame_equal(here[name], there[name])
        pd.testing.assert_frame_equal(here.failed, there.failed)
        counts = ["elements_in", "elements_out", "failed"]
        pd.testing.assert_frame_equal(here.nodes[counts], there.nodes[counts])
    except AssertionError as error:
        return str(error)
    return ""
