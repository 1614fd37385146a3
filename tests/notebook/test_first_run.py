"""The cell output of the first run in a kernel."""

from __future__ import annotations

from tests.notebook.conftest import Kernel

RUN = """
import mmnotebook as mm
data = [1, 2]
r = mm.run(mm.pipeline("data | abs"))
"""


def test_it_shows_its_progress_and_no_script(kernel: Kernel) -> None:
    assert kernel.run(RUN)["status"] == "ok"
    shown = kernel.of("display_data")
    assert shown and all("application/javascript" not in one["data"] for one in shown)
    assert all("http" not in text for one in shown for text in one["data"].values())
