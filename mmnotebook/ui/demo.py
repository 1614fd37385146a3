"""`python -m mmnotebook demo`: runs the A/B tutorial and writes one HTML file."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmnotebook.errors import MMError, one_line

if TYPE_CHECKING:
    from nbclient import NotebookClient
    from nbformat import NotebookNode

NOTEBOOK = "01_ab.ipynb"
NEEDED = ("nbclient", "nbconvert", "ipykernel", "sklearn")
INSTALL = 'python -m pip install "mmnotebook[demo]"'
# The tutorial assigns its result to r.
_TABLE = "print(r.models.to_string(float_format='{:.2f}'.format))"
_CELL_SECONDS = 600
Say = Callable[[str], None]


class DemoError(MMError):
    """The demo cannot run here, or one of its cells failed."""


def demo(out: Path, *, say: Say, notebook: Path | None = None) -> None:
    """Execute the A/B tutorial, report its per-model table, and write it as one HTML file.

    Parameters
    ----------
    out
        The HTML file. Only its owner can read it, and it needs no other files.
    say
        Called with each line of progress.
    notebook
        A notebook to execute instead; it must assign its result to `r`, too.

    Raises
    ------
    DemoError
        If a package or the notebook is missing, or a cell fails. After a failed cell, the HTML
        is written, too, and shows the error.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise DemoError(f"the demo needs {', '.join(missing)}", remedy=INSTALL)
    if not out.resolve().parent.is_dir():
        raise DemoError(f"no such folder: {str(out.resolve().parent)!r}", remedy="create it first")
    source = notebook or _find()
    import nbformat

    book = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory(prefix="mmnotebook-demo-") as folder:
        table, failure = _execute(book, Path(folder), say)
    _write(out, _html(book, source.stem))
    if failure:
        raise DemoError(failure, remedy=f"see {out.resolve()}")
    say("")
    say(table)
    say("")
    say(f"wrote {out.resolve()}")


def _find() -> Path:
    """Find the tutorial, in the source checkout or in the installation."""
    checkout = _checkout()
    folders = [] if checkout is None else [checkout / "notebooks"]
    folders.append(Path(sys.prefix) / "share" / "mmnotebook" / "notebooks")
    for folder in folders:
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    places = " or ".join(map(str, folders))
    raise DemoError(f"{NOTEBOOK} is not in {places}", remedy="install mmnotebook again")


def _checkout() -> Path | None:
    """Return the folder of the source checkout; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "setup.cfg").is_file() else None


def _execute(book: NotebookNode, folder: Path, say: Say) -> tuple[str, str | None]:
    """Execute a notebook in place; return its per-model table, and the error, if there was one."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = _client(book, folder)
    cells = [index for index, cell in enumerate(book.cells) if _is_code(cell)]
    number = 0
    try:
        with (
            client.setup_kernel(env=_environment(folder), cleanup_kc=True),
            _stopped_by_ctrl_c(client),
        ):
            for number, index in enumerate(cells, 1):
                first = book.cells[index].source.strip().splitlines()[0]
                say(f"[{number}/{len(cells)}] {first}")
                client.execute_cell(book.cells[index], index)
            return _table(client), None
    except CellExecutionError as error:
        return "", f"cell {number} of {len(cells)} failed: {error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        return "", f"cell {number} of {len(cells)} did not finish: {one_line(error)}"


@contextmanager
def _stopped_by_ctrl_c(client: NotebookClient) -> Iterator[None]:
    """Make Ctrl-C stop the client's kernel before KeyboardInterrupt is raised.

    A KeyboardInterrupt inside nbclient's event loop could leave the kernel running.
    """
    import psutil
    from nbclient.exceptions import DeadKernelError

    manager: Any = client.km
    kernel = psutil.Process(manager.provisioner.pid)
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        with suppress(psutil.NoSuchProcess):
            kernel.kill()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except DeadKernelError:
        if not stopped.is_set():
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if stopped.is_set():
        raise KeyboardInterrupt


def _is_code(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "code" and cell.source.strip())


def _client(book: NotebookNode, folder: Path) -> NotebookClient:
    """Create a client whose kernel is this Python, not one of the user's installed kernels."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    native = KernelSpecManager(kernel_dirs=[])
    return NotebookClient(
        book,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=native),
        kernel_name="python3",
        timeout=_CELL_SECONDS,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )


def _environment(folder: Path) -> dict[str, str]:
    """Return the kernel's environment: temporary files in `folder`, and this package's path."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    if checkout := _checkout():
        paths = [str(checkout), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def _table(client: NotebookClient) -> str:
    """Return the per-model table, printed by a cell that is then removed from the notebook."""
    from nbformat.v4 import new_code_cell

    client.nb.cells.append(new_code_cell(_TABLE))
    try:
        cell = client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1)
    finally:
        del client.nb.cells[-1]
    return "".join(output.get("text", "") for output in cell.outputs).rstrip()


def _html(book: NotebookNode, title: str) -> str:
    """Return the notebook as HTML, without the scripts that nbconvert loads from the internet."""
    from bs4 import BeautifulSoup
    from nbconvert import HTMLExporter

    with warnings.catch_warnings():
        # This output has only a widget. The next output has the static view of the widget.
        warnings.filterwarnings("ignore", message=".*widget-view.*is not able to be represented")
        html, _ = HTMLExporter(embed_images=True).from_notebook_node(
            book, {"metadata": {"name": title}}
        )
    soup = BeautifulSoup(html, "html.parser")
    for script in soup.find_all("script"):
        script.decompose()
    return str(soup)


def _write(out: Path, html: str) -> None:
    """Write the file atomically, readable by its user only."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=out.parent, suffix=".html", delete=False
    ) as file:
        file.write(html)
    Path(file.name).replace(out)
