"""A JupyterLab for the tests, and notebooks in it, controlled without the menus."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
SECONDS = 60
"""The time limit of an expectation, long enough for a busy machine."""
_START_S = 90
# For each application, its module, and the path under which it opens a notebook.
_APPLICATIONS = {
    "LabApp": ("jupyterlab", "lab"),
    "JupyterNotebookApp": ("notebook", "notebooks/{}"),
}
_OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--LabApp.extension_manager=readonly",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
)
# No news, no update checks, no autosave, and every cell in the page.
_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab, or Jupyter Notebook.

    Attributes
    ----------
    address
        `http://127.0.0.1:port`
    token
        The token that the server requires.
    root
        The folder that it serves, in which notebooks are written.
    app
        "LabApp" or "JupyterNotebookApp".
    """

    address: str
    token: str
    root: Path
    app: str = "LabApp"

    def write(self, name: str, sources: Sequence[str]) -> None:
        """Write a notebook with these code cells into the served folder."""
        cell: dict[str, Any] = {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        notebook = {
            "cells": [{**cell, "id": f"cell-{i}", "source": s} for i, s in enumerate(sources)],
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(notebook), encoding="utf-8")

    def write_foreign(self, path: str) -> None:
        """Write a saved notebook with its outputs as foreign.ipynb, not trusted."""
        notebook = json.loads((self.root / path).read_text(encoding="utf-8"))
        notebook["cells"][0]["source"] = "# not run here"  # the trusted content was different
        (self.root / "foreign.ipynb").write_text(json.dumps(notebook), encoding="utf-8")

    def open(self, page: Page, path: str) -> Notebook:
        """Open a notebook of the served folder and wait until its kernel is ready."""
        place = _APPLICATIONS[self.app][1].format(path)
        page.goto(f"{self.address}/{place}?token={self.token}&reset")
        page.wait_for_function("window.jupyterapp !== undefined", timeout=60_000)
        page.evaluate("async () => { await window.jupyterapp.restored; }")
        page.evaluate(
            """async path => {
                const {commands, shell} = window.jupyterapp;
                const open = {path, factory: "Notebook"};
                // Jupyter Notebook has opened it, and would open it in another window.
                const panel = shell.currentWidget?.context?.path === path
                    ? shell.currentWidget : await commands.execute("docmanager:open", open);
                await panel.context.ready;
                await panel.sessionContext.ready;
                window.mmPanel = panel;
            }""",
            path,
        )
        notebook = Notebook(page)
        notebook.wait_for_idle()
        return notebook


@dataclass(frozen=True)
class Notebook:
    """The notebook that is open in a page."""

    page: Page

    def run_all(self, timeout_s: float = 240) -> None:
        """Run all cells from the top; return when the last cell has run, or one has failed."""
        self.page.evaluate(
            """() => {
                window.mmRan = false;
                window.jupyterapp.commands.execute("notebook:run-all-cells")
                    .finally(() => { window.mmRan = true; });
            }"""
        )
        self.page.wait_for_function("window.mmRan", timeout=timeout_s * 1000)
        self.wait_for_idle()

    def wait_for_idle(self, timeout_s: float = 60) -> None:
        """Wait until the kernel is idle."""
        self.page.wait_for_function(
            'window.mmPanel.sessionContext.session?.kernel?.status === "idle"',
            timeout=timeout_s * 1000,
        )

    def cells(self) -> list[dict[str, Any]]:
        """Return the cells of the notebook's model, including outputs."""
        cells: list[dict[str, Any]] = self.page.evaluate(
            "() => window.mmPanel.content.model.toJSON().cells"
        )
        return cells

    def errors(self) -> list[str]:
        """Return `ValueError: text` for every cell that failed."""
        outputs = [output for cell in self.cells() for output in cell.get("outputs", ())]
        failed = [output for output in outputs if output["output_type"] == "error"]
        return [f"{output['ename']}: {output['evalue']}" for output in failed]

    def change_theme(self, name: str) -> None:
        """Change JupyterLab's theme and wait until it is applied."""
        self.page.evaluate(
            'theme => window.jupyterapp.commands.execute("apputils:change-theme", {theme})', name
        )
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def contrasts(self, selector: str) -> dict[str, float]:
        """Return the texts in outputs that match a selector, each with its lowest contrast."""
        script = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
        # JupyterLab's colors change over some frames; return the final ones.
        self.page.add_style_tag(content="* { transition: none !important; }")
        within = f":is({selector}):is(.jp-OutputArea-output *)"
        found: list[dict[str, Any]] = self.page.evaluate(script, within)
        found.sort(key=lambda item: item["contrast"], reverse=True)
        return {item["text"]: item["contrast"] for item in found}

    def unreadable(self) -> dict[str, float]:
        """Return the texts in drawings and tables with less contrast than WCAG 2 AA requires."""
        found = self.contrasts("svg text, td, th, p")
        return {text: round(value, 1) for text, value in found.items() if value < 4.5}

    def watch_commands(self) -> None:
        """Record the commands that JupyterLab executes from now on, except those of its router."""
        self.page.evaluate(
            """() => {
                window.mmDone = [];
                const own = id => id.startsWith("router:") || id === "apputils:load-statedb";
                window.jupyterapp.commands.commandExecuted.connect(
                    (_, {id}) => own(id) || window.mmDone.push(id));
            }"""
        )

    def commands(self) -> list[str]:
        """Return the commands that JupyterLab executed since the last call."""
        found: list[str] = self.page.evaluate("() => window.mmDone.splice(0)")
        return found

    def save(self) -> None:
        """Write the notebook with its outputs to the served folder."""
        self.page.evaluate("async () => { await window.mmPanel.context.save(); }")

    def shut_down(self) -> None:
        """Shut down the notebook's kernel."""
        self.page.evaluate("async () => { await window.mmPanel.sessionContext.shutdown(); }")


def chromium_flags() -> list[str]:
    """Return Chromium's arguments: no sandbox for root, no background requests."""
    return [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]


@contextmanager
def open_page(browser: Browser, width: int = 1400, height: int = 1000) -> Iterator[Page]:
    """Open a new page without stored data of others, and close it at the end."""
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@contextmanager
def start_lab(folder: Path, app: str = "LabApp") -> Iterator[Lab]:
    """Start a JupyterLab with its configuration below `folder`, and stop it at the end."""
    root = folder / "served"
    root.mkdir()
    lab = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), root, app)
    log = folder / "lab.log"
    command = [sys.executable, "-m", _APPLICATIONS[app][0], *_OPTIONS]
    command += [f"--{app}.expose_app_in_browser=True"]
    command += [f"--ServerApp.port={lab.address.rpartition(':')[2]}"]
    command += [f"--IdentityProvider.token={lab.token}", f"--ServerApp.root_dir={root}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(folder), cwd=folder, stdout=output, stderr=output
        )
    try:
        _wait_until_ready(lab, process, log)
        yield lab
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(folder: Path) -> dict[str, str]:
    """Return variables that keep JupyterLab and its kernels away from the user's files."""
    settings = folder / "settings"
    for name, values in _SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    return {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "MMNOTEBOOK_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
    }


def _wait_until_ready(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not _answers(lab):
        try:
            code = process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline:
                continue
            code = None
        state = f"not ready after {_START_S} s" if code is None else f"ended with code {code}"
        raise RuntimeError(f"JupyterLab {state}:\n{log.read_text(errors='replace')[-4000:]}")


def _answers(lab: Lab) -> bool:
    try:
        with urllib.request.urlopen(f"{lab.address}/api/status?token={lab.token}", timeout=5):
            return True
    except (URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
