"""Hugging Face classifications: dicts with "label" and "score", or lists of such dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmnotebook.results.values import plain

_FIELDS = {"label", "score"}


class Labeled(NamedTuple):
    """A label and its score."""

    label: Any
    score: Any


def labeled(output: Any) -> Labeled | None:
    """Return the label of an output with its score; of several labels, the one that scores best.

    The result is None for an output of another form, such as detections with boxes.
    """
    value = plain(output)
    several = value if isinstance(value, list) else [value]
    found = [Labeled(one["label"], one["score"]) for one in several if _is_labeled(one)]
    if not found or len(found) < len(several):
        return None
    return max(found, key=lambda one: one.score)


def _is_labeled(value: Any) -> bool:
    if not isinstance(value, Mapping) or set(value) != _FIELDS:
        return False
    return isinstance(value["score"], (int, float)) and not isinstance(value["score"], bool)
