"""The name of a pipeline in the notebook as a step of another pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from IPython.core.error import UsageError

import mmnotebook as mm

WRITTEN = 'features_halve = digits["x"] | map(halve)\nfeatures = features_halve | mlp\n'


@pytest.fixture
def features(notebook: Any) -> Any:
    notebook.run("import mmnotebook as mm\nother = digits.head(7)\n%mm_model mlp net")
    notebook.run('%%mm_pipeline features\nother["x"] | halve | mlp')
    return notebook


def test_a_step_computes_what_is_written_out(features: Any) -> None:
    features.run("%%mm_pipeline outer --run -o r\ndigits | features")
    features.run(f"%%mm_pipeline written --run -o w\n{WRITTEN}")
    graph, result = features.variables["outer"], features.variables["r"]
    assert graph == features.variables["written"]
    assert repr(graph) == WRITTEN.strip()
    assert result.nodes.elements_out.to_dict() == {
        "digits": 200,
        "features_halve": 200,
        "features": 200,
    }
    expected = features.variables["w"]["features"].prediction
    assert np.array_equal(np.stack(result["features"].prediction), np.stack(expected))


def test_at_the_start_of_a_line_it_has_its_own_data(features: Any) -> None:
    features.run("%mm_pipeline outer features --run -o r")
    assert len(features.variables["r"]["features"]) == 7


def test_given_objects_come_along(features: Any) -> None:
    features.run(
        "def double(value):\n    return value * 2\n"
        'inner = mm.pipeline("some | f | mlp", some=[1], f=double)\n'
        'taken = mm.pipeline("rows | inner", rows=list(data.data[:5]), inner=inner)\n'
        'plain = mm.pipeline("rows | mlp", rows=list(data.data[:5] * 2))'
    )
    taken, plain = (mm.run(features.variables[name]) for name in ("taken", "plain"))
    one, other = (np.stack(frame.prediction) for frame in (taken["inner"], plain["mlp"]))
    assert np.allclose(one, other)


def test_a_pipeline_does_not_take_its_own_place(features: Any) -> None:
    before = features.variables["features"]
    error, printed = features.fail("%mm_pipeline features digits | features | halve")
    assert isinstance(error, UsageError)
    assert "'features' is used in this pipeline; give the pipeline another name" in printed
    assert features.variables["features"] is before


def test_the_nearest_pipeline_is_named(features: Any) -> None:
    error, _ = features.fail("%mm_pipeline digits | featurs")
    assert isinstance(error, mm.GraphError)
    assert error.problems[0].nearest == "features"
