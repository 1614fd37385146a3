"""Pickles and graphs of earlier versions can be read."""

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


BEFORE_BRANCHES = (
    b"\x80\x02cmmnotebook.elements.block\nBlock\nq\x00)\x81q\x01}q\x02(X\x03\x00\x00\x00idsq\x03]"
    b"q\x04(X\x01\x00\x00\x001q\x05X\x01\x00\x00\x002q\x06eX\x06\x00\x00\x00valuesq\x07"
    b"cmmnotebook.elements.columns\nObjects\nq\x08)\x81q\t}q\n(h\x07]q\x0b(X\x01\x00\x00\x00uq\x0c"
    b"X\x01\x00\x00\x00vq\reX\x06\x00\x00\x00nbytesq\x0eK\x82ubX\x07\x00\x00\x00originsq\x0fN"
    b"X\x04\x00\x00\x00armsq\x10]q\x11(X\x01\x00\x00\x00aq\x12NeX\x06\x00\x00\x00fieldsq\x13N"
    b"X\x06\x00\x00\x00failedq\x14]q\x15X\x07\x00\x00\x00made_ofq\x16Nubcmmnotebook.elements."
    b"elements\nKey\nq\x17(X\x03\x00\x00\x001/0q\x18h\x05h\x12h\x0cK\x01\x86q\x19\x85q\x1atq\x1b"
    b"\x81q\x1c\x86q\x1d."
)
"""A pickled block and key, from a version with one field for branches, keys and models."""


def test_a_block_and_a_key_from_before_branches_had_a_field() -> None:
    block, key = pickle.loads(BEFORE_BRANCHES)
    assert isinstance(block, Block) and not hasattr(block, "arms")
    assert block.choices == block.branches == ["a", None]
    assert (block.model_keys, block.models, block.rows) == (None, None, None)
    assert block.take([0]).choices == ["a"] and block.with_choices().choices is None
    assert key == Key("1/0", "1", "a", (("u", 1),))
    again = pickle.loads(pickle.dumps(block))
    assert list(again.elements()) == list(block.elements())


def test_every_module_that_was_moved_is_there() -> None:
    for old in _moved._MOVED:
        module = sys.modules[f"mmnotebook.{old}"]
        with pytest.raises(AttributeError):
            _ = module.nothing_of_this_name
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not hasattr(module, "__file__")


def test_inspecting_all_modules_gives_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inspect.getmodule(Failure) is sys.modules["mmnotebook.results.records"]
