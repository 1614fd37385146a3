"""The notation: `name = data | step | step`, in Python's grammar, parsed and never executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mmnotebook.errors import GraphError, Problem, nearest, shown
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import registry
from mmnotebook.graph.names import Names, how_to_register, notebook_names, role_of
from mmnotebook.notation.log import Log, listed
from mmnotebook.notation.reader import NotationReader
from mmnotebook.notation.writer import to_text
from mmnotebook.notebook_state import of_caller, shell

__all__ = ["parse", "pipeline", "to_text"]


def parse(text: str, names: Names | None = None) -> Graph:
    """Parse a pipeline's text into a graph.

    Parameters
    ----------
    text
        Lines `name = data | step | step`; the name and its `=` are optional.
    names
        Lookup of bare names. If None, a new name at the start of a line is data, and a name after
        a `|` is a model.

    Returns
    -------
    Graph
        A graph of names; `Graph.bind` binds objects to them.

    Raises
    ------
    GraphError
        With all problems that were found, each with its line and column.

    See Also
    --------
    pipeline : Parse a text and look up its names.
    to_text : The reverse: the text of a graph.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.parse("digits | [mlp, tree] | vote()")
    >>> graph.names
    ('digits', 'mlp', 'tree', 'vote')
    """
    log = Log(text)
    graph = _read(log, names)
    log.raise_all()
    return graph


def _read(log: Log, names: Names | None) -> Graph:
    """Read as much of a text as possible; add its problems to the log."""
    tree = log.tree()
    try:
        return NotationReader(names, log).read(tree)
    except RecursionError:
        raise GraphError([Problem("nested too deeply", None, 1, 1)]) from None


def pipeline(text: str, /, **names: object) -> Graph:
    """Create a graph from its text, with the given objects bound to their names.

    Parameters
    ----------
    text
        Lines `name = data | step | step`.
    **names
        Data, functions and pipelines of the text. Other names are looked up among the registered
        models, and then in the notebook. Variables of a function, a module or a script are not
        looked up: pass them here.

    Returns
    -------
    Graph
        The graph; `run` runs it.

    Raises
    ------
    GraphError
        If the text is not valid, or does not use a name that was passed.

    See Also
    --------
    register : Register a model under the name that the text uses.
    parse : Parse a text without looking up its names.
    to_text : The reverse: the text of a graph.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    numbers | map(double)
    """
    return bound(text, names, "mm.pipeline(..., {})".format)


def bound(text: str, names: Mapping[str, object], call: Callable[[str], str]) -> Graph:
    """Create a graph from its text, with the given objects bound to their names.

    `call` returns the text of a call for an error message. It receives the missing arguments as
    text, such as `a=a, b=b`.
    """
    _check_text(text)
    log = Log(text)
    graph = _read(log, Names(models=registry, given=names, notebook=notebook_names()))
    log.remedies += _how_to_give(log.unbound, call)
    log.raise_all()
    _refuse_unused(names, graph)
    return graph.bind(**{k: value for k, value in names.items() if not isinstance(value, Graph)})


def _how_to_give(unbound: Mapping[str, str | None], call: Callable[[str], str]) -> Iterator[str]:
    """Yield remedies for undefined names: register a model, or pass an object.

    A name that is not a variable of the caller has a remedy only outside a notebook, and only if no
    known name is similar to it. A similar name is probably a misspelling.
    """
    there = of_caller(unbound)
    models = [name for name, value in there.items() if role_of(value) == "unregistered"]
    for name in models:
        yield f"register it first: {how_to_register(name)}"
    elsewhere = shell() is None
    absent = [
        name
        for name, close in unbound.items()
        if name not in models and (name in there or (elsewhere and close is None))
    ]
    if absent:
        yield call(", ".join(f"{name}={name}" for name in absent))


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        problem = Problem("a pipeline is a string", found=shown(text))
        raise GraphError([problem], remedy='mm.pipeline("data | model", data=...)')


def _refuse_unused(given: Mapping[str, object], graph: Graph) -> None:
    bound = {name for node in graph for name in (*node.data, *node.functions)}
    models = {name for node in graph for name in node.models}
    hidden = [name for name in given if name in models - bound and name in registry]
    _refuse_hidden(
        [name for name in hidden if role_of(given[name]) in ("data", "function", "transform")]
    )
    used = bound | models
    every = used.union(graph.pipelines)
    unused = [
        Problem(
            "an object was passed with a name that the text does not use",
            found=repr(name),
            allowed=listed(every),
            nearest=nearest(name, every),
        )
        for name, value in given.items()
        if name not in (graph.pipelines if isinstance(value, Graph) else used)
    ]
    if unused:
        raise GraphError(unused, remedy="leave the name out, or use it in the text")


def _refuse_hidden(names: Sequence[str]) -> None:
    """Raise GraphError for passed objects that have the name of a registered model."""
    if names:
        message = "an object was passed with the name of a registered model, which the text uses"
        problems = [Problem(message, found=repr(name)) for name in names]
        remedy = "rename the object, or write map(f) for a function and source(d) for data"
        raise GraphError(problems, remedy=remedy)
