"""Exported programs of torch: live programs and .pt2 files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.errors import ModelError
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import framework

ENDING = ".pt2"
CLASS = ("torch", "ExportedProgram")


def store(name: str, program: Any) -> ModelSpec:
    """Store a live program in a private file."""
    import torch

    batch = _batch(name, program)
    path = storage.new_folder("model") / f"{name}{ENDING}"
    try:
        torch.export.save(program, path)
    except Exception as error:
        raise framework.unpicklable(name, program, error) from error
    path.chmod(0o600)
    spec = framework.of_file(name, "torch", "exported", path, "ExportedProgram")
    return replace(spec, batch_size=batch, input_names=_names(program))


def content(program: Any) -> str:
    """Return the digest of a live program; a saved file would be different each time."""
    parts = (str(program.graph), str(program.call_spec), program.state_dict, program.constants)
    return digest(parts)


def from_file(name: str, path: Path) -> ModelSpec:
    """Return the spec of a .pt2 file, which is loaded once as a test."""
    import torch

    try:
        with _silent():
            program = torch.export.load(path)
    except Exception as error:
        remedy = "save it with torch.export.save(program, path), with this version of torch"
        raise framework.unloadable(name, path, error, remedy) from error
    spec = framework.of_file(name, "torch", "exported", path)
    return replace(spec, batch_size=_batch(name, program), input_names=_names(program))


@contextmanager
def _silent() -> Iterator[None]:
    """Silence the log messages of torch about an error that it also raises."""
    logger = logging.getLogger("torch.export")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def load(path: str) -> Any:
    """Load a program as a module that accepts its inputs by position or by name."""
    import torch

    class Exported(torch.nn.Module):
        """A module that passes named inputs by position if the program requires this."""

        def __init__(self, program: Any) -> None:
            super().__init__()
            self.program = program.module()
            count = program.call_spec.in_spec.children()[0].num_children
            names = list(program.graph_signature.user_inputs)
            self.positions = names[:count]

        def forward(self, *given: Any, **named: Any) -> Any:
            placed = [named.pop(name) for name in self.positions if not given and name in named]
            return self.program(*given, *placed, **named)

    return Exported(torch.export.load(path))


def _names(program: Any) -> InputNames | None:
    """Return the names of the arguments of a program, if each is a single tensor."""
    names = tuple(program.graph_signature.user_inputs)
    args, kwargs = program.call_spec.in_spec.children()
    single = args.num_children + kwargs.num_children == len(names)
    return InputNames(names) if single and all(isinstance(name, str) for name in names) else None


def _batch(name: str, program: Any) -> int | None:
    """Return 1 for a program of single examples, None for any batch size; else raise an error."""
    wanted = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.name in wanted]
    sizes = [value.shape[0] for value in values if len(getattr(value, "shape", ()))]
    fixed = {size for size in sizes if isinstance(size, int)}  # other sizes are symbols
    if not fixed:
        return None
    if fixed == {1}:
        return 1
    raise ModelError(
        f"cannot register {name!r}: the program was exported for batches of "
        f"{' and '.join(map(str, sorted(fixed)))} only",
        remedy="export it for any batch size: torch.export.export(module, (x,), "
        'dynamic_shapes=({0: torch.export.Dim("batch")},))',
    )
