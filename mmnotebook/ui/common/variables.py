"""Access to the notebook's variables, for magics and completion."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics

from mmnotebook.errors import MMError, nearest
from mmnotebook.graph.checks import is_name
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import registry
from mmnotebook.graph.names import Names, is_a, role_of
from mmnotebook.notebook_state import variables_of
from mmnotebook.results import latest

Accepts = Callable[[Any], bool]


class VariableError(MMError):
    """A name in a magic's line is not a variable of the notebook, or has the wrong type."""


def is_graph(value: Any) -> bool:
    return isinstance(value, Graph)


def is_result(value: Any) -> bool:
    return is_a(value, {("mmnotebook", "Result")})


def is_cluster(value: Any) -> bool:
    return is_a(value, {("mmnotebook", "Cluster")})


def is_target(value: Any) -> bool:
    """Return whether a value can be registered as a model."""
    return role_of(value) == "unregistered" or isinstance(value, (str, PurePath))


def is_function(value: Any) -> bool:
    return role_of(value) == "function"


class Variables:
    """The variables of one notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def public(self) -> dict[str, Any]:
        """Return the user's variables, without private ones and those of IPython."""
        everything = variables_of(self._shell)
        return {name: value for name, value in everything.items() if not name.startswith("_")}

    def names(self) -> Names:
        """Return the lookup of names for a pipeline's text."""
        return Names(models=registry, given={}, notebook=self.public())

    def has(self, name: str) -> bool:
        """Return whether this variable exists, also if it is private or belongs to IPython."""
        return name in self._shell.user_ns

    def of(self, accepts: Accepts) -> list[str]:
        """Return the names of the variables for whose values `accepts` returns True."""
        return [name for name, value in self.public().items() if accepts(value)]

    def graph(self, name: str) -> Graph:
        found = self._find(
            name, "pipeline", is_graph, self._creation_hint(name, "%%mm_pipeline {} creates one")
        )
        assert isinstance(found, Graph)
        return found

    def result(self, name: str | None) -> Any:
        """Return the result with this name, or the latest result if `name` is None."""
        if name is not None:
            if is_a(self._shell.user_ns.get(name), {("mmnotebook", "Running")}):
                remedy = f"{name}.result() waits for its result: {name} = {name}.result()"
                raise VariableError(f"{name!r} is a run in the background", remedy=remedy)
            remedy = self._creation_hint(name, "%mm_run PIPELINE -o {} creates one")
            return self._find(name, "result", is_result, remedy)
        if latest.last() is None:
            raise VariableError("nothing has been run yet", remedy="%mm_run PIPELINE runs one")
        return latest.last()

    def cluster(self, name: str) -> Any:
        """Return the cluster with this name."""
        hint = self._creation_hint(name, '{} = mm.cluster("FlinkRunner", ...) describes one')
        return self._find(name, "cluster", is_cluster, hint)

    def target(self, text: str) -> Any:
        """Return the model that a word names: a variable, an attribute, or the path of a file."""
        if text in self._shell.user_ns:
            return self._shell.user_ns[text]
        if Path(text).expanduser().exists():
            return text
        found = self._attribute(text)
        if found is not None:
            return found
        if "(" in text or "[" in text:
            remedy = "assign it to a variable first, and pass its name"
            raise VariableError(f"{text!r} is neither a variable nor a file", remedy=remedy)
        if is_name(text):
            remedy = "pass a module, an estimator, a Beam handler, or the path of a file"
            return self._find(text, "model", is_target, remedy)
        return text

    def function(self, name: str, kind: str) -> Any:
        """Return a function or class: a variable, an attribute of one, or a builtin."""
        if name not in self._shell.user_ns:
            found = self._attribute(name) if "." in name else getattr(builtins, name, None)
            if callable(found):
                return found
        return self._find(name, kind, is_function, f"define {name} in a cell above")

    def _attribute(self, text: str) -> Any:
        """Return the value of `variable.attribute`; None if it does not exist."""
        first, *rest = text.split(".")
        value = self._shell.user_ns.get(first) if rest else None
        for attribute in rest:
            value = getattr(value, attribute, None)
        return value

    def assign(self, name: str, value: Any) -> None:
        self._shell.user_ns[name] = value

    def assign_graph(self, name: str | None, graph: Graph) -> None:
        """Assign a graph; raise UsageError if this would overwrite an object of the graph."""
        if name is None:
            return
        uses = {name for node in graph for name in (*node.data, *node.functions)}
        uses |= set(graph.pipelines)
        if name in uses:
            raise UsageError(f"{name!r} is used in this pipeline; give the pipeline another name")
        self.assign(name, graph)

    def _creation_hint(self, name: str, how: str) -> str:
        """Describe how to create a variable with this name, or a similar name if it is in use."""
        if name not in self._shell.user_ns:
            return how.format(name)
        free, count = f"{name}_2", 2
        while free in self._shell.user_ns:
            count += 1
            free = f"{name}_{count}"
        return f"{how.format(free)}, and does not change {name}"

    def _find(self, name: str, kind: str, accepts: Accepts, remedy: str) -> Any:
        variables = self._shell.user_ns
        if name in variables and accepts(variables[name]):
            return variables[name]
        known = sorted(self.of(accepts))
        if name in variables:
            text = f"{name!r} is not a {kind}: it is a {type(variables[name]).__name__}"
        else:
            text = f"no {kind} is named {name!r}"
        text += f"; in this notebook: {', '.join(known) or 'none'}"
        if close := nearest(name, known):
            text += f"; did you mean {close!r}?"
        raise VariableError(text, remedy=remedy)


class NotebookMagics(Magics):
    """Magics whose arguments are names of variables."""

    @property
    def variables(self) -> Variables:
        """The notebook's variables."""
        assert self.shell is not None
        return Variables(self.shell)
