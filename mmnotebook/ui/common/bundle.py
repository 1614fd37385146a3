"""The built frontend. All widgets of a kind share one copy of the code and the style."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from ipywidgets import Widget, widget_serialization

from mmnotebook.compat.ipywidgets import is_open

_STATIC = Path(__file__).parents[1] / "static"
_shared: dict[str, Bundle] = {}
_lock = threading.Lock()


class Bundle(Widget):  # type: ignore[misc]  # ipywidgets has no types
    """The code and style of one kind of widget. A bundle itself is not displayed.

    Attributes
    ----------
    name
        The name of the files that were built from the sources under `frontend`.
    code, style
        The contents of the files.
    """

    name = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    style = traitlets.Unicode().tag(sync=True)


class BundledWidget(anywidget.AnyWidget):
    """A widget that is drawn by the code of a `Bundle`, which `frontend/src/loader.ts` fetches.

    Each instance sends only the loader to the browser and to a saved notebook, not the code.

    Attributes
    ----------
    bundle
        The name of the files.
    """

    bundle: ClassVar[str]
    _esm = _STATIC / "loader.js"
    _bundle: Any = traitlets.Instance(Bundle).tag(sync=True, **widget_serialization)

    @traitlets.default("_bundle")
    def _share(self) -> Bundle:
        return shared(self.bundle)


def shared(name: str) -> Bundle:
    """Return the kernel's bundle with this name; create it if it does not exist or was closed."""
    with _lock:
        bundle = _shared.get(name)
        if bundle is None or not is_open(bundle):
            code, style = (_read(f"{name}.{kind}") for kind in ("js", "css"))
            bundle = _shared[name] = Bundle(name=name, code=code, style=style)
        return bundle


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
