"""Check the architecture: `python -m tests.house`; `--plan` prints the layers.

It counts circular imports, imports that go upwards through the layers of `setup.cfg`, public class
names that are used twice, private names of other packages outside of the package `compat`, and
comparisons with the names of step kinds.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path

import grimp
import networkx

ROOT = Path(__file__).parents[1]
PACKAGE = "mmnotebook"
KINDS = "mmnotebook/steps/kinds/"
"""The folder with a module per step kind."""
COMPAT = "compat"
"""The package whose modules may use private names of other packages."""


def graph() -> grimp.ImportGraph:
    """Return the import graph at run time, including imports inside functions."""
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def circles(imports: grimp.ImportGraph) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or indirectly."""
    arrows = networkx.DiGraph()
    for module in imports.modules:
        found = imports.find_modules_directly_imported_by(module)
        arrows.add_edges_from((module, one) for one in found)
    return [sorted(one) for one in networkx.strongly_connected_components(arrows) if len(one) > 1]


def layers() -> dict[str, list[set[str]]]:
    """Return the layers of each container, from the top down, from the contracts."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    contracts = [config[name] for name in config.sections() if ":contract:" in name]
    return {
        contract["containers"].strip(): [
            {name.strip(" ()") for name in line.split("|")}
            for line in contract["layers"].strip().splitlines()
        ]
        for contract in contracts
        if contract["type"] == "layers"
    }


def upward(imports: grimp.ImportGraph) -> list[tuple[str, str]]:
    """Return imports from a higher or independent layer, in every container that has layers."""
    found = []
    for container, floors in layers().items():
        place = {f"{container}.{name}": at for at, names in enumerate(floors) for name in names}
        for module in imports.modules:
            mine = _inside(module, container)
            for other in imports.find_modules_directly_imported_by(module):
                its = _inside(other, container)
                if mine in place and its in place and mine != its and place[its] <= place[mine]:
                    found.append((module, other))
    return found


def _inside(module: str, container: str) -> str:
    """Return the child of a container that a module is or is in."""
    rest = module.removeprefix(f"{container}.")
    return module if rest == module else f"{container}.{rest.partition('.')[0]}"


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module's path in the package, and its code."""
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        if "node_modules" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def doubles() -> dict[str, list[str]]:
    """Return the modules of each public class name that is defined more than once."""
    found = defaultdict(list)
    for path, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


_PUBLIC = {"_asdict", "_fields", "_field_defaults", "_make", "_replace", "_ipython_display_"}
"""Public names of named tuples, underscored so that no field has them, and of IPython."""


def _is_private(name: str) -> bool:
    if name in _PUBLIC or (name.startswith("_repr_") and name.endswith("_")):  # IPython's methods
        return False
    return name.startswith("_") and not name.startswith("__") and name.strip("_") != ""


def _own(tree: ast.Module) -> set[str]:
    """Return the names that a module itself defines, also in its classes and objects."""
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Store):
            own.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return own


def _inherited(path: str, trees: Mapping[str, ast.Module]) -> set[str]:
    """Return the names that a module and the modules of its base classes define."""
    tree = trees[path]
    found = _own(tree)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {name.id for one in classes for base in one.bases for name in _names(base)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and bases & {one.name for one in node.names}:
            place = (node.module or "").replace(".", "/")
            for other in (f"{place}.py", f"{place}/__init__.py"):
                found |= _inherited(other, trees) if other in trees else set()
    return found


def _names(node: ast.AST) -> list[ast.Name]:
    return [one for one in ast.walk(node) if isinstance(one, ast.Name)]


def foreign(
    allowed: bool = False, trees: Mapping[str, ast.Module] | None = None
) -> list[tuple[str, int, str]]:
    """Return the uses of underscored names of other packages: path, line and name.

    An underscored attribute belongs to another package unless its module defines that name; for
    attributes of `self`, a module of a base class may define it too. Attributes of what a module
    imports from another package always belong to that package.

    Parameters
    ----------
    allowed
        Whether to return the uses in `compat` instead of those outside.
    trees
        The code of the modules by path. Default: the modules of the package.
    """
    trees = dict(modules()) if trees is None else trees
    found = []
    for path, tree in trees.items():
        if (Path(path).parts[1] == COMPAT) != allowed:
            continue
        own, inherited, imported = _own(tree), _inherited(path, trees), _imported(tree)
        for node in ast.walk(tree):
            for name, owner in _underscored(node):
                root = None if owner is None else _root(owner)
                known = inherited if root in ("self", "cls", "super") else own
                if owner is None or root in imported or name not in known:
                    found.append((path, getattr(node, "lineno", 0), name))
    return found


def _imported(tree: ast.Module) -> set[str]:
    """Return the names that a module imports from other packages."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.asname or one.name.partition(".")[0] for one in node.names]
            found |= {name for name in names if name != PACKAGE}
        elif isinstance(node, ast.ImportFrom) and not _is_ours(node):
            found |= {one.asname or one.name for one in node.names}
    return found


def _is_ours(node: ast.ImportFrom) -> bool:
    return node.level > 0 or (node.module or "").partition(".")[0] == PACKAGE


def _root(node: ast.AST) -> str | None:
    """Return the name with which an expression such as `a.b(c).d` begins; None if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _underscored(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield the underscored names that a node uses, with the object; None for an import."""
    if isinstance(node, ast.ImportFrom) and not _is_ours(node):
        names = [*(node.module or "").split("."), *(one.name for one in node.names)]
        yield from ((name, None) for name in names if _is_private(name))
    elif isinstance(node, ast.Import):
        parts = [part for one in node.names for part in one.name.split(".")]
        yield from ((part, None) for part in parts if _is_private(part))
    elif isinstance(node, ast.Attribute) and _is_private(node.attr):
        yield node.attr, node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
        if node.func.id in ("getattr", "setattr", "hasattr"):
            names = [one for one in texts if isinstance(one, str) and _is_private(one)]
            yield from ((name, node.args[0]) for name in names)


def named_kinds(trees: Iterable[tuple[str, ast.Module]] | None = None) -> list[str]:
    """Return the comparisons with the name of a step kind outside of its own module."""
    names = {path.stem for path in (ROOT / KINDS).glob("*.py") if path.stem != "__init__"}
    found = []
    for path, tree in modules() if trees is None else trees:
        if path.startswith(KINDS):
            continue
        for node in ast.walk(tree):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            if any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in sides):
                texts = [one for side in sides for one in ast.walk(side)]
                values = [one.value for one in texts if isinstance(one, ast.Constant)]
                found += [f"{path}:{node.lineno} {one}" for one in values if one in names]
    return found


def plan() -> str:
    """Return the layers of the package as a Markdown table, with the docstrings of its parts."""
    lines = ["| layer | what it holds |", "|---|---|"]
    for names in layers()[PACKAGE]:
        for name in sorted(names):
            path = ROOT / PACKAGE / name
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if file.is_file():
                text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
                shown = f"`{name}/`" if path.is_dir() else f"`{name}.py`"
                lines.append(f"| {shown} | {text.splitlines()[0]} |")
    return "\n".join(lines)


def main() -> int:
    """Print each count and its items."""
    if "--plan" in sys.argv:
        print(plan())  # noqa: T201
        return 0
    imports = graph()
    found = {
        "circles": [" ".join(one) for one in circles(imports)],
        "upward imports": [f"{module} -> {other}" for module, other in upward(imports)],
        "double class names": [f"{name}: {', '.join(at)}" for name, at in doubles().items()],
        "underscored names of other packages": [
            f"{p}:{line} {name}" for p, line, name in foreign()
        ],
        "step kinds named elsewhere": named_kinds(),
    }
    for what, ones in found.items():
        print(f"{what}: {len(ones)}", *(f"  {one}" for one in ones), sep="\n")  # noqa: T201
    inside = Counter(path for path, _, _ in foreign(allowed=True))
    print("only in compat:", *(f"  {path}: {count}" for path, count in inside.items()), sep="\n")  # noqa: T201
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
