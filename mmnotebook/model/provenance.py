"""The source of a registered model, and the check whether it has changed.

A model is loaded from disk: from a user's file, or the private file in which a live object was
stored. The registered target is checked before a graph is planned. The files that the model is
loaded from are checked before and after it is loaded, and when its outputs are stored.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmnotebook.errors import ModelError, one_line
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import Deferred, Unknowable, deferring, digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import held_files
from mmnotebook.model.framework import Framework, Options
from mmnotebook.model.held_files import Files
from mmnotebook.observing import pickle_references

ATTEMPTS = 3
"""The most attempts to store something that changes meanwhile."""

_learnt: dict[tuple[str, Files], frozenset[pickle_references.Reference]] = {}
# What the pickles of a model refer to in modules, as seen when it was loaded.


class ModelChanged(ModelError):
    """A model has changed since the run was planned: the run must be planned again."""


@dataclass(frozen=True)
class State:
    """The state of a registered target at one moment: its content, and that of its files.

    Attributes
    ----------
    left
        What its code may do, to be observed when it runs.
    """

    content: str
    files: Files
    left: Deferred = field(default_factory=Deferred, compare=False)

    def within(self, other: State) -> bool:
        """Return whether the state is a part of one that is known later."""
        return self.content == other.content and set(self.files) <= set(other.files)


@dataclass(frozen=True)
class Given:
    """What a model was registered from.

    Attributes
    ----------
    target
        Returns the live object or the path; None if the object is gone and can no longer change.
    framework, options
        Its framework, and the options for it.
    state
        Its state at that time; None if it cannot be known.
    whole
        All options that were passed to `register`.
    """

    target: Callable[[], Any]
    framework: Framework
    options: Options
    state: State | None
    whole: Mapping[str, Any] = field(default_factory=dict)


def holder(target: Any) -> Callable[[], Any]:
    """Return a function that returns the target as long as somebody else holds it."""
    if isinstance(target, (str, Path)):
        return lambda: target
    try:
        is_method = hasattr(target, "__self__") and hasattr(target, "__func__")
        return weakref.WeakMethod(target) if is_method else weakref.ref(target)
    except TypeError:
        return lambda: target


def state(framework: Framework, target: Any, options: Options, paths: Iterable[str] = ()) -> State:
    """Return the state of a target now: a file and `paths`, or an object and the files it names.

    Raises
    ------
    Unknowable
        When it cannot be known.
    """
    with deferring() as left:
        return replace(_state_now(framework, target, options, paths), left=left)


def _state_now(framework: Framework, target: Any, options: Options, paths: Iterable[str]) -> State:
    made_with = (options.model_class, dict(options.model_params), dict(options.extra))
    if isinstance(target, str):
        return State(target, held_files.files(held_files.paths(made_with)))
    if isinstance(target, Path):
        own = (os.path.realpath(target), digest(made_with))
        return State(digest(own), held_files.files((*paths, *held_files.paths(made_with)), target))
    try:
        content = framework.content(target)
    except (Unknowable, RecursionError):
        raise
    except Exception as error:
        raise Unknowable(f"its content cannot be fingerprinted: {one_line(error)}") from error
    return State(content, held_files.files(held_files.paths(target, made_with)))


def stored(name: str, target: Any, framework: Framework, options: Options) -> ModelSpec:
    """Store a target in its current state, and return its spec.

    Raises
    ------
    ModelError
        When it cannot be stored, or keeps changing.
    """
    for _ in range(ATTEMPTS):
        before = _state(framework, target, options)
        with pickle_references.noting() as noted:
            spec = framework.store(name, target, options)
        after = _state(framework, target, options, [path for path, _ in spec.files])
        if isinstance(before, State) and isinstance(after, State) and not before.within(after):
            continue
        spec = replace(spec, references=noted.references | _libraries(framework, spec))
        known = after if isinstance(after, State) else None
        given = Given(holder(target), framework, options, known)
        if known is None:
            return replace(spec, given=given, files=(), unknown=str(after))
        live = not isinstance(target, (str, Path))
        fingerprint = known.content if live else spec.fingerprint
        return replace(spec, given=given, files=known.files, fingerprint=fingerprint)
    raise ModelError(
        f"cannot register {name!r}: it changes while it is stored",
        remedy="register it when nothing trains it or writes to its file",
    )


def _libraries(framework: Framework, spec: ModelSpec) -> set[pickle_references.Reference]:
    """Return the libraries that run a model; for a handler, also those that its module uses."""
    own = {pickle_references.package(module) for module in ("sys", *framework.modules)}
    return own | set(
        pickle_references.imported(type(spec.target)) if spec.form == "handler" else ()
    )


def _state(*arguments: Any) -> State | Unknowable:
    try:
        return state(*arguments)
    except Unknowable as reason:
        return reason


def changed(spec: ModelSpec) -> str | None:
    """Return the first file that changed since the run was planned; missing ones do not count."""
    for path, before in spec.files:
        try:
            if contents.of(path) != before:
                return path
        except OSError:
            continue
    return None


@contextmanager
def checked(spec: ModelSpec) -> Iterator[None]:
    """Check that a model's files do not change while it is loaded inside this block.

    Raises
    ------
    ModelChanged
        When they do.
    """
    _check(spec)
    with pickle_references.noting() as noted:
        yield
    _check(spec)
    known = _learnt.get((spec.fingerprint, spec.files), frozenset())
    _learnt[spec.fingerprint, spec.files] = known | noted.references


def _check(spec: ModelSpec) -> None:
    path = changed(spec)
    if path is not None:
        raise ModelChanged(
            f"model {spec.name!r} changed while it was loaded: {path}",
            remedy="run again when nothing writes to it",
        )


def check_learnt(spec: ModelSpec) -> None:
    """Raise if loading a model showed code that was not known when it was planned.

    Raises
    ------
    ModelChanged
        If it did.
    """
    if with_learnt(spec) is not spec:
        raise ModelChanged(
            f"model {spec.name!r} is loaded from another file each time",
            remedy="register the file, or a handler whose load_model reads the same one",
        )


def with_learnt(spec: ModelSpec) -> ModelSpec:
    """Return the model with all references that loading it has shown."""
    more = _learnt.get((spec.fingerprint, spec.files), frozenset()) - spec.references
    return replace(spec, references=spec.references | more) if more else spec


def with_files_now(spec: ModelSpec) -> ModelSpec:
    """Return a model whose object is gone, with its files in their current state.

    Raises
    ------
    Unknowable
        When one of them cannot be read.
    """
    paths = dict.fromkeys((*(path for path, _ in spec.files), *held_files.paths(spec.target)))
    return with_learnt(replace(spec, files=held_files.files(paths)))
