"""The target of a registered model, and checks whether it has changed.

A model is loaded from disk: from a file of the user, or from the private file in which a live
object was stored. The registered target is checked before a graph is planned. The files of the
model are checked before and after it is loaded, and when its outputs are stored.
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
from mmnotebook.remote import addresses

ATTEMPTS = 3
"""The maximum number of attempts to store a target that changes meanwhile."""

_learnt: dict[tuple[str, Files], frozenset[pickle_references.Reference]] = {}
# References to names in modules that the pickles of a model contain, found while it was loaded.


class ModelChanged(ModelError):
    """A model has changed since the run was planned, so the run must be planned again."""


@dataclass(frozen=True)
class State:
    """The state of a registered target at one time: its content, and that of its files.

    Attributes
    ----------
    left
        The effects of its code that are observed when it runs.
    """

    content: str
    files: Files
    left: Deferred = field(default_factory=Deferred, compare=False)

    def within(self, other: State) -> bool:
        """Return whether `other` has the same content and includes all files of this state."""
        return self.content == other.content and set(self.files) <= set(other.files)


@dataclass(frozen=True)
class Given:
    """The arguments with which a model was registered.

    Attributes
    ----------
    target
        Returns the live object or the path; None if the object was deleted, so it cannot change.
    framework, options
        The framework, and the options for it.
    state
        The state of the target when it was registered; None if it is unknown.
    whole
        All options that were passed to `register`.
    """

    target: Callable[[], Any]
    framework: Framework
    options: Options
    state: State | None
    whole: Mapping[str, Any] = field(default_factory=dict)


def holder(target: Any) -> Callable[[], Any]:
    """Return a function that returns the target, or None after a live object was deleted."""
    if isinstance(target, (str, Path)):
        return lambda: target
    try:
        is_method = hasattr(target, "__self__") and hasattr(target, "__func__")
        return weakref.WeakMethod(target) if is_method else weakref.ref(target)
    except TypeError:
        return lambda: target


def state(framework: Framework, target: Any, options: Options, paths: Iterable[str] = ()) -> State:
    """Return the current state of a target: of a file and `paths`, or of an object and its files.

    Raises
    ------
    Unknowable
        If the state cannot be determined.
    """
    with deferring() as left:
        return replace(_state_now(framework, target, options, paths), left=left)


def _state_now(framework: Framework, target: Any, options: Options, paths: Iterable[str]) -> State:
    made_with = (options.model_class, dict(options.model_params), dict(options.extra))
    if is_address(target, framework):
        content = digest((target, digest(made_with), _version(target)))
        return State(content, held_files.files(held_files.paths(made_with)))
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
        If the target cannot be stored, or changes during each of the attempts.
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
        remedy="register it when no other code trains it or writes to its file",
    )


def is_address(target: Any, framework: Framework | None) -> bool:
    """Return whether a target is the address of a file; a framework may have other URLs."""
    if not addresses.is_remote(target):
        return False
    is_url = addresses.scheme(target) in ("http", "https")
    return not (is_url and framework is not None and framework.named)


def _version(address: str) -> str:
    try:
        return contents.of(address)
    except OSError as error:
        raise Unknowable(f"it is not known whether {address} has changed: {error}") from error


def of_address(spec: ModelSpec, address: str) -> ModelSpec:
    """Return the spec of a model whose files were copied from an address."""
    before = spec.given
    found = _state(before.framework, address, before.options)
    known = found if isinstance(found, State) else None
    given = Given(lambda: address, before.framework, before.options, known)
    unknown = "" if known is not None else str(found)
    return replace(spec, origin=address, given=given, unknown=spec.unknown or unknown)


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
    """Return the first file whose content differs from the spec, or None; skip deleted files."""
    for path, before in spec.files:
        try:
            if contents.of(path) != before:
                return path
        except OSError:
            continue
    return None


@contextmanager
def checked(spec: ModelSpec) -> Iterator[None]:
    """Check that the files of a model do not change while this block loads it.

    Raises
    ------
    ModelChanged
        If they change.
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
            remedy="run again when no other process writes to it",
        )


def check_learnt(spec: ModelSpec) -> None:
    """Check that loading a model used no code that was unknown when the run was planned.

    Raises
    ------
    ModelChanged
        If loading the model used such code.
    """
    if with_learnt(spec) is not spec:
        raise ModelChanged(
            f"model {spec.name!r} is loaded from another file each time",
            remedy="register the file, or a handler whose load_model always reads the same file",
        )


def with_learnt(spec: ModelSpec) -> ModelSpec:
    """Return the spec with all references that were found while the model was loaded."""
    more = _learnt.get((spec.fingerprint, spec.files), frozenset()) - spec.references
    return replace(spec, references=spec.references | more) if more else spec


def with_files_now(spec: ModelSpec) -> ModelSpec:
    """Return the spec of a model whose live object was deleted, with its files as they are now.

    Raises
    ------
    Unknowable
        If a file cannot be read.
    """
    paths = dict.fromkeys((*(path for path, _ in spec.files), *held_files.paths(spec.target)))
    return with_learnt(replace(spec, files=held_files.files(paths)))
