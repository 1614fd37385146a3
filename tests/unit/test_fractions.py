"""The error for split weights that do not add up to 1 suggests proportional fractions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.errors import GraphError
from mmnotebook.graph.checks import fractions, is_weights
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.notation.text import parse


def refused(text: str) -> str:
    with pytest.raises(GraphError) as info:
        parse(text)
    return str(info.value)


@pytest.mark.parametrize(
    ("given", "proposed"),
    [
        ("mlp=90, tree=10", "mlp=0.9, tree=0.1"),
        ("mlp=9, tree=1", "mlp=0.9, tree=0.1"),
        ("mlp=80, tree=15, forest=5", "mlp=0.8, tree=0.15, forest=0.05"),
        ("a=1, b=1, c=1", "a=0.334, b=0.333, c=0.333"),
        ("a=0.5, b=0.6", "a=0.455, b=0.545"),
        ("a=50, b=60", "a=0.455, b=0.545"),
        ("a=0.5, b=0.4", "a=0.556, b=0.444"),
        ("a=999999, b=1", "a=0.999999, b=0.000001"),
    ],
)
def test_the_fractions_are_proposed(given: str, proposed: str) -> None:
    said = refused(f"rows | split({given})")
    assert said.endswith(f"did you mean 'split({proposed})'?")
    assert parse(f"rows | split({proposed})")


def test_outputs_without_steps_are_proposed_as_such() -> None:
    said = refused('rows | split({"train": 80, "test": 20}, by="user")')
    assert "the fractions do not add up to 1" in said
    assert said.endswith('→ did you mean {"train": 0.8, "test": 0.2}?')


@pytest.mark.parametrize("given", ["a=0.9", "a=0, b=1", "a=0.9, b=-0.1", "a=1.5, b=-0.5"])
def test_other_mistakes_get_no_proportions(given: str) -> None:
    assert "did you mean" not in refused(f"rows | split({given})")


def test_a_graph_that_was_not_read_from_text_is_shown_them_too() -> None:
    split = Node("split", "split", (("arms", (("a", 3), ("b", 1))),), (Input("rows"),))
    graph = Graph((Node("rows", "source", (("data", "rows"),)), split))
    with pytest.raises(GraphError, match=r"did you mean 'split\(a=0.75, b=0.25\)'"):
        graph.validate()


positive = st.floats(1e-6, 1e6) | st.integers(1, 10**6)


@given(st.lists(positive, min_size=2, max_size=8))
def test_the_proposal_is_valid_and_close(parts: list[float]) -> None:
    value = tuple((f"m{place}", part) for place, part in enumerate(parts))
    found = fractions(value)
    if found is None:  # one of them is almost zero
        assert min(parts) / sum(parts) < 1e-9
        return
    assert is_weights(tuple((name, float(text)) for name, text in found.items()))
    for name, part in value:
        assert float(found[name]) == pytest.approx(part / sum(parts), rel=3e-3)
