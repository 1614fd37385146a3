"""The number types that a torch module receives, which depend on its own call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mmnotebook as mm
from mmnotebook.errors import RunError


def run(model: Any, data: Any, text: str = "data | m", **options: Any) -> list[Any]:
    mm.register("m", model, **options)
    made = mm.run(mm.pipeline(text, data=data), progress=False)["m"]["prediction"]
    return [np.asarray(one).tolist() for one in made]


class ByType(nn.Module):
    """Scales uint8 images, as preprocessing in `forward` does."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x / 255.0 if x.dtype == torch.uint8 else x)


class Hashed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.arange(1000.0))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table[ids % 1000]


class OneHot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(nn.functional.one_hot(x, 4).float())


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.layer(x).masked_fill(~mask, -1.0)


class Both(nn.Module):
    """Uses one input as an index and multiplies the other."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(10, 2), nn.Linear(2, 2)

    def forward(self, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.table(ids) + self.layer(x)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (ByType(), np.array([[255, 0], [10, 20]], dtype="uint8")),
        (ByType(), np.array([[255.0, 0.5], [10, 20]])),
        (Hashed(), [16777217, 123456789]),
        (Hashed(), np.array([5, 2**40 + 1])),
        (OneHot(), [1, 3]),
    ],
)
def test_numbers_go_in_as_by_hand(model: Any, data: Any) -> None:
    given = torch.tensor(data)
    given = given.float() if given.is_floating_point() else given
    assert np.allclose(run(model, data), model(given).detach().numpy())


def test_booleans_stay_a_mask() -> None:
    model = Masked()
    data = [{"x": [1.0, 2.0], "mask": [True, False]}, {"x": [3.0, 4.0], "mask": [False, False]}]
    found = run(model, data)
    assert found[1] == [-1, -1] and found[0][0] != -1 == found[0][1]


CONV = nn.Sequential(nn.Conv2d(3, 2, 2), nn.BatchNorm2d(2), nn.Flatten()).eval()


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (nn.Linear(3, 1), [[1, 2, 3], [4, 5, 6]]),
        (nn.Linear(3, 1), np.array([[1, 2, 3]], dtype="uint8")),
        (nn.Linear(3, 1), np.array([[True, False, True]])),
        (nn.Linear(2, 1).half(), [[1, 2]]),
        (nn.Linear(2, 1).double(), [[2**40 + 1, 2]]),
        (nn.LayerNorm(3), [[1, 2, 3]]),
        (nn.Softmax(dim=-1), [[1, 2, 3]]),
        (torch.jit.script(nn.Linear(2, 1)), [[1, 2]]),
        (CONV, np.arange(24, dtype="uint8").reshape(2, 3, 2, 2)),
    ],
)
def test_whole_numbers_are_cast_where_the_module_takes_no_others(model: Any, data: Any) -> None:
    dtype = next((one.dtype for one in model.parameters()), torch.float32)
    expected = model(torch.tensor(data).to(dtype)).detach().float().numpy()
    assert np.allclose(run(model, data), expected, atol=1e-3)


def test_an_exported_program_is_given_its_own_type() -> None:
    layer = nn.Linear(2, 1)
    some = {0: torch.export.Dim("batch")}
    program = torch.export.export(layer, (torch.ones(2, 2),), dynamic_shapes=(some,))
    expected = layer(torch.tensor([[1.0, 2], [3, 4]])).detach().numpy()
    assert np.allclose(run(program, [[1, 2], [3, 4]]), expected, atol=1e-6)


def test_each_input_is_decided_by_itself() -> None:
    model = Both()
    data = pd.DataFrame({"ids": [1, 9], "x": [[1, 2], [3, 4]]})
    expected = model(torch.tensor([1, 9]), torch.tensor([[1.0, 2], [3, 4]]))
    assert np.allclose(run(model, data), expected.detach().numpy())


def test_a_value_that_the_dtype_cannot_hold_fails_alone() -> None:
    mm.register("m", nn.Linear(1, 1))
    graph = mm.pipeline("data | m", data=[*range(40), 2**24 + 1])
    result = mm.run(graph, progress=False)
    assert result.failed["id"].tolist() == ["40"]
    message = result.failed["message"][0]
    assert "16777217" in message and "float32" in message and "preprocess=" in message


def test_the_output_does_not_depend_on_the_batch() -> None:
    class Kind(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0 + float(x.dtype == torch.int64)

    mixed: list[Any] = [1, 2.5, 3, [1, 2], [1, 2.5], [3, 4]]
    assert run(Kind(), mixed) == [1, 0, 1, [1, 1], [0, 0], [1, 1]]


def test_a_wrong_shape_still_raises_its_error() -> None:
    mm.register("m", nn.Linear(3, 1))
    with pytest.raises(RunError, match="shapes cannot be multiplied"):
        mm.run(mm.pipeline("data | m", data=[[1, 2]]), progress=False)
