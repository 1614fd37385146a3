"""What every test gets: Hypothesis profiles, a cache folder and a registry of models of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mmnotebook.graph.models import Registry, registry
from mmnotebook.store.cache import cache
from tests import own_process

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    if own_process.Hooks.are_needed():
        config.pluginmanager.register(own_process.Hooks())


@pytest.fixture(autouse=True)
def no_tensorflow(request: pytest.FixtureRequest) -> Iterator[None]:
    """Only tests with the mark `own_process` import it."""
    before = own_process.ALONE in sys.modules
    yield
    if own_process.ALONE in sys.modules and not before:
        assert own_process.is_alone(request.session), "mark it own_process: it imports TensorFlow"


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for what fixtures of modules and sessions run: never the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMNOTEBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for kernels and other processes that a test starts too."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_spot_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which nodes are checked is random, and a check calls functions and models."""
    monkeypatch.setattr(cache, "_verify", "off")


@pytest.fixture(autouse=True)
def models() -> Iterator[Registry]:
    """The registry of models, empty; what stood in it before stands in it again afterwards."""
    before = list(registry.values())
    _clear()
    yield registry
    _clear()
    for spec in before:
        registry.add(spec)


def _clear() -> None:
    for name in list(registry):
        registry.remove(name)
