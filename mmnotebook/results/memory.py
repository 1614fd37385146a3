"""A forecast of the number of model loads for every `max_models`, from the keys alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from mmnotebook.errors import ResultError, nearest
from mmnotebook.graph.models import registry
from mmnotebook.notebook_state import called
from mmnotebook.results.latest import expression_of
from mmnotebook.results.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

    from mmnotebook.results.results import Result

BATCHES = 32
"""A window has enough elements for this number of batches of each model."""
_MOST = 1 << 18


def window_rows(batches: Iterable[int]) -> int:
    """Return the number of elements per window, from the batch size of each model.

    Elements of a window are grouped by model. A window has many batches of each model, so that the
    last batch of a model, which may not be full, has little effect.
    """
    return max(1, min(BATCHES * sum(batches), _MOST))


def windows(models: Sequence[str], rows: int) -> Iterator[Sequence[str]]:
    """Yield the models of the elements of each window."""
    return (models[start : start + rows] for start in range(0, len(models), rows))


def uses(models: Sequence[str], rows: int) -> list[str]:
    """Return the models in the order of their calls; each model occurs once per window.

    Parameters
    ----------
    models
        The model of each element, in the order in which the elements arrive.
    rows
        The number of elements per window; see `window_rows`.
    """
    return [name for window in windows(models, rows) for name in dict.fromkeys(window)]


def loads(used: Iterable[Hashable], max_models: int) -> int:
    """Count the model loads if the `max_models` most recently used models stay loaded.

    Parameters
    ----------
    used
        The models in the order in which they are used.
    max_models
        The number of models that stay loaded, from 1.
    """
    return sum(_loads_by_model(_distances(used), max_models).values())


def _distances(used: Iterable[Hashable]) -> Counter[tuple[Hashable, int | None]]:
    """Count the uses of each model by distance: the number of other models used since its last use.

    The distance of a model's first use is None. A use loads the model unless its distance is less
    than `max_models`. Therefore, one pass is enough for all values of `max_models` (Mattson et al.,
    1970, "Evaluation techniques for storage hierarchies").
    """
    latest: list[Hashable] = []
    found: Counter[tuple[Hashable, int | None]] = Counter()
    for name in used:
        try:
            place = latest.index(name)
        except ValueError:
            found[name, None] += 1
        else:
            found[name, place] += 1
            del latest[place]
        latest.insert(0, name)
    return found


def _loads_by_model(
    distances: Mapping[tuple[Hashable, int | None], int], max_models: int
) -> Counter[Hashable]:
    counts: Counter[Hashable] = Counter()
    for (name, distance), count in distances.items():
        if distance is None or distance >= max_models:
            counts[name] += count
    return counts


@dataclass(frozen=True, repr=False)
class Forecast:
    """How often models will be loaded: the return value of `forecast`.

    Attributes
    ----------
    table
        A row for every `max_models`. Columns: max_models; loads_as_is, loads_grouped: model loads,
        with the elements in arrival order and grouped by model; seconds_as_is, seconds_grouped: the
        time of these loads, missing if no load was timed.
    recommendation
        The recommended setting, in one sentence.

    See Also
    --------
    mmnotebook.forecast : Compute a forecast; has an example.
    """

    table: pd.DataFrame
    recommendation: str

    def __repr__(self) -> str:
        shown = self.table.to_string(index=False, na_rep="–", float_format=lambda x: f"{x:.3g}")
        return f"{shown}\n\n{self.recommendation}"

    def _repr_html_(self) -> str:
        note = f"<div>{escape(self.recommendation)}</div>"
        return f'<div class="mm-forecast">{html_table(self.table, max_rows=50)}{note}</div>'


def forecast_of(
    models: Sequence[str], rows: int, load_seconds: Mapping[str, float] | None = None
) -> Forecast:
    """Forecast the loads for elements whose models are known.

    Parameters
    ----------
    models
        The model of each element, in the order in which the elements arrive.
    rows
        The number of elements per window.
    load_seconds
        The load time of each model. A model without a time gets the mean of the known times.
    """
    import pandas as pd

    distances = _distances(uses(models, rows))
    names = list(dict.fromkeys(models))
    each = _seconds(names, load_seconds or {})
    rows_of_table = []
    for most in range(1, len(names) + 1):
        counts = _loads_by_model(distances, most)
        rows_of_table.append(
            {
                "max_models": most,
                "loads_as_is": sum(counts.values()),
                "loads_grouped": len(names),
                "seconds_as_is": sum(each[str(name)] * count for name, count in counts.items()),
                "seconds_grouped": sum(each.values()),
            }
        )
    columns = {
        "max_models": "int64",
        "loads_as_is": "int64",
        "loads_grouped": "int64",
        "seconds_as_is": "float64",
        "seconds_grouped": "float64",
    }
    table = pd.DataFrame(rows_of_table, columns=list(columns)).astype(columns)
    return Forecast(table, _recommended(list(table["loads_as_is"]), len(names)))


def _seconds(names: Sequence[str], known: Mapping[str, float]) -> dict[str, float]:
    timed = [known[name] for name in names if name in known]
    mean = sum(timed) / len(timed) if timed else float("nan")
    return {name: known.get(name, mean) for name in names}


def _recommended(as_is: Sequence[int], models: int) -> str:
    if not models:
        return "No model is loaded, as there are no elements."
    if as_is[0] == models:
        return (
            "Any max_models works without grouping: "
            + ("the model" if models == 1 else f"each of the {models:,} models")
            + " is loaded once with the elements in arrival order."
        )
    enough = next(most for most, count in enumerate(as_is, 1) if count == models)
    smaller = f"max_models={enough - 1} loads {as_is[enough - 2]:,} times"
    if enough > 2:
        smaller += f", and max_models=1 {as_is[0]:,} times"
    return (
        f"group=True: {models:,} loads for any max_models. In arrival order, as few loads need "
        f"max_models={enough}; {smaller}."
    )


def calls_by_model(models: Sequence[str], batches: Mapping[str, int], rows: int) -> int:
    """Count the model calls if each window is divided into batches per model."""
    return sum(
        -(-count // batches[name])
        for window in windows(models, rows)
        for name, count in Counter(window).items()
    )


def calls_by_key(keys: Sequence[str], batch: int) -> int:
    """Count the model calls of Beam's keyed handler: a call per key in each batch."""
    return sum(len(set(keys[start : start + batch])) for start in range(0, len(keys), batch))


def grouped(keys: Sequence[str], models: Sequence[str]) -> tuple[list[str], list[str]]:
    """Group both lists by model, in the order of each model's first element."""
    places = {name: place for place, name in enumerate(dict.fromkeys(models))}
    order = sorted(range(len(models)), key=lambda place: places[models[place]])
    return [keys[place] for place in order], [models[place] for place in order]


def model_of(
    mapping: Mapping[Any, str] | Sequence[tuple[tuple[str, ...], str]],
) -> dict[str, str]:
    """Return the model of each key, from a dict of key or tuple of keys, or a node's `models`."""
    pairs = mapping.items() if isinstance(mapping, Mapping) else mapping
    each = ((keys if isinstance(keys, tuple) else (keys,), name) for keys, name in pairs)
    return {str(key): name for keys, name in each for key in keys}


def forecast(
    r_or_keys: Result | Sequence[Any],
    node: str | None = None,
    *,
    models: Mapping[Any, str] | None = None,
    default: str | None = None,
    batch_size: int | None = None,
) -> Forecast:
    """Forecast how often models will be loaded for every `max_models`, grouped or not.

    Parameters
    ----------
    r_or_keys
        A sequence of keys, or a `Result` with a keyed step. For a `Result`, the forecast uses the
        keys in arrival order, the batches and the load times of that run.
    node
        For a result: the keyed node. It is not needed if there is only one keyed node.
    models
        For a sequence of keys: a dict of key, or tuple of keys, to a model's name.
    default
        For a sequence of keys: the model of all keys that are not in `models`. By default these
        keys are ignored.
    batch_size
        For a sequence of keys: elements per call of a model that is registered without a batch
        size. Default: 64.

    Returns
    -------
    Forecast
        The forecast. It is exact for mmnotebook's own lowering on one worker, if no element fails
        in the models.

    Raises
    ------
    ResultError
        If the result has no such keyed node, or `models` is missing.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> forecast = mm.forecast(["de", "en", "de"], models={"de": "m1", "en": "m2"})
    >>> forecast.table[["max_models", "loads_as_is", "loads_grouped"]]
       max_models  loads_as_is  loads_grouped
    0           1            2              2
    1           2            2              2
    """
    from mmnotebook.results.results import Result

    if isinstance(r_or_keys, Result):
        name = _keyed_node(r_or_keys, node)
        measure = r_or_keys.measures[name]
        if measure.grouped:  # only the sources keep the order in which the elements arrived
            order = r_or_keys.rows(name)["model"].tolist()
        else:
            order = r_or_keys.elements(name).models()
        return forecast_of(order, measure.window_rows or 1, _load_seconds(r_or_keys))
    if models is None:
        raise ResultError(
            "models= is missing: it maps each key to a model",
            remedy='mm.forecast(keys, models={"a": "m1", ("b", "c"): "m2"})',
        )
    chosen = model_of(models)
    found = [chosen.get(str(key), default) for key in r_or_keys]
    names = dict.fromkeys([*chosen.values(), *([default] if default else [])])
    rows = window_rows(_batch_size(name, batch_size) for name in names)
    return forecast_of([name for name in found if name is not None], rows)


def _batch_size(name: str, default: int | None) -> int:
    registered = registry[name].batch_size if name in registry else None
    return registered or default or 64


def _load_seconds(result: Result) -> dict[str, float]:
    known = result.sketches.items()
    return {name: one.load_ms / 1000 for name, one in known if one.load_ms is not None}


def _keyed_node(result: Result, node: str | None) -> str:
    """Return the name of a keyed node that ran."""
    known = [name for name, one in result.measures.items() if one.window_rows is not None]
    if node is None and len(known) == 1:
        return known[0]
    if node in known:
        return str(node)
    close = nearest(str(node), known) if node is not None else None
    raise ResultError(
        f"node={node!r} does not name a keyed node; keyed nodes of this result: "
        f"{', '.join(known) or 'none'}" + (f"; did you mean {close!r}?" if close else ""),
        remedy=_how_to_forecast(result, known),
    )


def _how_to_forecast(result: Result, known: Sequence[str]) -> str:
    if not known:
        return "run a graph with a model per key: data | keyed({...}, by=...)"
    return f'{called("forecast")}({expression_of(result) or "result"}, "{known[0]}")'
