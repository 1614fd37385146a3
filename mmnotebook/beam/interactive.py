"""Beam's interactive environment without its printing and display."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner

from mmnotebook import quiet_beam, storage
from mmnotebook.beam.dofns.cache_manager import ShardCache
from mmnotebook.beam.options import as_options
from mmnotebook.compat import beam as compat
from mmnotebook.notebook_state import shell

# The environment never forgets a dict that it watches. So it watches only this dict, and reads the
# current content each time.
_OURS = ("mmnotebook, no PCollection", object())
_watched: dict[str, Any] = dict([_OURS])


class InteractivePipeline:
    """A pipeline on InteractiveRunner with an underlying runner; nodes are stored in folders."""

    def __init__(self, runner: Any, options: Any, folders: Mapping[str, Path], run_id: str) -> None:
        self.pipeline = beam.Pipeline(
            InteractiveRunner(runner, force_compute=False), options=as_options(options)
        )
        folder = storage.new_folder("run")
        self._cache = ShardCache(folder, folders, run_id)
        storage.remove_with(self._cache, folder)

    def run(self, blocks: Mapping[str, Any]) -> Callable[[], Any]:
        """Run the pipeline once; return a function that queries Beam's metrics."""
        env = _environment()
        compat.enter(env, self.pipeline, self._cache)
        try:
            with _watching(blocks):
                result = self.pipeline.run()
                result.wait_until_finish()
            # The interactive result has no metrics.
            return compat.result_below(result).metrics  # type: ignore[no-any-return]
        finally:
            compat.leave(env, self.pipeline)

    def stores(self, step: str) -> str | None:
        """Return the node that the step with this label stores; None for other steps."""
        return self._cache.name_in(step)


@contextlib.contextmanager
def _watching(watched: Mapping[str, Any]) -> Iterator[None]:
    """Let Beam watch PCollections, by name, in this block, so that the run caches them."""
    _watched.update(watched)
    try:
        yield
    finally:
        # An interrupted run may end long after the next one has started.
        for name, pcoll in watched.items():
            if _watched.get(name) is pcoll:
                del _watched[name]


def prepare() -> None:
    """Create Beam's environment; call this in the cell's thread, where its output can be caught.

    Otherwise the first Beam pipeline in a notebook creates it, and this adds scripts from a CDN to
    the output of that cell.
    """
    with quiet_beam.quiet(), _hidden_display():
        _environment()


def _environment() -> Any:
    """Return Beam's environment; let it watch `_watched`, even if the environment was reset."""
    env = compat.environment()
    compat.watch(env, _OURS, _watched)
    return env


def _hidden_display() -> contextlib.AbstractContextManager[Any]:
    if shell() is None:
        return contextlib.nullcontext()
    from IPython.utils.capture import capture_output

    return capture_output(stdout=False, stderr=False, display=True)
