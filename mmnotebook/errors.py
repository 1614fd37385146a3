"""The public errors. A message says what was found, what is allowed and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_COLORS = re.compile(r"\x1b\[[0-9;]*m")  # terminal colors; some libraries put them into messages
_LONGEST = 4000
"""The maximum length of an error message, in characters."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name in `names` that is most similar to `name`, or None if none is similar."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return close[0] if close else None


def no_attribute(of: str, name: str, known: Iterable[str]) -> AttributeError:
    """Return the AttributeError for a missing attribute; it suggests the most similar name."""
    close = None if name.startswith("_") else nearest(name, known)
    hint = f"; did you mean {close!r}?" if close else ""
    return AttributeError(f"{of} has no attribute {name!r}{hint}")


def counted(count: int, noun: str) -> str:
    """Format a count with its noun: `1 model`, `2,000 models`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def cut(text: str, limit: int) -> str:
    """Shorten a text longer than `limit`: keep its start and its end, and show its length."""
    if len(text) <= limit:
        return text
    middle = f"… ({len(text):,} characters) …"
    end = limit // 4
    return text[: max(0, limit - end - len(middle))] + middle + text[len(text) - end :]


def text_of(error: BaseException) -> str:
    """Return the message of an error; a very long message is cut in the middle."""
    try:
        return cut(str(error), _LONGEST)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:  # noqa: BLE001 - the exception's own `__str__` failed
        return "(its message cannot be shown)"


def one_line(error: BaseException, limit: int = 300) -> str:
    """Format an error as `ValueError: text`, in one line of at most `limit` characters."""
    text = " ".join(f"{type(error).__name__}: {_COLORS.sub('', text_of(error))}".split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown(value: object) -> str:
    """Describe a value by its type and the start of its repr, a pandas table by its shape."""
    kind = type(value).__name__
    try:
        if kind in ("DataFrame", "Series"):
            return f"a {kind} of shape {tuple(value.shape)}"  # type: ignore[attr-defined]
        found = repr(value[:1000]) if isinstance(value, (str, bytes)) else repr(value)
    except Exception:  # noqa: BLE001 - the object's own `__repr__` failed
        return f"a {kind} that cannot be shown"
    text = " ".join(found[:1000].split("\n", 1)[0].split())
    text = text if len(text) <= 60 else text[:59] + "…"
    return f"{text} ({kind})"


class MMError(Exception):
    """Base class of all errors that mmnotebook raises.

    Parameters
    ----------
    message
        What was found, with the offending value.
    remedy
        How the user can fix it; shown on a separate line.

    Attributes
    ----------
    message, remedy
        The values of the parameters.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> try:
    ...     mm.register("three", 3)
    ... except mm.MMError as error:
    ...     print(error.message)
    cannot register 3 (int) as 'three': it is not a model
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message}\n  → {self.remedy}"

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a stack trace."""
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a graph.

    Attributes
    ----------
    message
        What is wrong, in one sentence.
    node
        The node that has the problem; None if the problem does not belong to a single node.
    line, column
        The position in the text, both counted from 1; None for a graph that was not read from text.
    found, allowed, nearest
        What was found, what is allowed, and the most similar allowed name.
    """

    message: str
    node: str | None = None
    line: int | None = None
    column: int | None = None
    found: str | None = None
    allowed: str | None = None
    nearest: str | None = None

    def __str__(self) -> str:
        place = []
        if self.line is not None:
            place.append(f"line {self.line}, column {self.column}")
        if self.node is not None:
            place.append(f"node {self.node!r}")
        text = (", ".join(place) + ": " if place else "") + self.message
        if self.found is not None:
            text += f"; found {self.found}"
        if self.allowed is not None:
            text += f"; allowed: {self.allowed}"
        if self.nearest is not None:
            text += f"; did you mean {self.nearest!r}?"
        return text


class Gap(Problem):
    """A missing part of an incomplete graph; the other parts can be valid."""


class GraphError(MMError):
    """A graph or its text is not valid.

    Attributes
    ----------
    problems
        All problems that were found. Each has the attributes message, node, line, column (from 1),
        found, allowed and nearest.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> try:
    ...     mm.parse("rows | vote(wieghts=2)")
    ... except mm.GraphError as error:
    ...     print(error.problems[0])
    line 1, column 21: vote has no parameter 'wieghts'; found 2; allowed: missing
    """

    def __init__(self, problems: Sequence[Problem], *, remedy: str | None = None) -> None:
        self.problems = tuple(problems)
        head = str(self.problems[0])
        if len(self.problems) > 1:
            head = f"{len(self.problems)} problems\n" + "\n".join(f"  {p}" for p in self.problems)
        super().__init__(head, remedy=remedy)


class ModelWarning(UserWarning):
    """A warning about the predictions of a model.

    Issued, for example, when an element's output depends on the other elements of its batch.
    """


class CacheWarning(UserWarning):
    """A warning that a cached output differs from the recomputed output.

    See Also
    --------
    mmnotebook.cache : `mm.cache.verify` sets which nodes are checked.
    """


class ModelError(MMError):
    """A model cannot be registered, found or loaded."""


class UnknownModelError(ModelError, KeyError):
    """No model is registered under this name. This is also a KeyError."""


class RunError(MMError):
    """A run failed or was stopped.

    Attributes
    ----------
    node, model
        The node and model at which the run stopped, if known.
    result
        The `Result` of what was computed, or None.
    failed
        A DataFrame of the failures so far, or None. Columns: node, id, error, message, traceback.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | inverse", numbers=[0, 1], inverse=lambda x: 1 / x)
    >>> try:
    ...     result = mm.run(graph, progress=False)
    ... except mm.RunError as error:
    ...     print(error.node, list(error.failed["error"]))
    inverse ['ZeroDivisionError']
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        node: str | None = None,
        model: str | None = None,
        result: Any = None,
        failed: Any = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.node = node
        self.model = model
        self.result = result
        self.failed = failed


class InterruptedRunError(RunError, KeyboardInterrupt):
    """A run was canceled, by Ctrl-C or `Running.cancel`. This is also a KeyboardInterrupt."""


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Raise InterruptedRunError, which has no stack trace in a notebook, for a Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt as error:
        if isinstance(error, MMError):
            raise
        raise InterruptedRunError(message, remedy="run it again when you like") from None


class InterruptedWaitError(RunError, KeyboardInterrupt):
    """A wait for a run was interrupted; the run continues. This is also a KeyboardInterrupt."""


class StillRunningError(RunError, TimeoutError):
    """A run did not end within the timeout; it continues. This is also a TimeoutError."""


class ResultError(MMError):
    """A request to a result failed, for example because of an unknown id or a wrong `where=`."""


class StorageError(MMError):
    """The cache folder cannot be used, or has no space left.

    Attributes
    ----------
    errno
        The error number of the system, or None.
    """

    def __init__(
        self, message: str, *, remedy: str | None = None, errno: int | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.errno = errno
