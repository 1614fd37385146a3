"""An empty cache for every tutorial that nbval runs."""

from __future__ import annotations

import tempfile
from collections.abc import Generator

import pytest
from nbval.plugin import IPyNbFile


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Set the cache folder of the kernel, so that outputs do not depend on the user's cache."""
    notebook = item.parent
    if not isinstance(notebook, IPyNbFile) or notebook.kernel is not None:
        return (yield)
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        # The kernel, which starts next, inherits this variable.
        patch.setenv("MMNOTEBOOK_CACHE", folder.name)
        outcome = yield
    notebook.addfinalizer(folder.cleanup)
    return outcome
