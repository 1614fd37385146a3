"""Gives every tutorial that nbval runs an empty cache of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Generator

import pytest
from nbval.plugin import IPyNbFile


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """What comes from the cache is the same in every run, and none of it is the user's."""
    notebook = item.parent
    if not isinstance(notebook, IPyNbFile) or notebook.kernel is not None:
        return (yield)
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        # The kernel, which is about to be started, inherits it.
        patch.setenv("MMNOTEBOOK_CACHE", folder.name)
        outcome = yield
    notebook.addfinalizer(folder.cleanup)
    return outcome
