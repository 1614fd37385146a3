"""The warning that the elements after a transform have new ids."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from mmnotebook.beam.transforms.expansion import Expansion
from mmnotebook.compat import python
from mmnotebook.graph.graph import Graph


def warn(graph: Graph, decisions: Mapping[str, Any]) -> None:
    """Warn about each transform after which ids start anew, if a step follows it."""
    followed = {wire.node for node in graph for wire in node.inputs}
    for name, made in decisions.items():
        if isinstance(made, Expansion) and made.parts is None and name in followed:
            warnings.warn(
                f"node {name!r}: the ids of its elements start anew, because {made.reason}; so its "
                "outputs cannot be joined with those of earlier nodes, and have no fields of the "
                "source",
                stacklevel=python.user_stacklevel(),
            )
