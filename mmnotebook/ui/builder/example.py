"""Example data and models: scikit-learn's digits and two fast classifiers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from mmnotebook.errors import MMError
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import notebook_names
from mmnotebook.notebook_state import shell

_MODELS = ("logistic", "tree")


@dataclass(frozen=True)
class Example:
    """The names of the data and models that were added to the notebook.

    Attributes
    ----------
    fill
        The names by role, for the placeholders of templates.
    message
        A description for the user.
    """

    fill: dict[str, Any]
    message: str


def load() -> Example:
    """Assign the variable `digits` in the notebook, and register the models `logistic` and `tree`.

    Existing variables and models are not replaced: if a name is in use, the new object is called
    `digits_example` and so on.

    Raises
    ------
    MMError
        If scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        remedy = 'python -m pip install "mmnotebook[sklearn]"'
        raise MMError("the example needs scikit-learn", remedy=remedy)
    frame, models = _trained()
    data = _assign(frame)
    names = [_register(name, model) for name, model in zip(_MODELS, models, strict=True)]
    message = f"{data}: {len(frame):,} images of digits; {' and '.join(names)} are registered"
    return Example({"data": data, "models": names}, message)


def _trained() -> tuple[Any, list[Any]]:
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler
    from sklearn.tree import DecisionTreeClassifier

    bunch = load_digits()
    train = np.arange(len(bunch.target)) % 2 == 0
    scaled = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000))
    models = [scaled, DecisionTreeClassifier(random_state=0)]
    for model in models:
        model.fit(bunch.data[train], bunch.target[train])
    rest = ~train
    frame = pd.DataFrame({"x": list(bunch.data[rest]), "label": bunch.target[rest]})
    return frame, models


def _assign(frame: Any) -> str:
    known = notebook_names()
    name = next(name for name in _names("digits") if name not in known or _is_ours(known[name]))
    if (running := shell()) is not None:
        frame.attrs["mmnotebook"] = "example"
        running.user_ns[name] = frame
    return name


def _names(wanted: str) -> Iterator[str]:
    """Yield `digits`, `digits_example`, `digits_example_2`, …"""
    yield wanted
    yield f"{wanted}_example"
    yield from (f"{wanted}_example_{count}" for count in itertools.count(2))


def _is_ours(value: Any) -> bool:
    attrs = value.attrs if type(value).__name__ == "DataFrame" else {}
    return bool(attrs.get("mmnotebook") == "example")


_registered: dict[str, ModelSpec] = {}
"""The models of the example, by name."""


def _register(wanted: str, model: Any) -> str:
    from mmnotebook.model.registered.register import register

    free = (n for n in _names(wanted) if n not in registry or registry[n] is _registered.get(n))
    name = next(free)
    _registered[name] = register(name, model, input="x")
    return name
