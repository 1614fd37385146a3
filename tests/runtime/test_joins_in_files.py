"""A join in this process keeps its inputs in files; its results equal those of the shuffle."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook import storage
from mmnotebook.beam.lowering import gather, id_ranges
from mmnotebook.elements import coders, spill
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.graph.graph import Node
from mmnotebook.results.records import Failure

NAMES = ("a", "b", "c")


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few elements be in several ranges, and members be divided into new blocks."""
    monkeypatch.setattr(id_ranges, "ROWS", 3)
    monkeypatch.setattr(id_ranges, "SCATTERED", 2)


# The DoFns alone


@dataclass(frozen=True)
class Input:
    """One block, without the arrays and identities of a real one."""

    rows: list[tuple[str, str, int]]
    failed: list[str]

    def block(self, name: str) -> Block:
        ids = [own for own, _, _ in self.rows]
        origins = [origin for _, origin, _ in self.rows]
        fields = [(("f", number % 3),) if number % 2 else () for _, _, number in self.rows]
        failed = [Failure(name, one, "ValueError", "no", "") for one in self.failed]
        values = pack([number for _, _, number in self.rows])
        return Block(ids, values, origins, fields=fields, failed=failed)


IDS = [str(number) for number in range(12)]
ROW = st.tuples(
    st.sampled_from([*IDS, *(f"{one}/0" for one in IDS[:3])]), st.sampled_from(IDS[:2])
).map(lambda pair: (pair[0], pair[1] if "/" in pair[0] else pair[0]))


@st.composite
def members(draw: st.DrawFn) -> list[list[Input]]:
    """Draw the blocks of each member: often in the same order, often without some elements."""
    base = draw(st.lists(ROW, min_size=0, max_size=14, unique=draw(st.booleans())))
    found = []
    for _ in NAMES[: draw(st.integers(1, 3))]:
        rows = [row for row in base if draw(st.integers(0, 5))]
        if draw(st.booleans()):
            rows = draw(st.permutations(rows))
        numbered = [(*row, draw(st.integers(0, 9))) for row in rows]
        cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=4)))
        bounds = zip([0, *cuts], [*cuts, len(rows)], strict=True)
        failed = st.lists(st.sampled_from(IDS), max_size=2)
        found.append([Input(numbered[start:stop], draw(failed)) for start, stop in bounds])
    return found


def node(count: int, missing: str) -> Node:
    names = NAMES[:count]
    text = f"j = data | [{', '.join(names)}] | map(f, missing={missing!r})"
    made = mm.parse(text)["j"]
    return replace(made, params=(("function", "f"), ("missing", missing)))


def meeting(inputs: Sequence[Sequence[Block]], steps: Sequence[Any], last: Any) -> list[Block]:
    """Run the DoFns of a join on the blocks of its inputs."""
    groups = defaultdict[int, list[Any]](list)
    for blocks, step in zip(inputs, steps, strict=True):
        step.setup()
        for block in blocks:
            for key, part in step.process(block):
                groups[key].append(part)
        step.finish_bundle()
    last.setup()
    return [block for group in groups.items() for block in last.process(group)]


def content(blocks: Iterable[Block]) -> list[str]:
    """Return all elements with their keys, and all failures, sorted."""
    made = list(blocks)
    found = [repr(one) for block in made for one in block.elements()]
    return sorted(found + [repr(one) for block in made for one in block.failed])


@settings(max_examples=300, deadline=None)
@given(members(), st.sampled_from(["fail", "skip", "use rest"]))
def test_both_forms_have_the_same_elements(drawn: list[list[Input]], missing: str) -> None:
    own = node(len(drawn), missing)
    inputs = [[one.block(name) for one in made] for name, made in zip(NAMES, drawn, strict=False)]
    with tempfile.TemporaryDirectory() as name:
        found, wanted = both(own, inputs, Path(name))
    assert content(found) == content(wanted)


def both(
    own: Node, inputs: Sequence[Sequence[Block]], folder: Path
) -> tuple[list[Block], list[Block]]:
    """Return the joined blocks of the form with files, and of the form with the shuffle."""
    places = range(len(inputs))
    shuffle = [gather._Buckets(own, "", place, 2) for place in places]
    files = [gather._InFiles(own, "", place, folder) for place in places]
    wanted = meeting(inputs, shuffle, gather._Join(own, ""))
    found = meeting(inputs, files, gather._JoinFiles(own, "", folder))
    return found, wanted


@given(st.lists(st.lists(st.integers(0, 20), max_size=20), min_size=1, max_size=4))
def test_numbers_are_those_of_a_dict(drawn: list[list[int]]) -> None:
    known: dict[int, int] = {}
    wanted = [[known.setdefault(code, len(known)) for code in codes] for codes in drawn]
    found = id_ranges.numbers([np.array(codes, np.uint32) for codes in drawn])
    assert [of_member.tolist() for of_member in found] == wanted


def parts(folder: Path, ids: Sequence[int], rows: int) -> list[id_ranges.IndexedBlock]:
    """Write elements with these numbers as ids and codes, in blocks of `rows` elements."""
    file, made = spill.SpillFile(folder), []
    for start in range(0, len(ids), rows):
        some = list(ids[start : start + rows])
        block = Block(list(map(str, some)), pack(some))
        made.append(id_ranges.IndexedBlock(file.add(block), np.array(some, np.uint32)))
    file.close()
    return made


def test_members_in_order_are_read_once_and_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = spill.Spilled.read
    monkeypatch.setattr(spill.Spilled, "read", lambda own: (reads.append(1), read(own))[1])
    monkeypatch.setattr(id_ranges, "ROWS", 8)
    some = [number for number in range(400) if number % 7]
    given_parts = [parts(tmp_path, range(400), 10), parts(tmp_path, some, 7)]
    files = len(list(tmp_path.iterdir()))
    found = list(id_ranges.ranges(given_parts, tmp_path))
    assert [sum(map(len, blocks)) for blocks in found[0]] == [8, 6] and len(found) == 50
    assert len(list(tmp_path.iterdir())) == files
    assert len(reads) == sum(map(len, given_parts))


def test_a_member_in_another_order_is_written_in_new_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_ranges, "ROWS", 40)
    order = np.random.default_rng(0).permutation(400).tolist()
    given_parts = [parts(tmp_path, range(400), 50), parts(tmp_path, order, 50)]
    found = list(id_ranges.ranges(given_parts, tmp_path))
    assert len(list(tmp_path.iterdir())) == 3
    assert all(
        sorted(name for block in one for name in block.ids)
        == sorted(name for block in other for name in block.ids)
        for one, other in found
    )


def test_large_elements_have_smaller_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_parts = [parts(tmp_path, range(100), 10)]
    monkeypatch.setattr(id_ranges, "ROWS", 100)
    assert len(list(id_ranges.ranges(given_parts, tmp_path))) == 1
    monkeypatch.setattr(id_ranges, "BYTES", sum(p.spilled.size for p in given_parts[0]) // 4)
    assert len(list(id_ranges.ranges(given_parts, tmp_path))) in (4, 5)


# Whole runs


def picky(x: Any) -> Any:
    if x % 5 == 1:
        raise ValueError("picky")
    return x + 1


def other(x: Any) -> Any:
    return x * 2


def odd(x: Any) -> bool:
    return bool(x % 2)


def route(x: Any) -> str:
    return "large" if x > 20 else "small"


def sure(output: Any) -> float:
    return min(1.0, float(output) / 40)


def halves(x: Any) -> list[Any]:
    return [x, x + 0.5]


def lengths(outputs: Any) -> Any:
    return sorted((name, np.size(one)) for name, one in outputs.items())


def items(outputs: Any) -> Any:
    return sorted((name, float(getattr(one, "inference", one))) for name, one in outputs.items())


class Adds:
    def __init__(self, number: float) -> None:
        self.number = number

    def predict(self, batch: list[Any]) -> list[float]:
        return [float(one) + self.number for one in batch]


FUNCTIONS = {one.__name__: one for one in (picky, other, odd, route, sure, halves, items, lengths)}
JOIN = "map(items, missing='MODE')"
GRAPHS = {
    "failures in a branch": f"j = data | [picky, other, one] | {JOIN}",
    "a filter": f"p = data | filter(odd) | other\nq = data | one\nj = [p, q] | {JOIN}",
    "a cascade": (
        "p = data | cascade(one, two, below=0.5, score=sure)\n"
        f"q = data | other\nj = [p, q] | {JOIN}"
    ),
    "a switch": (
        "p = data | switch(route, small=picky, large=other) | one\n"
        f"q = data | two\nj = [p, q] | {JOIN}"
    ),
    "children": f"c = data | flat_map(halves)\nj = c | [one, two] | {JOIN}",
    "keys": f"l = data | one\nr = data | picky\nj = {{'left': l, 'right': r}} | {JOIN}",
    "a mean": "j = data | [one, two, picky] | mean(missing='MODE')",
    "a vote": "j = data | [one, two, other] | vote(missing='MODE')",
    "a model per key": (
        "p = data | keyed({'small': one, 'large': two}, by=route, group=True)\n"
        f"q = data | other\nj = [p, q] | {JOIN}"
    ),
    "several joins": (
        "s = data | [one, picky] | stack(missing='skip')\nq = data | other\n"
        "j = [s, q] | map(lengths, missing='MODE')"
    ),
}


@pytest.fixture
def models() -> None:
    for name, number in (("one", 1.0), ("two", 2.0)):
        if name not in mm.registry:
            mm.register(name, Adds(number))


def graph_of(text: str, **names: Any) -> mm.Graph:
    used = {name: one for name, one in FUNCTIONS.items() if name in text}
    return mm.pipeline(text, **used, **names)


def run(graph: mm.Graph, **options: Any) -> mm.Result:
    return mm.run(graph, progress=False, max_failed=1.0, **options)


def check_equal(one: mm.Result, two: mm.Result) -> None:
    for name in one:
        pd.testing.assert_frame_equal(one[name], two[name])
    order = ["node", "id"]
    pd.testing.assert_frame_equal(
        one.failed.sort_values(order, ignore_index=True),
        two.failed.sort_values(order, ignore_index=True),
    )
    counts = ["elements_in", "elements_out", "failed"]
    pd.testing.assert_frame_equal(one.nodes[counts], two.nodes[counts])


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("missing", ["fail", "skip", "use rest"])
@pytest.mark.parametrize("text", GRAPHS.values(), ids=GRAPHS)
def test_runs_of_both_forms_are_equal(text: str, missing: str) -> None:
    graph = graph_of(text.replace("MODE", missing), data=list(range(40)))
    check_equal(run(graph), run(graph, fresh=True, runner=FnApiRunner()))


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("missing", ["fail", "use rest"])
def test_of_files_with_ids_of_their_own(missing: str) -> None:
    numbers = np.random.default_rng(0).permutation(30)
    for part in range(3):
        names = [f"row {number}" for number in numbers[part::3]]
        pd.DataFrame({"name": names, "x": numbers[part::3]}).to_csv(f"{part}.csv", index=False)
    text = (
        'rows = read("*.csv", id="name")\np = rows["x"] | picky\nq = rows["x"] | one\n'
        f"j = [p, q] | map(items, missing={missing!r})"
    )
    graph = graph_of(text)
    check_equal(run(graph), run(graph, fresh=True, runner=FnApiRunner()))


@pytest.mark.usefixtures("models")
def test_of_cached_outputs_and_computed_ones() -> None:
    data = list(range(40))
    # InteractiveRunner stores the outputs of a model per key in the order of the keys.
    first = graph_of(
        "p = data | keyed({'small': one, 'large': two}, by=route, group=True)", data=data
    )
    run(first, runner=FnApiRunner())
    text = (
        "p = data | keyed({'small': one, 'large': two}, by=route, group=True)\n"
        "q = data | picky\nj = [p, q] | map(items, missing='use rest')"
    )
    found = run(graph_of(text, data=data))
    assert found.nodes["cached"].to_dict() == {"data": True, "p": True, "q": False, "j": False}
    wanted = run(graph_of(text, data=data), fresh=True, runner=FnApiRunner())
    pd.testing.assert_frame_equal(found["j"], wanted["j"])


def test_elements_that_occur_twice_fail_in_both_forms() -> None:
    text = (
        "l = data | other\nr = data | filter(odd)\nboth = {l, r} | half\n"
        "q = data | other\nj = [both, q] | map(items)"
    )
    graph = graph_of(text, data=list(range(40)), half=half)
    found, wanted = run(graph), run(graph, fresh=True, runner=FnApiRunner())
    pd.testing.assert_frame_equal(found["j"], wanted["j"])
    assert sorted(found.failed["id"]) == sorted(wanted.failed["id"])
    assert len(found.failed) == 20 and len(found["j"]) == 20


def half(x: Any) -> float:
    return x / 2


# Files


def spilled() -> list[Path]:
    return list(storage.session_folder().glob("join-*"))


@pytest.mark.usefixtures("models")
def test_no_file_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of("j = data | [one, picky] | map(items)", data=list(range(40)))
    seen: list[Path] = []
    ranges = id_ranges.ranges

    def watched(*given: Any) -> Any:
        seen.extend(one for folder in spilled() for one in folder.iterdir())
        return ranges(*given)

    monkeypatch.setattr(id_ranges, "ranges", watched)
    run(graph)
    assert seen and not spilled()
    with pytest.raises(mm.RunError, match="'picky'"):
        mm.run(graph, progress=False, fresh=True, max_failed=0.01)
    assert not spilled()


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("written", [0, 1, 3])
def test_on_a_full_disk_blocks_stay_in_memory(
    written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [written]

    def dump(value: Any, file: Any, *more: Any) -> None:
        if isinstance(value, Block) and isinstance(getattr(file, "name", None), int):
            left[0] -= 1
            if left[0] < 0:
                file.write(b"a part")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(value, file, *more)

    graph = graph_of("j = data | [one, two] | map(items)", data=list(range(40)))
    wanted = run(graph)
    whole = coders.dump
    monkeypatch.setattr(coders, "dump", dump)
    found = run(graph, fresh=True)
    assert left[0] < 0, "blocks were to be written"
    check_equal(found, wanted)
    assert not spilled()


@pytest.mark.usefixtures("models")
def test_several_workers_use_the_shuffle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: Any) -> Any:
        raise AssertionError("in files")

    graph = graph_of("j = data | [one, two] | map(items)", data=list(range(40)))
    wanted = run(graph)
    monkeypatch.setattr(gather, "_joined_in_files", refused)
    found = run(graph, fresh=True, options={"direct_num_workers": 2})
    check_equal(found, wanted)
