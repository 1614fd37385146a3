"""The interface of a framework, which stores, loads and runs models."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmnotebook.errors import ModelError, nearest, one_line, shown
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.models import ModelSpec


@dataclass(frozen=True)
class Options:
    """Options of `register` that a framework needs to store a target.

    Attributes
    ----------
    model_class, model_params
        The class or function that creates the model for a file of weights, and its arguments.
    method
        The method of the model to call; None for the default of the framework.
    extra
        The keywords that only the framework has; see `Framework.extra`.
    """

    model_class: Callable[..., Any] | None = None
    model_params: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Framework:
    """A framework. Its packages are imported only inside `store` and `handler`.

    Attributes
    ----------
    name
        The value of `ModelSpec.framework`: "onnx".
    words
        A description of the supported targets for messages: "an ONNX model or .onnx file".
    modules, install
        The modules that the framework imports, and the command that installs these modules.
    claims
        Whether a target (an object or a `Path`) belongs to this framework, by class names and file
        extensions.
    store
        A function (name, target, options) -> spec. It checks the target, loads it once as a test,
        and stores a live object in a private file. It raises ModelError with a remedy. `register`
        adds `method`, `extra` and the options that all frameworks share to the spec.
    handler
        Returns a new Beam ModelHandler that loads and runs the model of a spec.
    content
        Returns the digest of a live object; raises `Unknowable` if there is none.
    extra
        Keywords of `register` for this framework only; they are stored in `ModelSpec.extra`.
    devices
        The devices on which models of the framework can run.
    uses
        The supported options among "model_class", "model_params" and "method". `register` raises an
        error for an option that is not supported.
    own_batches
        The forms (`ModelSpec.form`) of models that create their own batches from a list of
        elements. `batched`, `batch_axis` and `collate` are errors for these forms.
    named
        Whether a target can be a string that is not a path, such as the name of a model on a hub,
        if `framework=` is passed. `store` then receives the string, otherwise a `Path`.
    """

    name: str
    words: str
    modules: tuple[str, ...]
    install: str
    claims: Callable[[Any], bool]
    store: Callable[[str, Any, Options], ModelSpec]
    handler: Callable[[ModelSpec], Any]
    content: Callable[[Any], str] = digest
    extra: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("CPU",)
    uses: tuple[str, ...] = ()
    own_batches: tuple[str, ...] = ()
    named: bool = False

    def need(self, name: str) -> None:
        """Raise a ModelError about the model `name` if the framework is not installed."""
        missing = [module for module in self.modules if not _there(module)]
        if missing:
            raise ModelError(
                f"cannot register {name!r} with framework {self.name!r}: "
                f"{' and '.join(missing)} cannot be imported",
                remedy=f"{self.install}, then restart the kernel",
            )


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def of_file(
    name: str,
    framework: str,
    form: str,
    path: Path,
    origin: str | None = None,
    beside: Iterable[str] = (),
) -> ModelSpec:
    """Return the spec of a model in a file or folder, with the fingerprint of its content.

    `beside` contains the paths of further files from which the model is loaded.
    """
    held = [(one, contents.of(one)) for one in beside]
    path = path.resolve()
    content, where = contents.of(path), str(path)
    fingerprint = digest((content, [one for _, one in held])) if held else content
    spec = ModelSpec(name, framework, form, origin or where, where, fingerprint)
    return replace(spec, files=((where, content), *held))


def unpicklable(name: str, target: Any, error: Exception) -> ModelError:
    """Return the error for a live object that cannot be pickled."""
    return ModelError(
        f"cannot store this {type(target).__name__} for {name!r}: "
        f"it cannot be pickled ({one_line(error)})",
        remedy="remove locks, open files, connections and generators from it, or register a file",
    )


def unloadable(name: str, path: Path, error: Exception, remedy: str) -> ModelError:
    """Return the error for a file that cannot be loaded."""
    return ModelError(
        f"cannot register {str(path)!r} as {name!r}: it cannot be loaded ({one_line(error)})",
        remedy=remedy,
    )


def not_fitted(name: str, target: Any) -> ModelError:
    """Return the error for a live model that is not fitted."""
    return ModelError(
        f"cannot register this {type(target).__name__} as {name!r}: it is not fitted",
        remedy="fit it first: model.fit(X, y)",
    )


def not_mine(name: str, target: Any, framework: Framework) -> ModelError:
    """Return the error for a target that does not belong to the named framework."""
    what = repr(str(target)) if isinstance(target, Path) else shown(target)
    return ModelError(
        f"cannot register {what} as {name!r} with framework={framework.name!r}; "
        f"allowed: {framework.words}",
        remedy="leave framework= out: it is detected from the target",
    )


def check_method(
    name: str,
    model: Any,
    method: str | None,
    remedy: str = "method= names the method that takes a batch",
) -> None:
    """Raise ModelError if the model has no such method."""
    if method is None or callable(getattr(model, method, None)):
        return
    known = [word for word in dir(model) if not word.startswith("_")]
    close = nearest(method, known)
    raise ModelError(
        f"cannot register {name!r}: {type(model).__name__} has no method {method!r}"
        + (f"; did you mean {close!r}?" if close else ""),
        remedy=remedy,
    )


def no_method(name: str, options: Options, why: str) -> None:
    """Raise ModelError if `method=` is passed for a model with only one method."""
    if options.method is not None:
        raise ModelError(
            f"cannot register {name!r} with method={options.method!r}: {why}",
            remedy="leave method= out",
        )


def at_commit(spec: ModelSpec, commit: str | None) -> ModelSpec:
    """Return the spec of a model on the hub, identified by its name and the loaded commit."""
    unknown = "" if commit else "it is not known which commit of the hub was loaded"
    return replace(spec, fingerprint=digest((spec.origin, commit)), unknown=unknown)


def no_revision(name: str, path: Path) -> ModelError:
    """Return the error for `revision=` with a local folder."""
    return ModelError(
        f"cannot register {str(path)!r} as {name!r} with revision=: a folder has no revisions",
        remedy="leave revision= out; it applies to a name on the hub",
    )


def only_files(name: str, target: Any, *options: str) -> ModelError:
    """Return the error for options that apply to files, passed with a live object."""
    given = options or ("model_class", "model_params")
    return ModelError(
        f"cannot register {name!r}: {' and '.join(given)} apply to a file, not to {shown(target)}",
        remedy="leave them out",
    )


def starts_with(path: Path, content: bytes) -> bool:
    """Return whether a file begins with these bytes; False for a folder or an unreadable file."""
    try:
        with path.open("rb") as file:
            return file.read(len(content)) == content
    except OSError:
        return False
