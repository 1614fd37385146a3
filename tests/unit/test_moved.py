"""Pickles and graphs that earlier versions wrote are read."""

from __future__ import annotations

import inspect
import pickle
import sys
import warnings

import pytest

import mmnotebook as mm
from mmnotebook import _moved
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Key
from mmnotebook.results.records import Failure
from mmnotebook.results.results import Result
from mmnotebook.state import events

OLD = {
    "mmnotebook.analysis.records": Failure,
    "mmnotebook.analysis.results": Result,
    "mmnotebook.runtime.blocks.block": Block,
    "mmnotebook.runtime.data.elements": Key,
    "mmnotebook.runtime.events": events.RunStarted,
    "mmnotebook.graph.graph": mm.Graph,
    "mmnotebook.graph.models": mm.ModelSpec,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("module", "kind"), OLD.items(), ids=OLD)
def test_a_pickle_that_names_a_module_that_was_moved(module: str, kind: type) -> None:
    assert pickle.loads(f"c{module}\n{kind.__name__}\n.".encode()) is kind


def test_a_failure_that_was_pickled_before() -> None:
    new = pickle.dumps(Failure("node", "id", "E", "text", ""), protocol=0)
    old = new.replace(b"mmnotebook.results.records", b"mmnotebook.analysis.records")
    assert old != new
    with pytest.warns(DeprecationWarning, match="is now mmnotebook.results.records.Failure"):
        assert pickle.loads(old) == pickle.loads(new)


def test_every_module_that_was_moved_is_there() -> None:
    for old in _moved._MOVED:
        module = sys.modules[f"mmnotebook.{old}"]
        with pytest.raises(AttributeError):
            _ = module.nothing_of_this_name
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not hasattr(module, "__file__")


def test_looking_through_all_modules_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inspect.getmodule(Failure) is sys.modules["mmnotebook.results.records"]
