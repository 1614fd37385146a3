"""Every edit that changes a function's results changes its digest; other edits do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmnotebook.fingerprint.identity import Unknowable, digest
from tests.unit import hunting, hunting_libraries, hunting_objects
from tests.unit.hunting import Edit

CHANGES = [*hunting.CHANGES, *hunting_objects.CHANGES, *hunting_libraries.CHANGES]
SAME = [*hunting.SAME, *hunting_objects.SAME, *hunting_libraries.SAME]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with a user's modules."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("hunted", None)


def outcome(f: Any) -> str:
    """Return the results of a function, or its error."""
    try:
        return repr(f(3))
    except Exception as error:  # noqa: BLE001 - the failure itself is the result
        return repr(error)


def before_and_after(edit: Edit, folder: Path) -> list[tuple[str, str | None]]:
    """Return f's results and digest, before and after; None if f is not cacheable."""
    found: list[tuple[str, str | None]] = []
    for after in (False, True):
        names = edit.cell(after, folder)
        try:
            known: str | None = digest(names["f"])
        except Unknowable:
            known = None
        found.append((outcome(names["f"]), known))
        names.get("undo", int)()
    edit.unload()
    return found


def ids(edits: list[Edit]) -> list[str]:
    return [f"{edit.kind} {place}" for place, edit in enumerate(edits)]


@pytest.mark.parametrize("edit", CHANGES, ids=ids(CHANGES))
def test_an_edit_that_changes_what_it_gives(edit: Edit, folder: Path) -> None:
    (given, before), (given_then, after) = before_and_after(edit, folder)
    assert given != given_then, "the edit changes nothing"
    assert before is None or before != after


@pytest.mark.parametrize("edit", SAME, ids=ids(SAME))
def test_an_edit_that_changes_nothing(edit: Edit, folder: Path) -> None:
    (given, before), (given_then, after) = before_and_after(edit, folder)
    assert given == given_then, "the edit changes the result"
    assert before is not None and before == after


@pytest.mark.parametrize("edit", SAME, ids=ids(SAME))
def test_a_call_leaves_the_digest_as_it_is(edit: Edit, folder: Path) -> None:
    names = edit.cell(False, folder)
    before = digest(names["f"])
    outcome(names["f"])
    assert digest(names["f"]) == before
    names.get("undo", int)()


PROCESS = """
import sys, tempfile, warnings
from mmnotebook.fingerprint.identity import Unknowable, digest
from pathlib import Path
from tests.unit.test_fingerprint_hunt import CHANGES, SAME

warnings.simplefilter("ignore")
sys.dont_write_bytecode = True
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
edits = [*enumerate([*CHANGES, *SAME])]
for place, edit in reversed(edits) if sys.argv[2] == "backwards" else edits:
    names = edit.cell(False, folder)
    try:
        print(place, digest(names["f"]))
    except Unknowable as reason:
        print(place, reason)
    names.get("undo", int)()
    edit.unload()
    sys.modules.pop("hunted", None)
"""


def test_every_process_finds_the_same_digests_in_any_order(tmp_path: Path) -> None:
    """Check with other hash seeds, another order of imports, and other code before."""
    running = []
    for seed, order in (("1", "forwards"), ("2", "backwards")):
        folder = tmp_path / order
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROCESS, str(folder), order],
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        running.append(process)
    one, other = (process.communicate()[0].splitlines() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(set(one).symmetric_difference(other)) == []
    assert len(one) == len(CHANGES) + len(SAME)
