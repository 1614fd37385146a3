"""Functions whose source is copied into a script, where it needs them.

They use only Beam, NumPy and the standard library.
"""

from __future__ import annotations

import collections
import datetime
import hashlib
import io
import json
import os
import pickle
import re

import numpy as np
import pandas as pd
import torch
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler, PredictionResult


def on_value(element, function, select=None):
    """Call a function with the value of an element."""
    key, value = element
    return key, function(pick(value, select))


def keep(element, function):
    """Return whether a function is true for the value of an element."""
    return bool(function(element[1]))


def picked(element, select):
    """Return an element with the selected fields of its value."""
    key, value = element
    return key, pick(value, select)


def children(element, function, select=None):
    """Yield each item that a function returns as an element with an id of its own."""
    key, value = element
    made = list(function(pick(value, select)))
    return [(f"{key}/{place}", child) for place, child in enumerate(made)]


def pick(value, select):
    """Return a field, several fields as one row, or all fields but some."""
    if select is None:
        return value
    value = inference(value)
    if isinstance(select, str):
        return value[select]
    if isinstance(select, dict):
        select = [name for name in value if name not in select["drop"]]
    return row_of([value[name] for name in select])


def row_of(cells):
    """Return cells as one NumPy row; numbers next to texts stay numbers."""
    texts = any(isinstance(cell, (str, bytes)) for cell in cells)
    return np.array(cells, dtype=object if texts else None)


def inference(value):
    """Return the output of a model; return any other value unchanged."""
    return value.inference if isinstance(value, PredictionResult) else value


def on_inference(element, function):
    """Call a function with the output of a model."""
    key, result = element
    return key, result._replace(inference=function(result.inference))


def argmax(output):
    """Return the position of the highest score."""
    return int(np.argmax(np.asarray(plain(output))))


def plain(value):
    """Convert a value to plain Python and NumPy values."""
    value = inference(value)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.item() if value.ndim == 0 else value
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    return value


def fraction(token, salt):
    """Hash a text to a number from 0 to 1 that is equal in every process."""
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    digest = hashlib.blake2b(token.encode(), key=key, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def token_of(value):
    """Return the text of a value that is hashed; equal numbers have equal texts."""
    value = plain(value)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime.date):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else repr(value)


def arm_by_hash(token, arms, salt):
    """Return the position of the arm whose share of the interval has the hash."""
    part, end = fraction(token, salt), 0.0
    for place, share in enumerate(arms.values()):
        end += share
        if part < end:
            return place
    return len(arms) - 1


def split_by_id(element, count, arms, salt, pins):
    """Return the position of an element's arm."""
    key = element[0]
    if key in pins:
        return list(arms).index(pins[key])
    return arm_by_hash(key, arms, salt)


def split_by_field(element, count, arms, salt, pins, field):
    """Return the position of an element's arm, by a field of its value."""
    key, value = element
    token = token_of(inference(value)[field])
    pinned = pins.get(key, pins.get(token))
    return list(arms).index(pinned) if pinned else arm_by_hash(token, arms, salt)


def split_by_function(element, count, arms, salt, pins, function):
    """Return the position of an element's arm, by a function of its value."""
    key, value = element
    token = token_of(function(value))
    pinned = pins.get(key, pins.get(token))
    return list(arms).index(pinned) if pinned else arm_by_hash(token, arms, salt)


def switched(element, count, arms, function):
    """Return the position of the arm that a function names."""
    return arms.index(plain(function(element[1])))


def joined(element, names, missing):
    """Return the outputs for one element as a dict, in a list; [] for none."""
    key, found = element
    outputs = {name: found[name][0] for name in names if found[name]}
    if len(outputs) < len(names) and missing == "skip":
        return []
    if len(outputs) < len(names) and missing == "fail":
        raise LookupError(f"no output of {sorted(set(names) - set(outputs))}")
    return [(key, outputs)]


def vote(outputs):
    """Return the label that most models returned; in a tie, the first one."""
    labels = [label_of(plain(output)) for output in outputs.values()]
    return collections.Counter(labels).most_common(1)[0][0]


def label_of(output):
    """Return a label; of several with scores, the one that scores best."""
    several = output if isinstance(output, list) else [output]
    if several and all(isinstance(one, dict) for one in several):
        return max(several, key=lambda one: one["score"])["label"]
    return output


def mean(outputs):
    """Return the mean of the models' outputs."""
    arrays = [np.asarray(plain(output), dtype=float) for output in outputs.values()]
    if len({array.shape for array in arrays}) > 1:
        raise ValueError("the outputs have different shapes")
    return plain(sum(arrays[1:], arrays[0]) / len(arrays))


def stack(outputs):
    """Return the models' outputs as one array, in order."""
    arrays = [np.asarray(plain(output)) for output in outputs.values()]
    return np.stack(arrays)


def with_example(element, to_example):
    """Return (element, input of the model), so that the element stays with it."""
    return element, to_example(element[1])


def confidence(output):
    """Return the confidence in scores: the highest probability."""
    scores = np.asarray(plain(output))
    if scores.dtype.kind != "f" or scores.ndim > 1 or not scores.size:
        raise ValueError(f"{output!r} has no confidence")
    scores = scores.astype(float).reshape(-1)
    if scores.size == 1:
        if not 0 <= scores[0] <= 1:
            raise ValueError(f"{output!r} has no confidence")
        return float(max(scores[0], 1 - scores[0]))
    if (scores >= 0).all() and abs(scores.sum() - 1) <= 1e-3:
        return float(scores.max())
    grown = np.exp(scores - scores.max())
    return float(grown.max() / grown.sum())


def is_unsure(pair, count, score, below):
    """Return 1 if the confidence in a prediction is below a bound, else 0."""
    return int(float(score(pair[1].inference)) < below)


def first_result(pair):
    """Return an element's id and the prediction for it."""
    element, result = pair
    return element[0], result


def again(pair, to_example):
    """Return an element's id and the input of another model for it."""
    (key, value), _ = pair
    return key, to_example(value)


def on_keyed_inference(element, functions):
    """Call the function of a key, if it has one, with the output of its model."""
    key, pair = element
    return key, on_inference(pair, functions[key]) if key in functions else pair


def keyed(element, key_of, keys, other, to_example):
    """Return (key of the model, (id, input of the model)) of an element."""
    key, value = element
    chosen = key_of(value)
    if chosen not in keys and other is None:
        raise LookupError(f"no model for the key {chosen!r}")
    chosen = chosen if chosen in keys else other
    return chosen, (key, to_example(chosen, value))


def field_key(value, field):
    """Return a field of a value as the text of a key."""
    return token_of(inference(value)[field])


def function_key(value, function, select=None):
    """Return the result of a function as the text of a key."""
    return token_of(function(pick(value, select)))


def pair_key(value):
    """Return the key of a (key, value) pair as text."""
    return token_of(value[0])


def ungrouped(group):
    """Yield the elements of a group, each with the key of the group."""
    key, elements = group
    for element in elements:
        yield key, element


def named_row(value, names):
    """Return the fields of a record that a model was trained on, in their order."""
    return row_of([value[name] for name in names]) if isinstance(value, dict) else value


def call_method(model, batch, inference_args=None, method="predict", columns=None):
    """Call a method of a scikit-learn estimator with a batch."""
    rows = np.stack(batch)
    if columns is not None:
        rows = pd.DataFrame(rows, columns=columns).infer_objects()
    return getattr(model, method)(rows, **(inference_args or {}))


class PickledModelHandler(ModelHandler):
    """Loads a pickled object; calls one of its methods with a batch."""

    def __init__(self, path, method, batch_size):
        super().__init__()
        self.path, self.method, self.batch_size = path, method, batch_size

    def load_model(self):
        with FileSystems.open(self.path) as file:
            return pickle.load(file)

    def batch_elements_kwargs(self):
        return {"min_batch_size": 1, "max_batch_size": self.batch_size}

    def validate_inference_args(self, inference_args):
        pass

    def run_inference(self, batch, model, inference_args=None):
        call = model if self.method is None else getattr(model, self.method)
        outputs = call(numbers_of(batch), **(inference_args or {}))
        for example, output in zip(batch, outputs, strict=True):
            yield PredictionResult(example, output)


def numbers_of(batch):
    """Return a batch of numbers as an array with a row per example."""
    kinds = (bool, int, float, np.generic, np.ndarray, list, tuple)
    rows = [plain(example) for example in batch]
    if not all(isinstance(row, kinds) for row in rows):
        return list(batch)
    rows = [np.asarray(row) for row in rows]
    if any(row.dtype.kind not in "biufc" for row in rows):
        return list(batch)
    return rows if len({row.shape for row in rows}) > 1 else np.stack(rows)


def as_tensor(value, dtype, keeps_integers=False):
    """Return a value as a tensor; numbers have the type of the model."""
    tensor = torch.as_tensor(np.asarray(plain(value)))
    whole = not tensor.is_floating_point()
    return tensor if whole and keeps_integers else tensor.to(getattr(torch, dtype))


def stored_rows(path, make_tensor=None):
    """Yield each element of a file of this folder as (id, value)."""
    with FileSystems.open(path) as file:
        for line in io.TextIOWrapper(file, encoding="utf-8"):
            key, value = json.loads(line)
            yield key, decoded(value, make_tensor)


def stored_tensors(path):
    """Yield each element of a file of this folder; its tensors are tensors again."""
    return stored_rows(path, torch.from_numpy)


def notebook_data(path):
    """Return the elements of a file of this folder, with their ids."""
    pairs = list(stored_tensors(path))
    keys, values = [key for key, _ in pairs], [value for _, value in pairs]
    if all(isinstance(value, dict) for value in values):
        return pd.DataFrame(values, index=keys)
    if keys != [str(place) for place in range(len(keys))]:
        raise ValueError("only records have ids of their own")
    return values


def decoded(value, make_tensor=None):
    """Return a stored value; arrays and tensors were stored with their type."""
    if isinstance(value, list):
        return [decoded(item, make_tensor) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        array = np.array(value["__array__"], dtype=value["dtype"])
        array = array.reshape(value["shape"])
        return make_tensor(array) if value.get("tensor") else array
    if "__tuple__" in value:
        return tuple(decoded(item, make_tensor) for item in value["__tuple__"])
    return {name: decoded(item, make_tensor) for name, item in value.items()}


def rows_of_files(pattern, id_field=None):
    """Yield each row of the files of a pattern as (id, record)."""
    top = root_of(pattern)
    for result in FileSystems.match([pattern]):
        for path in sorted(one.path for one in result.metadata_list):
            name = path.removeprefix(top).replace(os.sep, "/")
            for row, value in enumerate(rows_of_file(path)):
                key = f"{name}#{row}" if id_field is None else id_of(value[id_field])
                yield key, value


def root_of(pattern):
    """Return the folder of a pattern, which is no part of the ids of its rows."""
    before = re.split(r"[*?[]", pattern)[0]
    return before[: max(before.rfind("/"), before.rfind(os.sep)) + 1]


def id_of(value):
    """Return the text of an id."""
    return token_of(value) if isinstance(value, float) else str(value)


def rows_of_file(path):
    """Return the rows of a file, by its ending."""
    ending = path.rpartition(".")[2].lower()
    with FileSystems.open(path) as file:
        content = io.BytesIO(file.read())
    if ending == "csv":
        return pd.read_csv(content, low_memory=False).to_dict("records")
    if ending == "parquet":
        return pd.read_parquet(content).to_dict("records")
    if ending == "npy":
        return list(np.load(content, allow_pickle=False))
    return [json.loads(line) for line in content if line.strip()]


def as_json(element):
    """Return an element as a line of JSON: its id and its value."""
    key, value = element
    return json.dumps({"id": key, "value": listed(plain(value))})


def row_as_json(element):
    """Return an element of mm.compile_graph as a line of JSON: its id and its value."""
    return as_json((element[0].id, element[1]))


def as_row(element):
    """Return an element as a line of JSON: its id and its fields."""
    key, value = element
    column = "prediction" if isinstance(value, PredictionResult) else "value"
    value = listed(plain(value))
    fields = value if isinstance(value, dict) else {column: value}
    renamed = {"id_field" if name == "id" else name: fields[name] for name in fields}
    return json.dumps({"id": key, **renamed})


def listed(value):
    """Replace arrays and tuples by lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: listed(item) for name, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, (list, tuple)) else value


def failure(failed, node):
    """Return a failed element as a line of JSON."""
    element, (_, error, _) = failed
    return json.dumps({"node": node, "id": str(element[0]), "error": error})
