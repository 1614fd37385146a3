"""What a model was registered from, and whether that is still what it was.

A model runs from what is on the disk: a file of the user's, or the private file in which a live
object was stored. Before a graph is planned, what a model was registered from is looked at again;
what it is loaded from before and after it is loaded, and when what it computed is stored.
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
from mmnotebook.observing import referring

ATTEMPTS = 3
"""How often something is stored that changes meanwhile."""

_learnt: dict[tuple[str, Files], frozenset[referring.Reference]] = {}
# By what a model is, what its pickles were seen to take from modules when it was loaded.


class ModelChanged(ModelError):
    """A model is not any more what the run was planned with: the run is to start anew."""


@dataclass(frozen=True)
class State:
    """What something that was registered is at a moment: its content, and that of its files.

    Attributes
    ----------
    left
        What its code may do, which shows when it runs.
    """

    content: str
    files: Files
    left: Deferred = field(default_factory=Deferred, compare=False)

    def within(self, other: State) -> bool:
        """Is it part of what is known later?"""
        return self.content == other.content and set(self.files) <= set(other.files)


@dataclass(frozen=True)
class Given:
    """What a model was registered from.

    Attributes
    ----------
    target
        Gives the live object or the path; None when the object is gone, which changes no more.
    framework, options
        Its framework, and what that was told of it.
    state
        What it was then; None where that cannot be known.
    whole
        Everything that `register` was given beside the name and the target.
    """

    target: Callable[[], Any]
    framework: Framework
    options: Options
    state: State | None
    whole: Mapping[str, Any] = field(default_factory=dict)


def holder(target: Any) -> Callable[[], Any]:
    """What gives a target for as long as anybody else holds it."""
    if isinstance(target, (str, Path)):
        return lambda: target
    try:
        is_method = hasattr(target, "__self__") and hasattr(target, "__func__")
        return weakref.WeakMethod(target) if is_method else weakref.ref(target)
    except TypeError:
        return lambda: target


def state(framework: Framework, target: Any, options: Options, paths: Iterable[str] = ()) -> State:
    """What a target is now; a file with those at `paths`, a live object with those that it names.

    Raises
    ------
    Unknowable
        When that cannot be known.
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
        raise Unknowable(f"its content cannot be taken: {one_line(error)}") from error
    return State(content, held_files.files(held_files.paths(target, made_with)))


def stored(name: str, target: Any, framework: Framework, options: Options) -> ModelSpec:
    """The spec of a target, stored as it is now.

    Raises
    ------
    ModelError
        When it cannot be stored, or changes all the time.
    """
    for _ in range(ATTEMPTS):
        before = _state(framework, target, options)
        with referring.noting() as noted:
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
        remedy="register it when nothing trains it, or writes to its file, any more",
    )


def _libraries(framework: Framework, spec: ModelSpec) -> set[referring.Reference]:
    """What a model is run by; of a handler, what the module of its class uses too."""
    own = {referring.package(module) for module in ("sys", *framework.modules)}
    return own | set(referring.imported(type(spec.target)) if spec.form == "handler" else ())


def _state(*arguments: Any) -> State | Unknowable:
    try:
        return state(*arguments)
    except Unknowable as reason:
        return reason


def changed(spec: ModelSpec) -> str | None:
    """The first file that is not what the model was planned with; one that is gone is none."""
    for path, before in spec.files:
        try:
            if contents.of(path) != before:
                return path
        except OSError:
            continue
    return None


@contextmanager
def checked(spec: ModelSpec) -> Iterator[None]:
    """What is loaded inside is what the model was planned with.

    Raises
    ------
    ModelChanged
        When it is not.
    """
    _check(spec)
    with referring.noting() as noted:
        yield
    _check(spec)
    known = _learnt.get((spec.fingerprint, spec.files), frozenset())
    _learnt[spec.fingerprint, spec.files] = known | noted.references


def _check(spec: ModelSpec) -> None:
    path = changed(spec)
    if path is not None:
        raise ModelChanged(
            f"model {spec.name!r} changed while it was loaded: {path}",
            remedy="run again when nothing writes to it any more",
        )


def check_learnt(spec: ModelSpec) -> None:
    """Raise when loading it has shown code that was not known when it was planned.

    Raises
    ------
    ModelChanged
        When that is so.
    """
    if with_learnt(spec) is not spec:
        raise ModelChanged(
            f"model {spec.name!r} is loaded from another file each time",
            remedy="register the file, or a handler whose load_model reads the same one",
        )


def with_learnt(spec: ModelSpec) -> ModelSpec:
    """The model with all that loading it has shown."""
    more = _learnt.get((spec.fingerprint, spec.files), frozenset()) - spec.references
    return replace(spec, references=spec.references | more) if more else spec


def with_files_now(spec: ModelSpec) -> ModelSpec:
    """A model whose object is gone, with the files that it names as they are now.

    Raises
    ------
    Unknowable
        When one of them cannot be read.
    """
    paths = dict.fromkeys((*(path for path, _ in spec.files), *held_files.paths(spec.target)))
    return with_learnt(replace(spec, files=held_files.files(paths)))
