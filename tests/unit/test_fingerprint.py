"""Identities: of values, of functions, and of the nodes of a graph."""

from __future__ import annotations

import copy
import decimal
import math
import os
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import apache_beam as beam
import matplotlib
import networkx
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmnotebook.fingerprint.bytecode import read
from mmnotebook.fingerprint.identity import (
    Behind,
    Identity,
    Unknowable,
    changes,
    digest,
    digest_of_classes,
    digest_of_settings,
    identities,
)
from mmnotebook.graph.graph import Graph, Input, Node
from tests.unit.strategies import graphs

# --- values --------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.integers()
    | st.sampled_from([0.0, -0.0, 1.0, 2.0, math.nan, -math.nan, math.inf])
    | st.floats()
    | st.text(max_size=2)
    | st.binary(max_size=2)
    | st.complex_numbers(max_magnitude=3)
)
hashable = st.recursive(
    scalars, lambda inner: st.tuples(inner) | st.frozensets(inner, max_size=3), max_leaves=4
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(hashable, max_size=3)
        | st.sets(hashable, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
    ),
    max_leaves=8,
)


def comparable(value: Any) -> Any:
    """Return a value in a form that compares as `digest` should."""
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(comparable, value))
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(map(comparable, value))
    if isinstance(value, dict):
        return dict, comparable(list(value)), comparable(list(value.values()))
    return type(value), repr(value)


@given(values, values)
def test_equal_values_and_no_others_have_equal_digests(one: Any, other: Any) -> None:
    assert (digest(one) == digest(other)) == (comparable(one) == comparable(other))


@given(values)
def test_a_copy_has_the_same_digest(value: Any) -> None:
    assert digest(copy.deepcopy(value)) == digest(value)
    assert digest(pickle.loads(pickle.dumps([value, value]))) == digest([value, copy.copy(value)])


def test_a_digest_is_32_hex_digits_and_says_the_type() -> None:
    alike = [1, 1.0, True, "1", b"1", (1,), [1], {1}, frozenset({1}), {1: 1}, np.int64(1), 1 + 0j]
    alike += [np.array(1), np.array([1]), torch.tensor(1), torch.tensor([1]), bytearray(b"1"), -1]
    assert len({digest(value) for value in alike}) == len(alike)
    assert all(len(digest(value)) == 32 and int(digest(value), 16) for value in alike)


def test_zeros_have_a_sign_and_nan_is_nan() -> None:
    assert digest(0.0) != digest(-0.0) and digest([0.0]) != digest([-0.0])
    negative = -math.nan
    assert digest(math.nan) == digest(negative) == digest(float("inf") - float("inf"))
    assert digest([1.0, math.nan]) == digest([1.0, negative])


def test_the_order_of_a_dict_counts_and_that_of_a_set_does_not() -> None:
    assert digest({1: 2, 3: 4}) != digest({3: 4, 1: 2})
    names = [f"name {n}" for n in range(100)]
    assert digest(set(names)) == digest({*names[50:], *names[:50]})


def test_a_shared_value_is_equal_to_two_copies() -> None:
    row = [object(), [1]]
    assert digest([row, row]) == digest([row, [object(), [1]]])


def test_cycles_end() -> None:
    def ring(length: int) -> list[Any]:
        first: list[Any] = []
        last = first
        for _ in range(length - 1):
            last.append([])
            last = last[0]
        last.append(first)
        return first

    assert digest(ring(2)) == digest(ring(2)) != digest(ring(3))
    assert digest([ring(2), ring(2)]) == digest([shared := ring(2), shared])


def test_a_value_nested_too_deeply_is_unknowable() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Unknowable, match="it is nested too deeply"):
        digest(value)


DTYPES = ["?", "i1", ">i4", "u8", "f2", "f4", ">f8", "c8", "g", "M8[s]", "m8[D]", "U3", "S2", "V3"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype(dtype: str) -> None:
    array = np.arange(1, 7).astype("S2" if dtype == "V3" else dtype).astype(dtype).reshape(2, 3)
    assert digest(array) == digest(np.asfortranarray(array)) == digest(array.copy())
    assert digest(np.repeat(array, 2, axis=1)[:, ::2]) == digest(array)
    assert digest(array) != digest(array.T)
    assert digest(array) != digest(array.reshape(3, 2))
    changed = array.copy()
    changed[1, 2] = array[0, 0] if dtype != "?" else False
    assert digest(changed) != digest(array)
    assert digest(array[0, 0]) == digest(array.copy()[0, 0]) != digest(changed[1, 1:])
    assert digest(array[:0]) != digest(array[:, :0])


def test_padding_between_fields_does_not_count() -> None:
    dtype = np.dtype([("a", "i1"), ("b", "f8"), ("c", [("d", "i2"), ("e", "g")])], align=True)
    ones, zeros = np.full(dtype.itemsize * 2, 255, "u1").view(dtype), np.zeros(2, dtype)
    for rows in (ones, zeros):
        rows["a"], rows["b"], rows["c"]["d"], rows["c"]["e"] = 1, 2, 3, 4
    assert ones.tobytes() != zeros.tobytes()
    assert digest(ones) == digest(zeros) and digest(ones[0]) == digest(zeros[1])
    zeros["c"]["d"][1] = 0
    assert digest(ones) != digest(zeros)


def test_arrays_of_objects_and_of_other_classes() -> None:
    assert digest(np.array(["a", None, 1.5], object)) == digest(np.array(["a", None, 1.5], object))
    assert digest(np.array(["a", None], object)) != digest(np.array(["b", None], object))
    masked = [np.ma.array([1, 2], mask=mask) for mask in ([0, 1], [1, 0], [0, 1])]
    assert digest(masked[0]) == digest(masked[2]) != digest(masked[1])
    assert digest(np.matrix([[1]])) != digest(np.array([[1]]))


def test_tensors_of_every_dtype() -> None:
    found = {d for d in vars(torch).values() if isinstance(d, torch.dtype)}
    dtypes = [dtype for dtype in found if not str(dtype).startswith(("torch.q", "torch.bits"))]
    whole = torch.tensor([[1, 0, 1], [0, 1, 1]])
    known = {}
    for dtype in sorted(dtypes, key=str):
        try:
            tensor = whole.to(dtype)
        except (RuntimeError, NotImplementedError, TypeError):
            continue  # torch itself creates none of these
        assert digest(tensor) == digest(tensor.t().contiguous().t()) == digest(tensor.clone())
        known[str(dtype)] = digest(tensor)
        assert digest(tensor) != digest(whole[:, :2].to(dtype))
    assert {"torch.bfloat16", "torch.float8_e4m3fn", "torch.complex64"} <= set(known)
    assert len(set(known.values())) == len(known)


def test_tensors_of_other_layouts_and_kinds() -> None:
    plain = torch.eye(4)
    kinds: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda t: t,
        lambda t: torch.nn.Parameter(t),
        lambda t: t.clone().requires_grad_(),
        lambda t: t.to_sparse(),
        lambda t: t.to_sparse_csr(),
        lambda t: t.to_sparse_csc(),
        lambda t: t.to_sparse_bsr((2, 2)),
        lambda t: t.to_sparse_bsc((2, 2)),
        lambda t: t.to_mkldnn(),
        lambda t: t.to("meta"),
        lambda t: torch.nested.nested_tensor([t, t[:2]]),
        lambda t: torch.nested.nested_tensor([t, t[:2]], layout=torch.jagged),
    ]
    digests = [digest(kind(plain)) for kind in kinds]
    assert digests == [digest(kind(plain.clone())) for kind in kinds]
    assert len(set(digests)) == len(kinds)
    changed = [digest(kind(plain * 2)) for kind in kinds if kind(plain).device.type != "meta"]
    assert not set(digests).intersection(changed)


def test_a_conjugate_view_is_its_numbers() -> None:
    tensor = torch.tensor([1 + 2j])
    assert digest(tensor.conj()) == digest(torch.tensor([1 - 2j]))


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "real": [1.5, math.nan, -0.0],
            "text": ["a", None, "c"],
            "kind": pd.Categorical(["x", "y", "x"]),
            "time": pd.date_range("2020", periods=3, tz="UTC"),
            "maybe": pd.array([1, None, 3], dtype="Int64"),
            "string": pd.array(["a", None, "c"], dtype="string"),
            "period": pd.period_range("2020", periods=3, freq="D"),
            "sparse": pd.arrays.SparseArray([0, 0, 1]),
        },
        index=pd.Index(["r", "s", "t"], name="row"),
    )


def test_reading_a_frame_does_not_change_it() -> None:
    rows = frame()
    before = digest(rows)
    rows["new"] = rows["whole"] + rows["real"]
    rows[["whole", "real"]].describe()
    assert rows.values.shape == (3, 10) and rows.index.is_unique and rows["maybe"].sum() == 4
    assert digest(rows) != before
    assert digest(rows.drop(columns="new")) == before == digest(frame())


@pytest.mark.parametrize("column", list(frame()))
def test_each_cell_of_a_frame_counts(column: str) -> None:
    rows = frame()
    rows[column] = rows[column].iloc[[0, 0, 1]].array
    assert digest(rows) != digest(frame())
    assert digest(rows[column]) != digest(frame()[column])


def test_the_index_and_the_names_of_a_frame_count() -> None:
    rows = frame()
    others = [rows, rows.reset_index(), rows.rename(columns={"whole": "w"}), rows.rename_axis("x")]
    others += [rows.iloc[::-1], rows.set_index(["text", "whole"]), rows.set_index(["text", "real"])]
    assert len({digest(other) for other in others}) == len(others)


def test_cost_of_long_lists() -> None:
    """Check that a list of plain values is written at once, without an object per value."""
    from mmnotebook.fingerprint.walk import Walk

    walk = Walk()
    walk.token([[f"text {n}" for n in range(20_000)], list(map(float, range(20_000)))])
    assert len(walk._known) == 3


# --- the same in every process -------------------------------------------------------------------

BATTERY = '''
import collections, dataclasses, datetime, decimal, enum, fractions, functools, math, pathlib, re
import typing, uuid, zoneinfo
import numpy as np, pandas as pd, torch
from apache_beam.ml.inference.base import PredictionResult
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from mmnotebook.fingerprint.identity import digest

TABLE = {"a": {"x", "y", "z"}, "b": frozenset("lmnop")}

class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"
    def other(self): return Colour.BLUE if self is Colour.RED else Colour.RED

class Way(enum.IntFlag):
    UP = 1
    DOWN = 2

@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    tags: list = dataclasses.field(default_factory=list)
    def far(self): return math.hypot(self.x) > TABLE_SIZE

class Pair(typing.NamedTuple):
    left: int
    right: str = "r"

class Parent:
    def __init__(self):
        self.children = {Child(self), Child(self)}

class Child:
    __slots__ = ("parent", "__weakref__")
    def __init__(self, parent): self.parent = parent

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(3, 2)
        self.scale = torch.nn.Parameter(torch.randn(2))
    def forward(self, x): return self.inner(x) * self.scale

TABLE_SIZE = 3

def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
def crop(image, size=(2, 2), *, fill=None):
    """Cut."""
    if image in {"one", "two", "three"}:
        return [Colour.RED for _ in size if even(_)]
    return np.asarray(image)[: size[0]] if fill is None else TABLE["a"]
def adder(n):
    def add(x): return x + n
    return add
@functools.lru_cache
def slow(x): return math.sin(x)
@torch.no_grad()
def predict(x): return net(torch.as_tensor(x))

torch.manual_seed(0)
net = Net()
x = np.random.default_rng(0).random((60, 4))
y = (x[:, 0] > 0.5).astype(int)
words = ["a bc de", "de fg hi"]
battery = [
    {"b", "a", 1, (2, "x"), None}, frozenset({b"a", 1.5}), TABLE,
    pathlib.Path("/a/b"), re.compile("a+", re.I), slice(1, 2), range(3), ..., uuid.UUID(int=3),
    datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    decimal.Decimal("1.5"), fractions.Fraction(1, 3), collections.OrderedDict(a=1),
    collections.defaultdict(list, a=[1]), collections.Counter("abc"), collections.deque([1], 3),
    Colour.RED, Colour, Way.UP | Way.DOWN, Point(1.5), Point, Pair(1), Pair, Parent(),
    ValueError("x"), crop, even, [odd, even], {odd, even}, adder(1), slow, predict,
    Point(2.0).far, "x".join,
    functools.partial(crop, size=(1, 1)), len, str.upper, np.mean, np.add, torch.relu,
    torch.nn.functional.relu, torch.float32, np.dtype("f4"), list[int], int | None,
    torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.LSTM(8, 2)), net,
    torch.nn.TransformerEncoderLayer(8, 2), Net,
    RandomForestClassifier(5, random_state=0).fit(x, y),
    make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y),
    TfidfVectorizer().fit(words), [PredictionResult(x[0], 1, "m")],
    pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["x", "y"])}), pd.Timestamp("2020", tz="UTC"),
    pd.interval_range(0, 3), pd.NA,
]
for value in battery:
    print(digest(value), type(value).__name__)
'''


def run(text: str, seed: int, folder: Path) -> list[str]:
    """Return the output of a program, run as notebook cells in a new process."""
    program = "exec(compile(open(0).read(), '<cell>', 'exec'), vars(__import__('__main__')))"
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(folder), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        input=text,
        text=True,
        capture_output=True,
        env={**environment, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_process_finds_the_same_digests(tmp_path: Path) -> None:
    one = run(BATTERY, 1, tmp_path)
    other = run("pass\n\n" + BATTERY, 2, tmp_path)
    assert one == other
    assert len({line.partition(" ")[0] for line in one}) == len(one) > 50


def test_equal_models_are_equal_and_others_are_not() -> None:
    def net(seed: int, width: int = 8) -> torch.nn.Module:
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Dropout())

    assert digest(net(0)) == digest(net(0)) == digest(copy.deepcopy(net(0)))
    assert len({digest(net(0)), digest(net(1)), digest(net(0, 9)), digest(net(0).eval())}) == 4
    x = np.random.default_rng(0).random((60, 4))

    def forest(seed: int) -> Any:
        model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=seed))
        return model.fit(x, x[:, 0] > 0.5)

    assert digest(forest(0)) == digest(forest(0)) != digest(forest(1))
    assert digest(pickle.loads(pickle.dumps(forest(0)))) == digest(forest(0))


# --- functions -----------------------------------------------------------------------------------


def cell(text: str, **names: Any) -> dict[str, Any]:
    """Return the variables of a notebook after a cell."""
    notebook = {"__name__": "__main__", **names}
    exec(compile(text, "<cell>", "exec"), notebook)
    return notebook


def f_of(text: str, **names: Any) -> str:
    """Return the digest of f, which a cell defines."""
    return digest(cell(text, **names)["f"])


SAME = [
    ("def f(x): return x + 1", "\n\ndef f(x):\n    # plus one\n    return x + 1"),
    ("def f(x): return x + 1", "def f(x: int) -> int: return x + 1"),
    ("a = 1; b = 2\ndef f(x): return x + a", "a = 1; b = 3\ndef f(x): return x + a"),
    ("def g(x): return x\ndef f(x): return g(x)", "def f(x): return g(x)\ndef g(x): return x"),
    ("import math\ndef f(x): return math.pi", "import math, json\ndef f(x): return math.pi"),
    (
        "from math import sin\ndef f(x): return sin(x)",
        "from math import *\ndef f(x): return sin(x)",
    ),
]
OTHER = [
    ("def f(x): return x + 1", "def f(x): return x + 2"),
    ("def f(x): return x + 1", "def f(x): return x + 1.0"),
    ("def f(x): return x + True", "def f(x): return x + 1"),
    ("def f(x): return x - 1", "def f(x): return x + 1"),
    ("def f(x, y=1): return x", "def f(x, y=2): return x"),
    ("def f(x, *, y=1): return x", "def f(x, *, y=2): return x"),
    ("def f(x): return x.a", "def f(x): return x.b"),
    ("a = 1\ndef f(x): return x + a", "a = 2\ndef f(x): return x + a"),
    ("a = [1]\ndef f(x): return a", "a = (1,)\ndef f(x): return a"),
    ("def f(x): return x + a", "a = 2\ndef f(x): return x + a"),
    ("def f(x): return len(x)", "def len(x): return 1\ndef f(x): return len(x)"),
    ("def f(x): return [y + 1 for y in x]", "def f(x): return [y + 2 for y in x]"),
    (
        "def g(x): return x\ndef f(x): return g(x)",
        "def g(x): return -x\ndef f(x): return g(x)",
    ),
    (
        "def h(): return 1\ndef g(x): return h()\ndef f(x): return [g(y) for y in x]",
        "def h(): return 2\ndef g(x): return h()\ndef f(x): return [g(y) for y in x]",
    ),
    (
        "def make(n):\n def f(x): return n\n return f\nf = make(1)",
        "def make(n):\n def f(x): return n\n return f\nf = make(2)",
    ),
    (
        "class A:\n def go(self): return 1\ndef f(x): return A().go()",
        "class A:\n def go(self): return 2\ndef f(x): return A().go()",
    ),
    (
        "class A: n = 1\ndef f(x): return A.n",
        "class A: n = 2\ndef f(x): return A.n",
    ),
    (
        "class B: n = 1\nclass A(B): pass\ndef f(x): return A",
        "class B: n = 2\nclass A(B): pass\ndef f(x): return A",
    ),
    (
        "class A:\n def __init__(self): self.n = 1\ndef f(x): return A()",
        "class A:\n def __init__(self): self.n = 2\ndef f(x): return A()",
    ),
    (
        "class A:\n def __call__(self, x): return 1\nf = A()",
        "class A:\n def __call__(self, x): return 2\nf = A()",
    ),
    ("def f(n): return f(n - 1) if n else 1", "def f(n): return f(n - 1) if n else 2"),
    (
        "def f(n): return g(n)\ndef g(n): return f(n) or 1",
        "def f(n): return g(n)\ndef g(n): return f(n) or 2",
    ),
    (
        "import functools\n@functools.lru_cache\ndef f(x): return 1",
        "import functools\n@functools.lru_cache\ndef f(x): return 2",
    ),
    (
        "import torch\n@torch.no_grad()\ndef f(x): return 1",
        "import torch\n@torch.no_grad()\ndef f(x): return 2",
    ),
    (
        "from functools import partial\ndef g(x, y): return 1\nf = partial(g, y=1)",
        "from functools import partial\ndef g(x, y): return 1\nf = partial(g, y=2)",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_edits_that_keep_the_digest_of_a_function(one: str, other: str) -> None:
    assert f_of(one) == f_of(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_edits_that_change_the_digest_of_a_function(one: str, other: str) -> None:
    assert f_of(one) == f_of("\n" + one) != f_of(other)


def test_functions_that_call_each_other() -> None:
    text = "def f(n): return g(n)\ndef g(n): return f(n), h(n)\ndef h(n): return f(n), g(n), h(n)\n"
    names, again = cell(text), cell(text)
    assert digest(names["f"]) == digest(again["f"])
    assert digest([names["g"], names["f"]]) == digest([again["g"], again["f"]])
    assert digest({names["g"], names["f"]}) == digest({again["f"], again["g"]})


def test_a_digest_shows_that_a_function_has_changed_what_it_reads() -> None:
    f = cell("seen = []\ndef f(x): seen.append(x)")["f"]
    before = digest(f)
    f(1)
    assert digest(f) != before


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Return a function that writes a module beside the notebook and imports it again."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written: set[str] = set()

    def write(text: str, name: str = "mm_helpers") -> ModuleType:
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        written.add(name)
        return __import__(name)

    yield write
    for name in written:
        sys.modules.pop(name, None)


HELPERS = "K = 1\nL = 2\ndef g(x): return x + K\ndef h(x): return x\nclass A:\n n = 1\n"
USES = [
    "import mm_helpers\ndef f(x): return mm_helpers.g(x)",
    "import mm_helpers as m\ndef f(x): return [m.g(y) for y in x]",
    "from mm_helpers import g\ndef f(x): return g(x)",
    "def f(x):\n import mm_helpers\n return mm_helpers.g(x)",
    "def f(x):\n from mm_helpers import g as k\n return k(x)",
    "import mm_helpers as n\ndef make(m):\n def f(x): return m.g(x)\n return f\nf = make(n)",
]


@pytest.mark.parametrize("use", USES)
def test_a_module_of_the_users_counts_by_what_is_used_of_it(
    use: str, helpers: Callable[..., ModuleType]
) -> None:
    helpers(HELPERS)
    before = f_of(use)
    for text in ("K = 2", "def g(x): return x - K"):
        helpers(HELPERS + text)
        assert f_of(use) != before
    for text in ("L = 3", "def h(x): return -x"):
        helpers(HELPERS + text)
        assert f_of(use) == before


def test_modules_that_import_each_other(helpers: Callable[..., ModuleType]) -> None:
    other = "import mm_helpers\ndef back(x): return mm_helpers.again.back(x)\nN = {}"
    use = "import mm_helpers\ndef f(x): return mm_helpers.again.back(x) + mm_helpers.again.N"

    def both(number: int) -> str:
        helpers("", "mm_helpers")
        helpers(other.format(number), "mm_again")
        sys.modules["mm_helpers"].again = sys.modules["mm_again"]  # type: ignore[attr-defined]
        return f_of(use)

    assert both(1) == both(1) != both(2)


def test_installed_code_is_its_name_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmnotebook.fingerprint import origin

    text = "import numpy as np\ndef f(x): return np.mean(x)"
    before = f_of(text), digest(torch.nn.functional.relu)
    monkeypatch.setattr(np, "__version__", "0.0")
    after = f_of(text), digest(torch.nn.functional.relu)
    monkeypatch.undo()
    assert after[0] != before[0] and after[1] == before[1]
    assert origin.library("torch.nn") is not None and origin.library("tests.unit") is None
    assert origin.library("json") == origin.library("math") != origin.library("numpy")


NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(3))
        self.start()
    def start(self): self.w.data.normal_()
    def forward(self, x): return x * {}
    def save(self, path): open(path, "wb").write(b"")
torch.manual_seed(0)
net = Net()
"""


def test_a_model_of_the_users_draws_its_first_weights() -> None:
    by_net, by_class = NET + "def f(x): return net(x)", NET + "f = Net"
    for text in (by_net, by_class):
        assert f_of(text.format("self.w")) == f_of(text.format("self.w"))
        assert f_of(text.format("self.w")) != f_of(text.format("-self.w"))
        with pytest.raises(Unknowable, match=r"Net.forward,? .*random numbers \(torch.rand_like\)"):
            f_of(text.format("torch.rand_like(x)"))
    with pytest.raises(Unknowable, match=r"f calls Net.save, which opens files \(open\)"):
        f_of(NET.format(1) + "def f(x): return net.save(x)")


# --- what cannot be fingerprinted ----------------------------------------------------------------

UNKNOWN = {
    "seen = 0\ndef f(x):\n global seen\n seen += 1": "`seen` is a global that f itself changes",
    "def f(x):\n global seen\n del seen": "`seen` is a global that f itself changes",
    "def m():\n n = 0\n def f(x):\n  nonlocal n\n  n += 1\n return f\nf = m()": (
        "`n` is a variable that f itself changes"
    ),
    "import time\ndef f(x): return time.time()": "f reads the clock (time.time)",
    "from time import time as t\ndef f(x): return t()": "f reads the clock (time.time)",
    "def f(x):\n import time\n return time.time()": "f reads the clock (time.time)",
    "def f(x):\n from time import time as t\n return [t() for _ in x]": (
        "f reads the clock (time.time)"
    ),
    "from datetime import datetime as d\ndef f(x): return d.now()": "f reads the clock (d.now)",
    "import datetime\ndef f(x): return datetime.date.today()": (
        "f reads the clock (datetime.date.today)"
    ),
    "import pandas as pd\ndef f(x): return pd.Timestamp.now()": (
        "f reads the clock (pd.Timestamp.now)"
    ),
    "import torch\ndef f(x): return torch.get_num_threads()": (
        "f depends on the process (torch.get_num_threads)"
    ),
    "import torch\ndef f(x): return torch.initial_seed()": (
        "f draws random numbers (torch.initial_seed)"
    ),
    "import numpy as np\ndef f(x): return np.datetime64('now')": (
        "f reads the clock (np.datetime64)"
    ),
    "import numpy as np\ndef f(x): return np.array('NOW').astype('M8[s]')": (
        "f reads the clock (M8[s])"
    ),
    "import pandas as pd\ndef f(x): return pd.Timestamp('today')": (
        "f reads the clock (pd.Timestamp)"
    ),
    "import pandas as pd\nW = 'now'\ndef f(x): return pd.to_datetime(W)": (
        "f reads the clock (pd.to_datetime)"
    ),
    "import pandas as pd\ndef f(x): return pd.to_datetime(['2020', 'now', '2021'])": (
        "f reads the clock (pd.to_datetime)"
    ),
    "import numpy as np\ndef f(x): return np.random.rand()": (
        "f draws random numbers (np.random.rand)"
    ),
    "import numpy as np\ndef f(x): return np.random.default_rng().normal()": (
        "f draws random numbers (np.random.default_rng)"
    ),
    "import numpy as np\ndef f(x): return np.random.default_rng(None).normal()": (
        "f draws random numbers (np.random.default_rng)"
    ),
    "import numpy as np\nrng = np.random.default_rng(0)\ndef f(x): return rng.normal()": (
        "f draws random numbers (rng)"
    ),
    "import numpy as np\ndef f(x, rng=np.random.default_rng(0)): return rng.normal()": (
        "f draws random numbers (Generator)"
    ),
    "from random import choice\ndef f(x): return choice(x)": (
        "f draws random numbers (random.choice)"
    ),
    "import torch\ndef f(x): return [torch.rand(3) for _ in x]": (
        "f draws random numbers (torch.rand)"
    ),
    "import torch\ndef f(x): return torch.empty(3).normal_()": "f draws random numbers (normal_)",
    "import uuid\ndef f(x): return uuid.uuid4()": "f draws random numbers (uuid.uuid4)",
    "def f(x): return open(x).read()": "f opens files (open)",
    "import numpy as np\ndef f(x): return np.load(x)": "f opens files (np.load)",
    "from PIL import Image\ndef f(x): return Image.open(x)": "f opens files (Image.open)",
    "from pathlib import Path\ndef f(x): return Path(x).read_text()": "f opens files (read_text)",
    "import os\ndef f(x): return os.environ['A']": "f reads the environment (os.environ)",
    "from os import environ\ndef f(x): return environ['A']": "f reads the environment (os.environ)",
    "import requests\ndef f(x): return requests.get(x)": "f uses the network (requests.get)",
    "import subprocess\ndef f(x): return subprocess.run(x)": (
        "f starts other processes (subprocess.run)"
    ),
    "import threading as t\ndef f(x): t.Thread(target=f).start()": "f uses threads (t.Thread)",
    "def f(x): return hash(x)": "f depends on the process (hash)",
    "def f(x): return eval(x)": "f runs code that cannot be analyzed (eval)",
    "def f(x): return input()": "f reads user input (input)",
    "f = open": "it opens files (open)",
    "def f(x):\n import mm_not_there\n": "f imports mm_not_there, which is not loaded yet",
    "def g(x): return open(x)\ndef f(x): return g(x)": "f calls g, which opens files (open)",
    "def h(x): return open(x)\ndef g(x): return h(x)\ndef f(x): return g(x)": (
        "f calls h, which opens files (open)"
    ),
    "import time\nclass A:\n def __init__(self): self.t = time.time()\ndef f(x): return A()": (
        "f calls A.__init__, which reads the clock (time.time)"
    ),
    "import time\nclass A:\n def __call__(self, x): return time.time()\nf = A()": (
        "A.__call__ reads the clock (time.time)"
    ),
    "import threading\ndef m():\n l = threading.Lock()\n def f(x): return l\n return f\nf = m()": (
        "f closes over a lock, which cannot be fingerprinted"
    ),
    "import threading\nl = threading.RLock()\ndef f(x): return l": (
        "f uses a lock, which cannot be fingerprinted"
    ),
    "import threading\nl = {'a': [threading.Thread()]}\ndef f(x): return l": (
        "f uses a thread, which cannot be fingerprinted"
    ),
    "g = (n for n in 'ab')\ndef f(x): return next(g)": (
        "f uses a generator, which cannot be fingerprinted"
    ),
    "g = zip('ab')\ndef f(x): return next(g)": "f uses an iterator, which cannot be fingerprinted",
    "open_file = open('/dev/null')\ndef f(x): return open_file": (
        "f uses an open file, which cannot be fingerprinted"
    ),
    "import socket\nconnected = socket.socket()\ndef f(x): return connected": (
        "f uses a socket, which cannot be fingerprinted"
    ),
    "import sqlite3\nconnected = sqlite3.connect('')\ndef f(x): return connected": (
        "f opens files (connected)"
    ),
    "import threading\nf = [threading.Lock()]": "it holds a lock, which cannot be fingerprinted",
}
KNOWN = [
    "import pandas as pd\ndef f(x): return pd.Series({'today': x})",
    "import pandas as pd\ndef f(x): return pd.Timestamp('2020-01-01')",
    "import numpy as np\ndef f(x): return np.asarray(x).mean() + np.linalg.norm(x)",
    "import numpy as np\ndef f(x): return np.random.default_rng(0).normal()",
    "import numpy as np\ndef f(x): return np.random.default_rng(seed=x).normal()",
    "import io\nfrom PIL import Image\ndef f(x): return Image.open(io.BytesIO(x)).resize((2, 2))",
    "from io import BytesIO\nimport numpy as np\ndef f(x): return np.load(BytesIO(x))",
    "import pandas as pd\ndef f(x): return pd.DataFrame(x).groupby('a').sum()",
    "import torch\ndef f(x):\n import torch.nn.functional as F\n return F.softmax(x, -1)",
    "import re, json\ndef f(x): return re.sub('a', 'b', json.dumps(x))",
    "import datetime\ndef f(x): return datetime.datetime.fromisoformat(x).date()",
    "class A:\n def save(self, p): open(p)\n def go(self): pass\na = A()\ndef f(x): return a.go()",
    "import dataclasses as d\n@d.dataclass(frozen=True)\nclass A:\n a: int\ndef f(x): return A(1)",
    "def f(x):\n count = 0\n def g():\n  nonlocal count\n  count += 1\n g()\n return count",
    "def f(x):\n for y in x: yield y",
    "import logging\nlog = logging.getLogger('a')\ndef f(x): log.info(x)",
    "import abc\nclass A(abc.ABC):\n @abc.abstractmethod\n def go(self): ...\ndef f(x): return A",
    "import functools as t\nclass A:\n @t.cached_property\n def b(self): return 1\nf = A()",
    "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass A(Generic[T]): pass\nf = A()",
    "f = str.upper",
    "f = len",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_reasons_why_a_function_cannot_be_fingerprinted(text: str) -> None:
    names = cell(text)
    with pytest.raises(Unknowable) as caught:
        digest(names["f"])
    assert str(caught.value) == UNKNOWN[text]
    for name in {"open_file", "connected"} & names.keys():
        names[name].close()


@pytest.mark.parametrize("text", KNOWN)
def test_ordinary_functions_can_be_fingerprinted(text: str) -> None:
    assert f_of(text) == f_of(text)


def test_names_are_followed_through_every_kind_of_import() -> None:
    text = (
        "def f(x):\n import concurrent.futures as c\n import os.path\n return c.wait, os.path.join"
    )
    links = [link.text for link in read(cell(text)["f"]).links]
    assert {"concurrent.futures.wait", "os.path.join"} <= set(links)


# --- nodes ---------------------------------------------------------------------------------------


def same(graph: Graph, salt: str = "", **other: str) -> dict[str, Identity]:
    """Return the identities of a graph's nodes; objects are their names, or those in `other`."""

    def named(names: Any) -> dict[str, Identity]:
        return {name: Identity(digest(other.get(name, name) + salt)) for name in names}

    functions = {name for node in graph for name in node.functions}
    models = {model for node in graph for model in node.models}
    data = {
        node.name: Identity(digest(other.get(node.name, str(node.params) + salt))) for node in graph
    }
    return identities(graph, Behind(data, named(functions), named(models)))


def below(graph: Graph, name: str) -> set[str]:
    return {name, *networkx.descendants(graph.network(), name)}


def renamed(graph: Graph) -> Graph:
    """Return the same graph with other names for all nodes."""
    nodes = tuple(
        Node(
            f"{node.name}_9",
            node.kind,
            node.params,
            tuple(replace(w, node=f"{w.node}_9") for w in node.inputs),
            node.gather,
        )
        for node in graph
    )
    return Graph(nodes)


@given(graphs())
def test_the_identity_of_a_node_is_no_matter_of_names_or_order(graph: Graph) -> None:
    found = same(graph)
    assert found == same(Graph(tuple(reversed(graph.nodes)))) and set(found) == set(graph.names)
    joins = [node for node in graph if node.gather == "join"]
    named = [node.name for node in joins if any(wire.label is None for wire in node.inputs)]
    joined = {name for one in named for name in below(graph, one)}
    data = {f"{node.name}_9": str(node.params) for node in graph if not node.inputs}
    again = same(renamed(graph), **data)
    for name, identity in found.items():
        if identity.digest is not None:
            assert (again[f"{name}_9"].digest == identity.digest) == (name not in joined)


@settings(max_examples=200)
@given(graphs(), st.data())
def test_an_edit_changes_a_node_and_those_below_it(graph: Graph, data: st.DataObject) -> None:
    node = data.draw(st.sampled_from(graph.nodes))
    params = dict(node.params)
    if "function" in params:
        params["function"] += "_new"
    elif "model" in params:
        params["model"] += "_new"
    elif "salt" in params or node.kind == "split":
        params["salt"] = f"{params.get('salt', '')}_new"
    elif not node.inputs or node.kind == "write":
        params["id" if node.kind == "source" else "path"] = "new"
    elif node.kind == "cascade":
        params["below"] = 0.123
    elif node.kind == "keyed":
        params["default"] = f"{params.get('default', '')}_new"
    else:
        return  # vote, mean and stack have no parameters to edit here
    edited = Node(node.name, node.kind, tuple(params.items()), node.inputs, node.gather)
    nodes = tuple(edited if n.name == node.name else n for n in graph)
    before, after = same(graph), same(Graph(nodes))
    changed = {name for name in before if before[name].digest != after[name].digest}
    known = {name for name in before if before[name].digest is not None}
    assert changed == below(graph, node.name) & known


def step(kind: str = "map", **params: Any) -> Graph:
    rows = Node.make("rows", "source", data="rows")
    return Graph((rows, Node.make("n", kind, ["rows"], **params)))


def test_two_names_for_one_content_are_one_identity() -> None:
    assert same(step(function="f"))["n"] == same(step(function="f"))["n"]
    one, other = same(step(function="f"))["n"], same(step(function="g"), g="f")["n"]
    assert one.digest == other.digest and changes(one, other) == "nothing changed"
    assert same(step("model", model="a"))["n"] != same(step("model", model="b"), b="a")["n"]
    assert same(step(function="f"))["n"] != same(step("filter", function="f"))["n"]


def wired(**wire: Any) -> str | None:
    arms = (("a", 0.5), ("b", 0.5))
    nodes = (
        Node.make("rows", "source", data="rows"),
        Node.make("s", "split", ["rows"], arms=arms),
        Node.make("n", "map", [Input("s", **wire)], function="f"),
    )
    return same(Graph(nodes))["n"].digest


def test_the_port_and_the_field_of_an_input_count() -> None:
    wires = [{"port": "a"}, {"port": "b"}, {"port": "a", "select": "x"}]
    wires += [{"port": "a", "select": ("x",)}, {"port": "a", "select": "y"}]
    assert len({wired(**wire) for wire in wires}) == len(wires)


def chain(*middle: Node) -> Graph:
    last = Node.make("last", "map", [middle[-1].name], function="h")
    return Graph((Node.make("rows", "source", data="rows"), *middle, last))


def test_nodes_below_an_uncacheable_one_have_its_reason_once() -> None:
    crop = Node.make("crop", "map", ["rows"], function="f")
    mid = Node.make("mid", "map", ["crop"], function="h")
    graph = chain(crop, mid)
    clock = Identity(None, "f reads the clock (time.time)")
    known = Identity("1")
    found = identities(graph, Behind({"rows": known}, {"f": clock, "h": known}, {}))
    assert found["rows"].digest is not None and found["rows"].reason == ""
    assert found["crop"].digest is None and found["crop"].reason == clock.reason
    assert found["mid"].reason == found["last"].reason == f"upstream node 'crop': {clock.reason}"
    assert found["last"].digest is None and found["last"].parts["function h"] == "1"
    files = Identity(None, "h opens files (open)")
    both = identities(graph, Behind({"rows": known}, {"f": clock, "h": files}, {}))
    assert both["mid"].reason == both["last"].reason == files.reason


def test_the_gradient_of_a_tensor_that_code_reads_counts() -> None:
    tensor = torch.zeros(3, requires_grad=True)

    def f(x: int) -> Any:
        return tensor.grad

    before = digest(f)
    tensor.sum().backward()
    assert digest(f) != before


def test_a_write_is_never_cached() -> None:
    graph = step("write", path="a.csv")
    assert same(graph)["n"].digest is None and same(graph)["n"].reason == "it writes a file"


def test_a_reason_may_be_missing() -> None:
    found = identities(
        step(function="f"), Behind({"rows": Identity(None)}, {"f": Identity("1")}, {})
    )
    assert found["n"].reason == "upstream node 'rows': it cannot be fingerprinted"


def test_the_change_in_words() -> None:
    crop = Node.make("crop", "map", ["rows"], function="f")
    before = same(chain(crop))
    after = same(chain(crop), f="other")
    assert changes(before["crop"], after["crop"]) == "its function f changed"
    assert changes(before["last"], after["last"]) == "its input changed (crop)"
    assert changes(before["rows"], after["rows"]) == "nothing changed"
    data = same(chain(crop), rows="other")
    assert changes(before["rows"], data["rows"]) == "its data rows changed"
    flat = same(chain(Node.make("crop", "flat_map", ["rows"], function="f")))
    assert changes(before["crop"], flat["crop"]) == "its step changed"
    both = same(chain(Node.make("crop", "filter", ["rows"], function="g")))
    assert changes(before["crop"], both["crop"]) == "its step changed and its function g changed"
    unknown = Identity(None, "f opens files (open)")
    assert changes(before["crop"], unknown) == "not cacheable: f opens files (open)"


def test_the_changed_input_among_several() -> None:
    def voted(*names: str) -> dict[str, Identity]:
        models = [Node.make(name, "model", ["rows"], model=name) for name in names]
        vote = Node.make("vote", "vote", names, "join")
        return same(Graph((Node.make("rows", "source", data="rows"), *models, vote)))

    before = voted("a", "b", "c")["vote"]
    assert changes(before, voted("a", "b")["vote"]) == "its input changed (c)"
    assert changes(before, voted("a", "b", "d")["vote"]) == "its input changed (d)"
    assert changes(before, voted("b", "a", "c")["vote"]) == "the order of its inputs changed"


def test_that_a_pipeline_was_given_a_function_changes_nothing() -> None:
    def plus(value: int) -> int:
        return value + 1

    before = digest(plus)
    beam.Map(plus)
    assert vars(plus) and digest(plus) == before
    plus.unit = "cm"  # type: ignore[attr-defined]
    assert digest(plus) != before


def changed_settings() -> list[Callable[[], Any]]:
    """Yield ways to change a setting, each as a function that returns a context manager."""
    return [
        lambda: np.errstate(divide="raise"),
        lambda: np.printoptions(precision=3),
        lambda: pd.option_context("display.precision", 2),
        lambda: decimal.localcontext(decimal.Context(prec=7)),
        lambda: sklearn.config_context(transform_output="pandas"),
        lambda: matplotlib.rc_context({"font.size": 20.0}),
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu"),
        lambda: torch.device("meta"),
        default_dtype,
        warnings_as_errors,
    ]


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@contextmanager
def warnings_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_each_setting_has_a_digest_of_its_own() -> None:
    before = digest_of_settings()
    known = {before}
    for begin in changed_settings():
        with begin():
            known.add(digest_of_settings())
        assert digest_of_settings() == before
    assert len(known) == len(changed_settings()) + 1


def test_settings_of_a_library_count_for_it_alone() -> None:
    before, none = digest_of_settings(["matplotlib"]), digest_of_settings([])
    with sklearn.config_context(transform_output="pandas"):
        assert digest_of_settings(["matplotlib"]) == before and digest_of_settings([]) == none
        assert digest_of_settings(["sklearn"]) != none


def test_a_setting_that_cannot_be_fingerprinted_is_not_cacheable() -> None:
    lock = threading.Lock()

    def noted(kind: str, flag: int) -> None:
        lock.acquire(blocking=False)

    with np.errstate(call=noted), pytest.raises(Unknowable, match="a lock"):
        digest_of_settings()


def test_a_model_of_a_library_counts_with_what_was_put_into_its_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = StandardScaler().fit(np.ones((3, 2)))
    before, kinds = digest(model), digest_of_classes([StandardScaler])
    monkeypatch.setattr(StandardScaler, "transform", lambda self, rows: rows)
    after = digest(model), digest_of_classes([StandardScaler])
    monkeypatch.undo()
    assert before != after[0] and kinds != after[1] and digest(model) == before
