"""The interface of a framework: its targets, and how they are stored, loaded and run."""

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
    """What `register` was given beside the name and the target.

    Attributes
    ----------
    model_class, model_params
        What makes the model, for a file that holds weights alone, and its arguments.
    method
        Which method of the model is called, None for the framework's usual one.
    extra
        The framework's own keywords, those of `Framework.extra`.
    """

    model_class: Callable[..., Any] | None = None
    model_params: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Framework:
    """One framework. Its packages are imported only inside `store` and `handler`.

    Attributes
    ----------
    name
        What `ModelSpec.framework` says: "onnx".
    words
        What of it can be registered, for messages: "an ONNX model or .onnx file".
    modules, install
        What must be importable, and the command that makes it so.
    claims
        Whether a target (an object or a `Path`) is of this framework, told by class names and
        file endings.
    store
        (name, target, options) -> spec: looks at the target, tries it, and stores a live object
        in a private file. Raises ModelError with a remedy. `register` fills in the options that
        every framework has; `method` and `extra` too.
    handler
        The Beam ModelHandler that loads and runs the model of a spec, made anew at each call.
    content
        The digest of a live object of it. Raises `Unknowable` where there is none.
    extra
        The keywords of `register` that are its own; they lie in `ModelSpec.extra`.
    devices
        Those that a model of it can run on.
    uses
        Which of "model_class", "model_params" and "method" it knows; others are refused.
    own_batches
        The forms (`ModelSpec.form`) in which a model creates its own batches, of a list of
        elements: `batched`, `batch_axis` and `collate` are refused for those.
    named
        Whether a string that is no path can be a target, as a model's name on a hub is, when
        `framework=` says so. `store` is then given that string, otherwise a `Path`.
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
        """Refuse to register `name` when the framework is not installed."""
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
    """The spec of a model in a file or a folder, with the fingerprint of its content.

    `beside` are the paths of what it is loaded from besides.
    """
    held = [(one, contents.of(one)) for one in beside]
    path = path.resolve()
    content, where = contents.of(path), str(path)
    fingerprint = digest((content, [one for _, one in held])) if held else content
    spec = ModelSpec(name, framework, form, origin or where, where, fingerprint)
    return replace(spec, files=((where, content), *held))


def unpicklable(name: str, target: Any, error: Exception) -> ModelError:
    """The refusal of a live object that cannot be stored."""
    return ModelError(
        f"cannot store this {type(target).__name__} for {name!r}: "
        f"it cannot be pickled ({one_line(error)})",
        remedy="keep locks, open files, connections and generators out of it, or register a file",
    )


def unloadable(name: str, path: Path, error: Exception, remedy: str) -> ModelError:
    """The refusal of a file that does not load."""
    return ModelError(
        f"cannot register {str(path)!r} as {name!r}: it cannot be loaded ({one_line(error)})",
        remedy=remedy,
    )


def not_fitted(name: str, target: Any) -> ModelError:
    """The refusal of a live model that has learned nothing yet."""
    return ModelError(
        f"cannot register this {type(target).__name__} as {name!r}: it is not fitted",
        remedy="fit it first: model.fit(X, y)",
    )


def not_mine(name: str, target: Any, framework: Framework) -> ModelError:
    """The refusal of a target that the named framework cannot take."""
    what = repr(str(target)) if isinstance(target, Path) else shown(target)
    return ModelError(
        f"cannot register {what} as {name!r} with framework={framework.name!r}; "
        f"allowed: {framework.words}",
        remedy="remove framework=; it is detected from the target",
    )


def check_method(
    name: str,
    model: Any,
    method: str | None,
    remedy: str = "method= names the method that takes a batch",
) -> None:
    """Refuse a method that the model does not have."""
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
    """Refuse `method=` where there is no choice of methods."""
    if options.method is not None:
        raise ModelError(
            f"cannot register {name!r} with method={options.method!r}: {why}",
            remedy="leave method= out",
        )


def at_commit(spec: ModelSpec, commit: str | None) -> ModelSpec:
    """Return the spec of a model on the hub, identified by its name and the commit loaded."""
    unknown = "" if commit else "it is not known which commit of the hub was loaded"
    return replace(spec, fingerprint=digest((spec.origin, commit)), unknown=unknown)


def no_revision(name: str, path: Path) -> ModelError:
    """The refusal of a hub's revision for what is on this machine."""
    return ModelError(
        f"cannot register {str(path)!r} as {name!r} with revision=: a folder has no revisions",
        remedy="leave revision= out; it applies to a name on the hub",
    )


def only_files(name: str, target: Any, *options: str) -> ModelError:
    """The refusal of what goes with a file, beside a live object."""
    given = options or ("model_class", "model_params")
    return ModelError(
        f"cannot register {name!r}: {' and '.join(given)} apply to a file, not to {shown(target)}",
        remedy="leave them out",
    )


def starts_with(path: Path, content: bytes) -> bool:
    """Does a file begin with these bytes? False for a folder, and for what cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(content)) == content
    except OSError:
        return False
