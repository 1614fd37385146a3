"""`ModelSpec`, the description of a registered model, and the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from mmnotebook.errors import UnknownModelError, nearest
from mmnotebook.graph.inputs import InputNames


@dataclass(frozen=True, repr=False)
class ModelSpec:
    """A registered model: its location and how it is used.

    Attributes
    ----------
    name
        The name under which it is registered.
    framework
        "torch", "sklearn", "beam" (any Beam ModelHandler), "python" (any object) and so on.
    form
        The form of the model in its framework: "module", "torchscript", "state_dict", "exported",
        "pickle", "joblib", "handler" and so on.
    origin
        The registered target as text: a class name or the path of a file.
    path
        The file that workers load; None for a Beam handler.
    fingerprint
        The content identity of the model, as hexadecimal digits: of its file, or of the content of
        a live object or a Beam handler. The same weights have the same fingerprint in every
        process.
    input
        The field, or fields, of the element that is passed to the model; None for the whole value.
    batch_size
        Elements per call of the model; None for the default of the handler.
    default_batch
        Whether the batch size is the default. In this case, a remote model is called with one
        element at a time.
    device
        "CPU" or "GPU".
    output
        "argmax", a function of one raw output, or None for the raw output.
    target, params
        The model class of a state dict and the arguments of the class, or the Beam handler.
    method
        The method of the model to call; None for the default of the framework.
    preprocess
        A function of one example that returns the input of the model, or None.
    inference_args
        Keyword arguments of every call of the model.
    extra
        Options of the framework by name.
    large_model
        Whether the processes of a worker share one copy of the model.
    model_copies
        The number of copies of the model in a worker; None for one.
    env_vars
        Environment variables to set before the model is loaded.
    timeout
        Time limit of one call, in seconds; None for no limit.
    batched
        Whether the model is called with a batch; if not, it is called with one element, unchanged.
    batch_axis
        The batch axis of the input.
    output_batch_axis
        The batch axis of the outputs: one axis for all outputs, an axis for each output (by
        position or name), or None for the first axis.
    collate
        A function of the list of preprocessed elements that returns the input of the model, or
        None.
    reset
        The method of the model, or the function of the model, that restores the initial state.
    remote
        Whether the model is remote; None if the first call detects this.
    version
        The version of the model's predictions, which the user declares; or None.
    cache
        "element" if the prediction for each element is cached separately; None for the default.
    input_names
        The input names of the model, as its framework reports them; None if there are no names.
    replaces
        The `origin` of the model that had this name before; None if there was no such model.
    files
        The user's files and folders from which the model is loaded, each with a digest of its
        content: the file at `path`, and the files that a handler or an object refers to.
    references
        The objects that the model's pickles import: (module, name), or (package, "") for a library.
    unknown
        The reason why the model's content cannot be fingerprinted; "" if it can be.
    given
        The registered target itself. It is not sent to other processes.

    See Also
    --------
    mmnotebook.register : Register a model; returns its spec.
    mmnotebook.registry : The specs of all registered models.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def lengths(texts):
    ...     return [len(text) for text in texts]
    >>> spec = mm.register("lengths", lengths, framework="python", input="text", batch_size=8)
    >>> spec
    lengths: python lengths, fed text, batches of 8
    >>> spec.input
    'text'
    """

    name: str
    framework: str
    form: str
    origin: str
    path: str | None
    fingerprint: str
    input: str | tuple[str, ...] | None = None
    batch_size: int | None = None
    default_batch: bool = field(default=False, compare=False, repr=False, kw_only=True)
    device: str = "CPU"
    output: Any = field(default=None, compare=False)
    target: Any = field(default=None, compare=False, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    method: str | None = None
    preprocess: Any = field(default=None, compare=False)
    inference_args: Mapping[str, Any] = field(default_factory=dict, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)
    large_model: bool = False
    model_copies: int | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict, compare=False)
    timeout: float | None = None
    batched: bool = True
    batch_axis: int = 0
    output_batch_axis: Any = field(default=None, compare=False)
    collate: Any = field(default=None, compare=False)
    reset: Any = field(default=None, compare=False)
    remote: bool | None = None
    version: str | int | None = None
    cache: str | None = None
    input_names: InputNames | None = field(default=None, compare=False, repr=False)
    replaces: str | None = field(default=None, compare=False)
    files: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    references: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False, repr=False)
    unknown: str = field(default="", compare=False, repr=False)
    given: Any = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "given": None}

    @property
    def fields(self) -> InputNames | None:
        """The input names that are not in `inference_args`; None if the model has no names."""
        names = self.input_names
        return None if names is None else names.without(self.inference_args)

    def __repr__(self) -> str:
        batch = "" if self.batch_size is None else f", batches of {self.batch_size}"
        fields = "" if self.input is None else f", fed {_fields(self.input)}"
        before = "" if self.replaces is None else f"; replaces {self.replaces}"
        return f"{self.name}: {self.framework} {self.origin}{fields}{batch}{before}"


class Registry(Mapping[str, ModelSpec]):
    """The registered models by name: a mapping of `ModelSpec`, displayed as a table.

    See Also
    --------
    mmnotebook.register : Register a model.
    mmnotebook.models : The models that are loaded.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
    >>> mm.registry["negate"].framework
    'python'
    >>> "invert" in mm.registry
    False
    """

    def __init__(self) -> None:
        self._specs: dict[str, ModelSpec] = {}

    def __getitem__(self, name: str) -> ModelSpec:
        """Return the spec of the model with this name.

        Raises
        ------
        UnknownModelError
            If no model is registered under this name.
        """
        if name not in self._specs:
            close = nearest(str(name), self._specs)
            known = ", ".join(self._specs) or "none yet"
            raise UnknownModelError(
                f"no model is registered as {name!r}; registered: {known}"
                + (f"; did you mean {close!r}?" if close else ""),
                remedy=f'mm.register("{name}", model), or %mm_model {name} model',
            )
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def add(self, spec: ModelSpec) -> ModelSpec | None:
        """Add a model, or replace the model of the same name.

        `mmnotebook.register` creates the spec and calls this method.

        Parameters
        ----------
        spec
            The model.

        Returns
        -------
        ModelSpec or None
            The model that was replaced, or None.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
        >>> mm.registry.add(spec) == spec
        True
        """
        before = self._specs.get(spec.name)
        self._specs[spec.name] = spec
        return before

    def remove(self, name: str) -> ModelSpec:
        """Remove a model.

        Parameters
        ----------
        name
            Its name.

        Returns
        -------
        ModelSpec
            The removed model.

        Raises
        ------
        UnknownModelError
            If no model is registered under this name.

        See Also
        --------
        mmnotebook.unload : Free the memory of a model that stays registered.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
        >>> spec = mm.registry.remove("negate")
        >>> "negate" in mm.registry
        False
        """
        spec = self[name]
        del self._specs[name]
        return spec

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the table: model, framework, registered target, and options.

        Returns
        -------
        list of dict
            A row for each model: texts by column.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
        >>> [row["framework"] for row in mm.registry.rows() if row["model"] == "negate"]
        ['python']
        """
        return [
            {
                "model": spec.name,
                "framework": spec.framework,
                "registered": spec.origin,
                "form": spec.form,
                "input": _fields(spec.input),
                "batch": "handler's own" if spec.batch_size is None else str(spec.batch_size),
                "device": spec.device,
                "output": "raw" if spec.output is None else _called(spec.output),
                "options": _options(spec),
            }
            for spec in self._specs.values()
        ]

    def __repr__(self) -> str:
        rows = self.rows()
        if not rows:
            return "no models registered; mm.register(name, model) registers one"
        table = [list(rows[0]), *(list(row.values()) for row in rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in table
        )

    def _repr_html_(self) -> str:
        rows = self.rows()
        if not rows:
            return f"<p>{escape(repr(self))}</p>"
        head = "".join(f"<th>{escape(title)}</th>" for title in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row.values()) + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _called(value: Any) -> str:
    kind = type(value).__name__
    return value if isinstance(value, str) else str(getattr(value, "__name__", kind))


def _options(spec: ModelSpec) -> str:
    """Return the other options as text; only the keys of dicts, because a value may be a secret."""
    single = {
        "method": spec.method,
        "preprocess": None if spec.preprocess is None else _called(spec.preprocess),
        "timeout": None if spec.timeout is None else f"{spec.timeout:g} s",
        "batched": None if spec.batched else "False",
        "batch_axis": spec.batch_axis or None,
        "output_batch_axis": spec.output_batch_axis,
        "collate": None if spec.collate is None else _called(spec.collate),
        "reset": None if spec.reset is None else _called(spec.reset),
        "remote": spec.remote,
        "version": spec.version,
        "cache": spec.cache,
        "large_model": spec.large_model or None,
        "model_copies": spec.model_copies,
    }
    words = [f"{option}={value}" for option, value in single.items() if value is not None]
    dicts = {"inference_args": spec.inference_args, "env_vars": spec.env_vars, "extra": spec.extra}
    words += [f"{option}: {', '.join(names)}" for option, names in dicts.items() if names]
    return "; ".join(words)


def _fields(selected: str | tuple[str, ...] | None) -> str:
    if selected is None:
        return "the value"
    return selected if isinstance(selected, str) else ", ".join(selected)


registry = Registry()
