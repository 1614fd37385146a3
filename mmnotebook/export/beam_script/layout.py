"""The text of a script: its sections in order, formatted if ruff is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from itertools import groupby


def formatted(text: str) -> str:
    """Return a script with its imports and lines as ruff writes them, if ruff is installed."""
    if importlib.util.find_spec("ruff") is None:
        return text
    for command in (("check", "--select", "I", "--fix", "--quiet"), ("format",)):
        line = [sys.executable, "-m", "ruff", *command, "--isolated", "-"]
        done = subprocess.run(line, input=text, capture_output=True, text=True, check=False)
        text = done.stdout if done.returncode == 0 else text
    return text


def section(title: str, parts: Iterable[str]) -> list[str]:
    """Return a section with a title; [] without parts."""
    texts = [part.strip("\n") for part in parts]
    return [f"# {title}", *texts] if texts else []


def imports(statements: Iterable[str]) -> str:
    """Return import statements, sorted: Python's own first, names of one module together."""
    plain = {one for one in statements if one.startswith("import ")}
    names: dict[str, set[str]] = {}
    for one in statements:
        if one.startswith("from "):
            module, _, imported = one.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).update(part.strip() for part in imported.split(","))
    plain |= {f"from {module} import {', '.join(sorted(found))}" for module, found in names.items()}
    key = sorted(plain, key=_order)
    return "\n\n".join("\n".join(group) for _, group in groupby(key, _is_other))


def _is_other(statement: str) -> bool:
    return statement.split()[1].partition(".")[0] not in sys.stdlib_module_names


def _order(statement: str) -> tuple[bool, bool, str]:
    return _is_other(statement), statement.startswith("from "), statement
