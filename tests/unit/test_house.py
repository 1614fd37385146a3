"""The architecture rules are kept, and CONTRIBUTING shows the current layers."""

from __future__ import annotations

import ast
import re

import pytest

from tests import house

CONTRIBUTING = (house.ROOT / "CONTRIBUTING.md").read_text("utf-8")
NAMED = re.findall(r"\| `(mmnotebook/[\w/]+\.py)` \| `(\w+)` \|", CONTRIBUTING)


def test_no_imports_are_circular() -> None:
    assert house.circles(house.graph()) == []


def test_no_import_runs_upwards() -> None:
    assert len(house.layers()) >= 4
    assert house.upward(house.graph()) == []


def test_every_public_class_has_a_name_of_its_own() -> None:
    assert house.doubles() == {}


def test_private_names_of_other_packages_are_used_in_compat_only() -> None:
    assert house.foreign() == []
    assert len(house.foreign(allowed=True)) > 20


def test_no_step_kind_is_compared_by_name() -> None:
    assert house.named_kinds() == []


def test_contributing_has_the_layers_as_they_are() -> None:
    shown = CONTRIBUTING.partition("<!-- layers -->\n")[2].partition("\n<!-- end of layers -->")[0]
    assert shown == house.plan(), "python -m tests.house --plan prints the current table"


def test_contributing_names_many_places() -> None:
    assert len(NAMED) >= 15


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_named_place_exists(path: str, name: str) -> None:
    body = ast.parse((house.ROOT / path).read_text("utf-8")).body
    names = {getattr(node, "name", None) for node in body}
    targets = [node.target for node in body if isinstance(node, ast.AnnAssign)]
    assert name in names | {target.id for target in targets if isinstance(target, ast.Name)}


class TestTheChecks:
    """Each check finds violations."""

    def test_an_upward_import(self) -> None:
        imports = house.graph()
        imports.add_import(importer="mmnotebook.graph.graph", imported="mmnotebook.ui.magics")
        imports.add_import(
            importer="mmnotebook.beam.dofns.tracking", imported="mmnotebook.beam.compiler"
        )
        assert len(house.upward(imports)) == 2

    def test_a_circle(self) -> None:
        imports = house.graph()
        imports.add_import(importer="mmnotebook.errors", imported="mmnotebook.graph.graph")
        assert any("mmnotebook.errors" in found for found in house.circles(imports))

    @pytest.mark.parametrize(
        ("line", "count"),
        [
            ('node.kind == "switch"', 1),
            ('node.kind in ("map", "filter")', 2),
            ('"write" != above.kind', 1),
            ('dtype.kind == "f"', 0),
            ('node.name == "map"', 0),
        ],
    )
    def test_the_name_of_a_step_kind(self, line: str, count: int) -> None:
        trees = [("mmnotebook/ui/any.py", ast.parse(line))]
        assert len(house.named_kinds(trees)) == count

    @pytest.mark.parametrize(
        ("line", "found"),
        [
            ("from torch import _C", ["_C"]),
            ("import _abc", ["_abc"]),
            ("frame._hidden", ["_hidden"]),
            ("getattr(frame, '_hidden', None)", ["_hidden"]),
            ("row._asdict()", []),
            ("view._repr_html_()", []),
            ("self._own", []),
            ("self._above", []),
            ("super()._above()", []),
            ("other._own", []),
            ("getattr(other, '_own')", []),
            ("from mmnotebook.graph import _private", []),
            # names that the package uses too
            ("other._above", ["_above"]),
            ("self._elsewhere", ["_elsewhere"]),
            ("frame._elsewhere", ["_elsewhere"]),
            ("getattr(frame, '_elsewhere')", ["_elsewhere"]),
            ("pd.DataFrame._own", ["_own"]),
            ("pd.DataFrame(rows)['x']._own", ["_own"]),
            ("getattr(pd.Series, '_own')", ["_own"]),
        ],
    )
    def test_a_name_of_another_package(self, line: str, found: list[str]) -> None:
        own = (
            "import pandas as pd\nfrom mmnotebook.above import Above\n"
            "class Own(Above):\n    _own = 1\n"
        )
        trees = {
            "mmnotebook/here.py": ast.parse(own + line),
            "mmnotebook/above.py": ast.parse("class Above:\n    def _above(self): pass"),
            "mmnotebook/there.py": ast.parse("class Other:\n    _elsewhere: int"),
        }
        assert [name for _, _, name in house.foreign(trees=trees)] == found

    def test_compat_may_use_the_names_of_other_packages(self) -> None:
        trees = {"mmnotebook/compat/torch.py": ast.parse("from torch import _C")}
        assert house.foreign(trees=trees) == []
        assert house.foreign(allowed=True, trees=trees) == [("mmnotebook/compat/torch.py", 1, "_C")]
