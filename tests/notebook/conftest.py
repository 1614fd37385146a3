"""Fixtures with a real IPython shell in this process, and real kernels in separate processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from traitlets.config import Config

import mmnotebook as mm

if TYPE_CHECKING:
    from mmnotebook.ui.builder.builder import Builder

ROOT = Path(__file__).parents[2]
SECONDS = 120

SETUP = """
import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

data = load_digits()
digits = pd.DataFrame({"x": list(data.data.astype("float32")), "label": data.target}).head(200)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 10))
forest = RandomForestClassifier(5, random_state=0).fit(data.data, data.target)

def halve(value):
    return value / 2
"""


class Kernel:
    """A kernel, and its messages for the latest cell."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.outputs: list[dict[str, Any]] = []

    def run(self, code: str) -> dict[str, Any]:
        """Execute a cell and return the content of the reply; the outputs are in `outputs`."""
        self.outputs = []

        def keep(message: dict[str, Any]) -> None:
            if message["header"]["msg_type"] in (
                "display_data",
                "update_display_data",
                "execute_result",
                "error",
                "stream",
            ):
                self.outputs.append(message)

        reply = self.client.execute_interactive(code, timeout=SECONDS, output_hook=keep)
        content: dict[str, Any] = reply["content"]
        return content

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the contents of the latest outputs of one type."""
        return [m["content"] for m in self.outputs if m["header"]["msg_type"] == kind]

    def printed(self) -> str:
        return "".join(content["text"] for content in self.of("stream"))

    def complete(self, code: str) -> list[str]:
        """Return the completions at the end of the code."""
        content = self.client.complete(code, reply=True, timeout=SECONDS)["content"]
        matches: list[str] = content["matches"]
        return matches


def start_kernel(**variables: str) -> Iterator[Kernel]:
    """Start a kernel with these environment variables, and stop it at the end."""
    manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    manager.start_kernel(
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        extra_arguments=["--HistoryManager.enabled=False"],
    )
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


@pytest.fixture
def fresh_kernel() -> Iterator[Kernel]:
    """Start a new kernel."""
    yield from start_kernel()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Start a kernel with data, models, the magics and a cache, for a whole module."""
    for running in start_kernel(MMNOTEBOOK_CACHE=str(tmp_path_factory.mktemp("cache"))):
        assert running.run(SETUP + "%load_ext mmnotebook")["status"] == "ok"
        yield running


class Notebook:
    """IPython in this process."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.variables = shell.user_ns

    def run(self, code: str) -> CapturedIO:
        """Execute a cell that succeeds; return its output."""
        result, shown = self._run(code)
        result.raise_error()
        return shown

    def fail(self, code: str) -> tuple[BaseException, str]:
        """Execute a cell that fails; return its error and everything printed."""
        result, shown = self._run(code)
        assert not result.success
        assert result.error_in_exec is not None
        return result.error_in_exec, shown.stdout + shown.stderr

    def _run(self, code: str) -> tuple[ExecutionResult, CapturedIO]:
        with capture_output() as shown:
            result = self.shell.run_cell(code)
        return result, shown


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_cell(SETUP)
    yield shell
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


@pytest.fixture
def notebook(shell: InteractiveShell) -> Iterator[Notebook]:
    """Return IPython with data, models and the magics; variables of a test are deleted after it."""
    before = dict(shell.user_ns)
    shell.run_line_magic("load_ext", "mmnotebook")
    yield Notebook(shell)
    shell.run_line_magic("unload_ext", "mmnotebook")
    for name in set(shell.user_ns) - set(before):
        del shell.user_ns[name]
    shell.user_ns.update(before)


@pytest.fixture
def two_models(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Register the models `mlp` and `tree`, which receive `x`."""
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path))
    notebook.run("%mm_model mlp net --input x --output argmax\n%mm_model tree forest --input x")
    yield
    for name in list(mm.registry):
        mm.registry.remove(name)


@pytest.fixture
def builder() -> Iterator[Builder]:
    """Return a builder with an empty canvas."""
    made = mm.Builder()
    yield made
    made.close()
