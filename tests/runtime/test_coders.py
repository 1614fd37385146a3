"""Elements are equal after encoding and decoding, and the encoding is small."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmnotebook.elements import coders
from mmnotebook.elements.elements import Key

CODER = coders.ElementCoder()
DTYPES = [
    torch.bool, torch.uint8, torch.int16, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64, torch.complex64, torch.complex128,
]  # fmt: skip


def again(value: Any) -> Any:
    return CODER.decode(CODER.encode(value))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (2, 0)], ids=str)
def test_a_tensor_of_any_type_and_shape(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = (torch.randn(shape) * 5).to(dtype)
    back = again(tensor)
    assert back.dtype == dtype and back.shape == tensor.shape
    assert torch.equal(back, tensor)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_lazily_conjugated_and_negated_tensors(dtype: torch.dtype) -> None:
    tensor = torch.randn(5, dtype=dtype)
    assert torch.equal(again(tensor.conj()), tensor.conj().resolve_conj())
    assert torch.equal(again(tensor.conj().imag), tensor.conj().imag.resolve_neg())


def test_tensors_that_are_no_plain_numbers() -> None:
    sparse = torch.eye(3).to_sparse()
    assert torch.equal(again(sparse).to_dense(), torch.eye(3))
    quantized = torch.quantize_per_tensor(torch.ones(3), 0.5, 0, torch.qint8)
    assert torch.equal(again(quantized).dequantize(), torch.ones(3))


def test_parameters_and_what_needs_a_gradient() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    assert torch.equal(again(weight), torch.ones(3))
    assert torch.equal(again(weight * 2), torch.full((3,), 2.0))
    transposed = torch.arange(6.0).reshape(2, 3).T
    assert torch.equal(again(transposed), transposed)


@pytest.mark.parametrize(
    "big", [torch.zeros(1_000_000), np.zeros(1_000_000)], ids=["torch", "numpy"]
)
def test_a_view_brings_its_own_numbers_only(big: Any) -> None:
    assert len(CODER.encode(big[10:14])) < 500


def test_a_decoded_tensor_can_be_changed() -> None:
    back = again(torch.zeros(3))
    back += 1
    assert back.tolist() == [1, 1, 1]


NUMBERS = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.complex_number_dtypes()
    | hnp.datetime64_dtypes(endianness="=")
    | hnp.unicode_string_dtypes(endianness="=")
)


@given(hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, min_side=0, max_side=5)))
def test_any_array(array: np.ndarray[Any, Any]) -> None:
    back = again(array)
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == array.tobytes()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.text(), VALUES)
def test_any_plain_element(name: str, value: Any) -> None:
    element = (Key(name, name, None, (("f", 1),)), value)
    assert again(element) == element


def test_a_prediction_with_a_tensor_inside() -> None:
    key, result = again((Key("1", "1"), PredictionResult({"x": 1}, torch.ones(2), model_id="m")))
    assert key == Key("1", "1")
    assert isinstance(result, PredictionResult) and torch.equal(result.inference, torch.ones(2))


def test_other_picklers_are_left_alone() -> None:
    before = pickle.dumps(torch.ones(3))
    coders.dump(torch.ones(3), io.BytesIO())
    assert pickle.dumps(torch.ones(3)) == before
