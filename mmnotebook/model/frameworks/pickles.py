"""Files that pickle or joblib wrote."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

from mmnotebook.model import framework

ENDINGS = (".pkl", ".pickle", ".joblib")


def load(name: str, path: Path) -> tuple[Any, str]:
    """Return the object in a file, and the library that wrote the file: "pickle" or "joblib"."""
    try:
        if path.suffix.lower() != ".joblib":
            # Many .pkl files were written by joblib; pickle cannot read all of these.
            with contextlib.suppress(pickle.UnpicklingError):
                return read(path, "pickle"), "pickle"
        return read(path, "joblib"), "joblib"
    except Exception as error:
        remedy = "save it with joblib.dump(estimator, path), in an environment like this one"
        raise framework.unloadable(name, path, error, remedy) from error


def read(path: Path, form: str) -> Any:
    """Return the object in a file; `form` is the library that wrote the file."""
    if form == "joblib":
        import joblib

        return joblib.load(path)
    with path.open("rb") as file:
        return pickle.load(file)
