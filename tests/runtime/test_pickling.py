"""Pickling of a notebook's classes: every loaded object behaves the same, and nothing changes."""

from __future__ import annotations

import inspect
import re
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from apache_beam.internal.cloudpickle import cloudpickle as beams
from cloudpickle import cloudpickle as theirs

import mmnotebook
from mmnotebook.elements import pickling
from tests.runtime import kernel_script

START = """
import mmnotebook as mm
def ran(text, **names):
    return mm.run(mm.pipeline(text, **names), fresh=True)
def predicted(text, *models, **names):
    result = ran(text, **names)
    assert result.failed.empty, result.failed.to_dict("records")
    return [result[model].prediction.tolist() for model in models]
mine = lambda function: function.__globals__ is globals()
"""


class Cells:
    """Cells of a notebook, run in this process as its `__main__`."""

    def __init__(self, main: types.ModuleType) -> None:
        self.names = vars(main)

    def __call__(self, code: str) -> None:
        exec(compile(code, "<cell>", "exec"), self.names)

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cells]:
    """Return an empty notebook."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    return Cells(main)


def again(value: Any) -> Any:
    return pickling.loads(pickling.dumps(value))


class TestModelsOfOneClass:
    def test_each_answers_as_it_was_registered(self, tmp_path: Path) -> None:
        code = """
import gc, torch
SCALE = 2
class M:
    factor = 2
    def predict(self, batch): return [x * self.factor * SCALE for x in batch]
class T(torch.nn.Module):
    def forward(self, x): return x * SCALE
mm.register("m_two", M()); mm.register("t_two", T())
gc.collect()  # what is gone stays as it was registered
SCALE = M.factor = 3
mm.register("m_three", M()); mm.register("t_three", T())
names = "m_two", "t_two", "m_three", "t_three"
first = predicted("rows | [m_two, m_three, t_two, t_three]", *names, rows=[1.0])
other = predicted("rows | [m_three, m_two, t_three, t_two]", *names, rows=[1.0])
mm.unload()
apart = [predicted(f"rows | {n}", n, rows=[1.0])[0] for n in names]
kept = mine(M.predict), mine(T.forward), M.factor, M().predict([1.0]), T()(torch.ones(1)).item()
say([first, other, apart, kept])
"""
        right = [[4.0], [2.0], [9.0], [3.0]]
        said = kernel_script.run(START + code, tmp_path)
        assert said == [right, right, right, [True, True, 3, [9.0], 3.0]]

    def test_estimators_and_handlers_too(self, tmp_path: Path) -> None:
        code = """
import gc
import numpy as np
from apache_beam.ml.inference.base import ModelHandler
from sklearn.base import BaseEstimator, ClassifierMixin
CUT = 0.5
class Cut(ClassifierMixin, BaseEstimator):
    def fit(self, X, y=None): self.classes_ = np.array([0, 1]); return self
    def predict(self, X): return (X[:, 0] > CUT).astype(int)
class Handler(ModelHandler):
    def load_model(self): return Cut()
    def run_inference(self, batch, model, inference_args=None):
        return model.predict(np.stack(batch))
mm.register("low", Cut().fit(None)); mm.register("h_low", Handler())
gc.collect()  # what is gone stays as it was registered
CUT = 0.8
mm.register("high", Cut().fit(None)); mm.register("h_high", Handler())
rows = [np.array([v]) for v in (.2, .6, .9)]
names = "low", "high", "h_low", "h_high"
made = predicted("rows | [low, high, h_low, h_high]", *names, rows=rows)
say([*made, mine(Cut.predict), mine(Handler.load_model), Cut().predict(np.array(rows)).tolist()])
"""
        low, high = [0, 1, 1], [0, 0, 1]
        assert kernel_script.run(START + code, tmp_path) == [low, high, low, high, True, True, high]

    def test_a_method_set_by_hand_stays(self, tmp_path: Path) -> None:
        code = """
class Up:
    def predict(self, batch): return ["v1"] * len(batch)
mm.register("old", Up())
before = predicted("rows | old", "old", rows=[1])
def predict(self, batch): return ["v2"] * len(batch)
Up.predict = predict
mm.register("new", Up())
say([before, predicted("rows | [old, new]", "old", "new", rows=[1]), Up.predict is predict])
"""
        assert kernel_script.run(START + code, tmp_path) == [[["v1"]], [["v1"], ["v2"]], True]

    def test_the_class_of_a_state_dict(self, tmp_path: Path) -> None:
        code = """
import torch
SCALE = 2
class Net(torch.nn.Module):
    def forward(self, x): return x * SCALE
torch.save(Net().state_dict(), place + "/net.pt")
mm.register("two", place + "/net.pt", model_class=Net)
before = predicted("rows | two", "two", rows=[1.0])
SCALE = 3
mm.register("three", place + "/net.pt", model_class=Net)
say([before[0], predicted("rows | [two, three]", "two", "three", rows=[1.0]), mine(Net.forward)])
"""
        # A run uses the current class, as it does for functions.
        said = kernel_script.run(START + code, tmp_path, place=str(tmp_path))
        assert said == [[2.0], [[3.0], [3.0]], True]

    def test_a_counter_of_the_class_is_the_notebook_s(self, tmp_path: Path) -> None:
        code = """
class Counts:
    hits = 0
    def predict(self, batch):
        Counts.hits += len(batch)
        return list(batch)
mm.register("counts", Counts())
Counts.hits = 1000
say([predicted("rows | counts", "counts", rows=[1, 2]), Counts.hits])
"""
        assert kernel_script.run(START + code, tmp_path) == [[[1, 2]], 1000]


class TestFunctions:
    def test_they_see_the_notebook_s_classes_as_they_are(self, tmp_path: Path) -> None:
        code = """
UNIT = "km"
class Config:
    scale = 2
    @classmethod
    def unit(cls): return UNIT
class Row:
    def __init__(self, v): self.v = v
    def label(self): return f"{self.v}{UNIT}"
def f(x): return f"{x * Config.scale}{Config.unit()}"
def g(row): return row.label()
def both():
    one, two = ran("rows | f", rows=[1, 2], f=f), ran("objs | g", objs=[Row(1), Row(2)], g=g)
    return one["f"].value.tolist(), two["g"].value.tolist()
before = both()
UNIT = "mi"; Config.scale = 3
kept = both(), mine(Config.unit.__func__), mine(Row.label), Config.scale
def unit(cls): return "patched"
Config.unit = classmethod(unit)
say([before, kept, both(), Config.unit.__func__ is unit])
"""
        before, after, patched = kernel_script.run(START + code, tmp_path)[:3]
        assert before == [["2km", "4km"], ["1km", "2km"]]
        assert after == [[["3mi", "6mi"], ["1mi", "2mi"]], True, True, 3]
        assert patched == [["3patched", "6patched"], ["1mi", "2mi"]]

    def test_a_run_makes_no_class(self, tmp_path: Path) -> None:
        code = """
class Base:
    made = []
    def __init_subclass__(cls): Base.made.append(cls.__name__)
class Sub(Base):
    def predict(self, batch): return list(batch)
def f(x): return Sub.__name__
mm.register("s", Sub(), preprocess=lambda x: (x, Sub)[0])
say([ran("rows | s\\nz = rows | f", rows=[1], f=f)["z"].value.tolist(), Base.made])
"""
        assert kernel_script.run(START + code, tmp_path) == [["Sub"], ["Sub"]]

    def test_a_transform_of_the_user_s(self, tmp_path: Path) -> None:
        code = """
import apache_beam as beam
UNIT = "km"
class Add(beam.DoFn):
    def process(self, x): yield f"{x}{UNIT}"
class Source(beam.PTransform):
    def expand(self, begin): return begin | beam.Create([1]) | beam.ParDo(Add())
def f(x): return x
once = ran("s | f", s=Source(), f=f)["f"].value.tolist()
UNIT = "mi"
say([once, ran("s | f", s=Source(), f=f)["f"].value.tolist(), mine(Add.process)])
"""
        kernel = kernel_script.Kernel(START + code, tmp_path)
        assert kernel.end() == 0
        assert kernel.values == [[["1km"], ["1mi"], True]]


VALUES = """
import enum
from dataclasses import dataclass
from typing import NamedTuple
class Color(enum.Enum):
    RED = 1
    BLUE = 2
@dataclass
class Row:
    color: Color
class Pair(NamedTuple):
    name: str
    row: Row
"""


class TestValues:
    """Values have the notebook's classes, although a loaded model has copies of them."""

    def test_a_model_knows_the_classes_of_its_elements(self, tmp_path: Path) -> None:
        code = """
class Model:
    like = Color.RED
    def predict(self, batch):
        return [isinstance(r, Row) and r.color is Color.RED and r.color is self.like for r in batch]
    def other(self, batch, color): return [r.color is color for r in batch]
mm.register("m", Model())
mm.register("o", Model(), method="other", inference_args={"color": Color.BLUE})
say(predicted("rows | [m, o]", "m", "o", rows=[Row(Color.RED), Row(Color.BLUE)]))
"""
        said = kernel_script.run(START + VALUES + code, tmp_path)
        assert said == [[True, False], [False, True]]

    def test_outputs_of_a_model_have_the_notebook_s_classes(self, tmp_path: Path) -> None:
        code = """
class Model:
    def predict(self, batch): return [{"pair": Pair("a", r), "all": [Color.RED]} for r in batch]
def is_ours(made):
    made = getattr(made, "inference", made)
    return type(made["pair"]) is Pair and type(made["pair"].row) is Row
mm.register("m", Model(), output=lambda made: {**made, "out": is_ours(made)})
result = ran("made = rows | m | is_ours", rows=[Row(Color.BLUE)], is_ours=is_ours)
(made,) = result["m"].prediction
kept = is_ours(made), made["out"], made["all"][0] is Color.RED, made["pair"].row.color is Color.BLUE
say([kept, result["made"].value.tolist()])
"""
        said = kernel_script.run(START + VALUES + code, tmp_path)
        assert said == [[True] * 4, [True]]

    def test_values_without_notebook_classes_are_the_same_object(self, cells: Cells) -> None:
        cells("class A: pass\nclass B: pass")
        others = {cells["A"]: cells["B"]}
        value = [1, "a", cells["B"](), {"x": (2.0,)}]
        assert pickling.exchanged(value, others) is value
        no_pickle = [threading.Lock()]
        assert pickling.exchanged(no_pickle, others) is no_pickle

    def test_arrays_and_tensors_are_not_copied(self, cells: Cells) -> None:
        cells("import numpy, torch\nclass A: pass\nclass B: pass")
        array, tensor = cells["numpy"].ones(3), cells["torch"].ones(3, requires_grad=True)
        value = [array, {"t": tensor}, cells["A"]()]
        made = pickling.exchanged(value, {cells["A"]: cells["B"]})
        assert made[0] is array
        assert made[1]["t"] is tensor
        assert type(made[2]) is cells["B"]

    def test_values_that_cannot_be_converted_are_an_error(self, cells: Cells) -> None:
        cells("class A: pass\nclass B: pass")
        with pytest.raises(TypeError):
            pickling.exchanged([cells["A"](), threading.Lock()], {cells["A"]: cells["B"]})


KINDS = {
    "an enum": (
        "class K(enum.Enum):\n    A = 1\n    def up(self): return self.value + 1",
        "(K.A, K)",
        "found[0] is found[1].A and found[0].up() == 2",
    ),
    "a flag": (
        "class K(enum.Flag):\n    A = 1\n    B = 2",
        "(K.A | K.B, K)",
        "found[0] == found[1].A | found[1].B",
    ),
    "a dataclass": (
        "@dataclasses.dataclass(order=True)\nclass K:\n    x: int = 1",
        "(K(2), K)",
        "found[0] == found[1](2) > found[1]()",
    ),
    "a slotted dataclass": (
        "@dataclasses.dataclass(frozen=True, slots=True)\nclass K:\n    x: int = 1",
        "(K(2), K)",
        "found[0] == found[1](2)",
    ),
    "a NamedTuple": (
        "class K(typing.NamedTuple):\n    x: int = 1",
        "(K(2), K)",
        "found[0] == found[1](2) and found[0].x == 2",
    ),
    "an ABC": (
        "class Base(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\n"
        "class K(Base):\n    def f(self): return __class__",
        "(K(), K, Base)",
        "isinstance(found[0], found[2]) and found[0].f() is found[1]",
    ),
    "a Protocol": (
        "@typing.runtime_checkable\nclass P(typing.Protocol):\n    def f(self): ...\n"
        "class K:\n    def f(self): return 1",
        "(K(), K, P)",
        "isinstance(found[0], found[2])",
    ),
    "a generic": (
        "T = typing.TypeVar('T')\nclass G(typing.Generic[T]): pass\nclass K(G[int]): pass",
        "(K(), K, G)",
        "isinstance(found[0], found[2]) and found[2][int] is not None",
    ),
    "a class in a class": (
        "class K:\n    class In:\n        pass\n    def make(self): return K.In()",
        "(K(), K)",
        "type(found[0].make()) is found[1].In",
    ),
    "a metaclass": (
        "class Meta(type):\n    def __call__(cls): return (cls, super().__call__())\n"
        "class K(metaclass=Meta):\n    pass",
        "(K()[1], K, Meta)",
        "type(found[1]) is found[2] and found[1]()[0] is found[1]",
    ),
    "a class of itself": (
        "class K:\n    def __init__(self): self.kind = K\n    def same(self): return K()\n"
        "K.root = K()",
        "(K(), K)",
        "type(found[1].root) is found[1] is found[0].kind is type(found[0].same())",
    ),
}


class TestOnePickle:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_class_is_one_class_in_it(self, cells: Cells, kind: str) -> None:
        made, value, holds = KINDS[kind]
        cells(f"import abc, dataclasses, enum, typing\n{made}")
        cells.names["found"] = found = again(eval(value, cells.names))
        assert isinstance(found[0], found[1])
        assert found[1] is not cells["K"]
        assert eval(holds, cells.names)

    def test_each_load_makes_its_own(self, cells: Cells) -> None:
        cells("class K: pass")
        pickled = pickling.dumps(cells["K"]())
        kinds = {cells["K"], type(pickling.loads(pickled)), type(pickling.loads(pickled))}
        assert len(kinds) == 3

    def test_a_copy_of_a_copy_is_of_the_notebook_s_class(self, cells: Cells) -> None:
        cells("class K: pass")
        copy = again(again(cells["K"]()))
        assert pickling.by_origin(pickling.made_for(copy)) == {cells["K"]: type(copy)}

    def test_loading_calls_nothing_of_the_notebook_s(self, cells: Cells) -> None:
        cells(
            "class Base:\n    made = []\n"
            "    def __init_subclass__(cls): Base.made.append(cls.__name__)\n"
            "class Sub(Base): pass"
        )
        again(cells["Sub"]())
        assert cells["Base"].made == ["Sub"]

    def test_a_user_s_own_pickles_find_the_class(self, cells: Cells) -> None:
        cells("class K: pass")
        assert type(again(cells["K"]())) is not cells["K"]
        assert type(cloudpickle.loads(cloudpickle.dumps(cells["K"]()))) is cells["K"]


class TestCloudpickle:
    def test_nothing_here_is_pickled_in_another_way(self) -> None:
        root = Path(mmnotebook.__file__).parent
        uses = re.compile(r"^\s*(import cloudpickle|from cloudpickle)", re.MULTILINE)
        files = (file for file in root.rglob("*.py") if uses.search(file.read_text()))
        found = {file.relative_to(root).as_posix() for file in files}
        # The pickles beside an exported script are loaded without mmnotebook.
        ours = {"compat/cloudpickle.py", "elements/pickling.py"}
        assert found == {*ours, "export/beam_script/models.py"}

    @pytest.mark.parametrize("make", [theirs._make_skeleton_class, theirs._make_skeleton_enum])
    def test_the_id_is_cloudpickle_s_last_argument_but_one(self, make: Any) -> None:
        assert list(inspect.signature(make).parameters)[-2:] == ["class_tracker_id", "extra"]

    def test_a_class_is_reduced_in_one_way(self) -> None:
        source = inspect.getsource(theirs._dynamic_class_reduce)
        assert re.findall(r"_make_\w+", source) == ["_make_skeleton_enum", "_make_skeleton_class"]
        assert "if class_tracker_id is not None" in inspect.getsource(theirs._lookup_class_or_track)

    def test_beam_sets_a_class_only_once(self) -> None:
        source = inspect.getsource(beams._class_setstate)
        first = "skip_reset_dynamic_type_state and obj in _DYNAMIC_CLASS_STATE_TRACKER_BY_CLASS"
        assert first in source
        assert source.index("return obj") < source.index("setattr(")
