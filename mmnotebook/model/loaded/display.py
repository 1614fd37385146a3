"""The display of loaded models, and of the result of `unload`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from mmnotebook import sizes
from mmnotebook.model.loaded.leases import LoadedModel
from mmnotebook.results.tables import html_table

_TYPES = {
    "bytes": "int64",
    "parameter_bytes": "Int64",
    "device_bytes": "Int64",
    "in_use": "bool",
    "loads": "int64",
    "used": "int64",
}


@dataclass(frozen=True, repr=False)
class Unloaded:
    """The result of `unload`.

    Attributes
    ----------
    models
        The names of the models that were unloaded.
    bytes
        The size of their parameters in bytes, as far as known, including those on an accelerator.
    freed_bytes
        The measured decrease of the memory of this process, in bytes; negative if it grew.
    later
        The names of models that a run uses; they are unloaded when the run ends.
    asked
        The name that was passed; None for all models.
    weighed
        Whether the parameter sizes of all these models are known.
    """

    models: tuple[str, ...]
    bytes: int
    freed_bytes: int
    later: tuple[str, ...] = ()
    asked: str | None = None
    weighed: bool = True

    def __repr__(self) -> str:
        parts = []
        if self.models:
            fell = f"{sizes.text(self.freed_bytes)} lower" if self.freed_bytes > 0 else "not lower"
            weight = f"{sizes.text(self.bytes)} of parameters"
            if not self.weighed:
                weight = f"{weight} and others" if self.bytes else "parameters"
                weight += " of unknown size"
            parts.append(f"unloaded {', '.join(self.models)}: {weight}, resident memory {fell}")
        if self.later:
            several = len(self.later) > 1
            parts.append(
                f"{', '.join(self.later)} {'are' if several else 'is'} in use by a run and "
                f"{'are' if several else 'is'} unloaded when it ends"
            )
        if not parts:
            what = "no model" if self.asked is None else f"{self.asked} is registered, but not"
            parts.append(f"{what}{' is' if self.asked is None else ''} loaded: nothing to unload")
        return "; ".join(parts)


def table(entries: Sequence[LoadedModel]) -> pd.DataFrame:
    """Return a table with a row per model and numeric columns."""
    rows = [
        {
            "model": entry.label,
            "bytes": entry.host_bytes,
            "parameter_bytes": entry.weight.parameter_bytes,
            "device_bytes": entry.weight.device_bytes,
            "in_use": entry.leases > 0,
            "loads": entry.loads,
            "used": entry.leased,
        }
        for entry in entries
    ]
    return pd.DataFrame(rows, columns=["model", *_TYPES]).astype(_TYPES).set_index("model")


def text(entries: Sequence[LoadedModel], budget: int) -> str:
    """Format a line per model and a line with the sum; a sentence if there is no model."""
    if not entries:
        kept = sizes.text(budget)
        return f"no models are loaded; a run keeps the models that it loads, up to {kept}"
    rows = _rows(entries)
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*shown, _sum(entries, budget)])


def html(entries: Sequence[LoadedModel], budget: int) -> str:
    """Format the content of `text` as HTML."""
    if not entries:
        return f"<p>{escape(text(entries, budget))}</p>"
    frame = pd.DataFrame(_rows(entries)).set_index("model")
    below = f'<div style="opacity:.75">{escape(_sum(entries, budget))}</div>'
    return html_table(frame, max_rows=len(frame)) + below


def _rows(entries: Sequence[LoadedModel]) -> list[dict[str, str]]:
    return [
        {
            "model": entry.label,
            "bytes": sizes.text(entry.total_bytes) + (" on disk" if entry.is_file else ""),
            "device": "GPU" if entry.weight.device_bytes else "CPU",
            "state": _state(entry),
        }
        for entry in entries
    ]


def _state(entry: LoadedModel) -> str:
    if not entry.leases:
        return "warm"
    return "in use, unloaded afterwards" if entry.leaving else "in use"


def _sum(entries: Sequence[LoadedModel], budget: int) -> str:
    held = sum(entry.host_bytes for entry in entries)
    return f"{sizes.text(held)} of at most {sizes.text(budget)}, most recently used first"
