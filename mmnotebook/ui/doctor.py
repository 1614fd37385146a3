"""`doctor`: what works on this machine, what is missing, and how to install it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Literal

from mmnotebook import cache_folder
from mmnotebook.errors import StorageError, one_line
from mmnotebook.notebook_state import has_kernel, shell

State = Literal["ok", "missing", "note"]

_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
_LOW_MEMORY = 2 << 30
_LOW_DISK = 2 << 30
# Distribution, its purpose, and the extra that installs it; None if every run needs it.
_PACKAGES: tuple[tuple[str, str, str | None], ...] = (
    ("apache-beam", "runs the pipelines", None),
    ("torch", "torch models", None),
    ("pandas", "results as tables", None),
    ("psutil", "memory per model", None),
    ("pyarrow", "parquet files", None),
    ("matplotlib", "plots", None),
    ("ipython", "the %mm_ magics", None),
    ("ipywidgets", "widgets in a notebook", None),
    ("anywidget", "widgets in a notebook", None),
    ("scikit-learn", "scikit-learn models, the demo's data", "sklearn"),
    ("onnxruntime", "ONNX models", "onnx"),
    ("xgboost", "XGBoost models", "xgboost"),
    ("lightgbm", "LightGBM models", "lightgbm"),
    ("catboost", "CatBoost models", "catboost"),
    ("tensorflow", "TensorFlow and Keras models", "tensorflow"),
    ("transformers", "Hugging Face models", "huggingface"),
    ("sentence-transformers", "sentence encoders", "sentence_transformers"),
    ("pillow", "folders of images", "images"),
    ("nbclient", "python -m mmnotebook demo", "demo"),
    ("nbconvert", "python -m mmnotebook demo", "demo"),
    ("jupyterlab", "notebooks in a browser", "lab"),
)


@dataclass(frozen=True)
class Check:
    """The finding of one check.

    Attributes
    ----------
    what
        What was checked.
    state
        "ok"; "missing"; or "note" for something that works, but could be improved.
    found
        The version or the number that was found.
    purpose
        What the checked item is used for.
    remedy
        How to get or improve the checked item; "" if there is nothing to do.
    required
        Whether every run needs it.
    """

    what: str
    state: State
    found: str
    purpose: str
    remedy: str = ""
    required: bool = False


@dataclass(frozen=True)
class DoctorReport:
    """The report of `doctor`; displayed as a table.

    Attributes
    ----------
    checks
        The findings, one for each check.

    See Also
    --------
    doctor : Check this machine.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> report = mm.doctor()
    >>> [check.what for check in report.checks if check.required and check.state == "missing"]
    []
    """

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that every run needs is available."""
        return not any(check.required and check.state == "missing" for check in self.checks)

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the table.

        Returns
        -------
        list of dict
            For each check: what, state ("ok", "missing" or "note"), found, what for, how to get it.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> [row["what"] for row in mm.doctor().rows()][:2]
        ['Python', 'apache-beam']
        """
        titles = {"purpose": "what for", "remedy": "how to get it"}
        names = [field.name for field in fields(Check) if field.name != "required"]
        return [
            {titles.get(name, name): getattr(check, name) for name in names}
            for check in self.checks
        ]

    def __repr__(self) -> str:
        rows = self.rows()
        table = [list(rows[0]), *(list(row.values()) for row in rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in table
        )

    def _repr_html_(self) -> str | None:
        try:
            import pandas as pd

            from mmnotebook.results.tables import html_table
        except ImportError:
            return None  # if pandas is missing, the text is shown instead, and reports this
        return html_table(pd.DataFrame(self.rows()), max_rows=len(self.checks))


def doctor() -> DoctorReport:
    """Check what this machine has for mmnotebook, without using the network.

    Returns
    -------
    DoctorReport
        Python, the packages, the GPU, free memory, the folders for temporary files and for the
        cache, and the kind of notebook or terminal, each with its state and the remedy.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> report = mm.doctor()
    >>> report.ok
    True
    >>> report.checks[0].what, report.checks[0].state
    ('Python', 'ok')
    """
    packages = (_package(*package) for package in _PACKAGES)
    disk = (*_temporary(), _cache())
    return DoctorReport((_python(), *packages, _cuda(), _memory(), *disk, _environment()))


def _python() -> Check:
    """Check whether the installed Beam supports this Python."""
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        classifiers = metadata("apache-beam").get_all("Classifier") or []
    except PackageNotFoundError:
        classifiers = []
    named = [text.rsplit(" ", 1)[-1] for text in classifiers if "Python :: 3." in text]
    supported = named or list(_PYTHONS)
    known = this in supported
    remedy = "" if known else f"use Python {', '.join(supported)}"
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", "ok" if known else "missing", found, "Beam supports it", remedy, True)


def _package(name: str, purpose: str, extra: str | None) -> Check:
    required = extra is None
    found = next(filter(None, map(_version, (name, f"{name}-cpu"))), None)
    if found is None:
        wanted = "mmnotebook" if required else f"mmnotebook[{extra}]"
        remedy = f'python -m pip install "{wanted}"'
        return Check(name, "missing", "–", purpose, remedy, required)
    return Check(name, "ok", found, purpose, required=required)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cuda() -> Check:
    purpose = "torch models with device GPU"
    try:
        import torch

        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    except (ImportError, OSError, RuntimeError) as error:
        return Check("CUDA device", "note", one_line(error, 60), purpose, "see torch")
    if devices:
        return Check("CUDA device", "ok", ", ".join(devices), purpose)
    remedy = "install a CUDA build of torch and a driver; without them, models run on the CPU"
    return Check("CUDA device", "note", "none", purpose, remedy)


def _memory() -> Check:
    purpose = "models and data"
    try:
        import psutil
    except ImportError as error:
        return Check("free memory", "note", one_line(error, 60), purpose, "see psutil")
    machine = psutil.virtual_memory()
    low = machine.available < _LOW_MEMORY
    found = f"{_gib(machine.available)} of {_gib(machine.total)}"
    remedy = "stop other programs, or use smaller models" if low else ""
    return Check("free memory", "note" if low else "ok", found, purpose, remedy)


def _temporary() -> Iterator[Check]:
    """Check the folder for temporary files: its space, and whether others could replace files."""
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    remedy = "set TMPDIR to a folder with more space" if free < _LOW_DISK else ""
    purpose = "models, sources and outputs of a run"
    found = f"{_gib(free)} in {folder}"
    yield Check("free disk", "note" if remedy else "ok", found, purpose, remedy)
    status = folder.stat()
    shared = bool(status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
    foreign = status.st_uid not in (0, os.getuid())
    safe = not (shared or foreign)
    found = "yes" if safe else f"others may rename files in {folder}"
    remedy = "" if safe else "set TMPDIR to a folder that only you can write"
    yield Check("private files", "ok" if safe else "note", found, purpose, remedy)


def _cache() -> Check:
    """Check the folder in which runs cache the outputs of nodes."""
    purpose = "outputs of nodes, so that nothing is computed twice"
    try:
        folder = cache_folder.chosen()
        cache_folder.check(folder)
    except ImportError as error:
        remedy = 'python -m pip install "mmnotebook"'
        return Check("cache", "note", one_line(error, 60), purpose, remedy)
    except StorageError as error:
        # Entries in a read-only folder are used; new entries are deleted when the kernel stops.
        is_read = error.errno == errno.EACCES and os.access(folder, os.R_OK | os.X_OK)
        state: State = "note" if is_read else "missing"
        return Check("cache", state, error.message, purpose, error.remedy or "", not is_read)
    found = f"{_gib(cache_folder.size(folder))} in {folder}"
    return Check("cache", "ok", found, purpose, required=True)


def _environment() -> Check:
    """Check the environment: a notebook's kernel, IPython in a terminal, or plain Python."""
    if shell() is None:
        remedy = "in a notebook: %load_ext mmnotebook"
        return Check("environment", "note", "plain Python", "the %mm_ magics need IPython", remedy)
    found = "a Jupyter kernel" if has_kernel() else "IPython in a terminal"
    return Check("environment", "ok", found, "the %mm_ magics need IPython")


def _gib(size: float) -> str:
    return f"{size / (1 << 30):.1f} GiB"
