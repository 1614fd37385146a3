"""A pytest plugin: replaces parts of Beam by ours before its tests run, and skips some tests."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.beam_suites.suites import EXCLUDED, PART, SUITES, USES

_used = 0


def pytest_configure(config: pytest.Config) -> None:
    """Replace the part of Beam in each process that runs tests."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        {"manager": _put_manager, "handler": _put_handler}[os.environ[PART]]()


def _put_manager() -> None:
    from apache_beam.runners.interactive import cache_manager

    from mmnotebook.beam.dofns.cache_manager import ShardCache

    class InstalledCache(ShardCache):
        """Our cache manager, constructed as Beam constructs its own."""

        def __init__(self, cache_dir: str | None = None, cache_format: str = "text") -> None:
            global _used
            _used += 1
            self.cache_format = cache_format
            super().__init__(Path(cache_dir or tempfile.mkdtemp(prefix="ib-")))

    setattr(cache_manager, "FileBasedCacheManager", InstalledCache)  # noqa: B010 - a class of Beam


def _put_handler() -> None:
    from apache_beam.ml.inference.base import (
        KeyedModelHandler,
        MaybeKeyedModelHandler,
        RunInference,
    )

    from tests.beam_suites.by_blocks import ByBlocks

    keyed = KeyedModelHandler, MaybeKeyedModelHandler
    init = RunInference.__init__

    @functools.wraps(init)
    def by_blocks(self: Any, model_handler: Any, *args: Any, **kwargs: Any) -> None:
        global _used
        # In a run, Beam's keyed handler wraps our handler, and processes do not share any model.
        if not (isinstance(model_handler, keyed) or model_handler.share_model_across_processes()):
            _used += 1
            model_handler = ByBlocks(model_handler)
        init(self, model_handler, *args, **kwargs)

    setattr(RunInference, "__init__", by_blocks)  # noqa: B010 - a method of Beam


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skip the tests that the suites exclude, and check that all of these exist."""
    for suite in SUITES.values():
        file = f"{suite.module.rpartition('.')[2]}.py"
        ours = [item for item in items if item.path.name == file]
        found = {".".join(item.nodeid.split("::")[1:]): item for item in ours}
        for name in suite.excluded if ours else ():
            if name not in found:
                raise pytest.UsageError(f"{name} is excluded, but {suite.module} has no such test")
            found[name].add_marker(pytest.mark.skip(reason=EXCLUDED + suite.excluded[name]))


def pytest_sessionfinish() -> None:
    """Write how often our part was used."""
    with Path(os.environ[USES]).open("a") as file:
        file.write(f"{_used}\n")
