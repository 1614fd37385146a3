"""Fixtures of every test: Hypothesis profiles, an empty cache folder and an empty registry."""

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
    """Check that only tests with the mark `own_process` import TensorFlow."""
    before = own_process.ALONE in sys.modules
    yield
    if own_process.ALONE in sys.modules and not before:
        assert own_process.is_alone(request.session), (
            "imports TensorFlow without the mark own_process"
        )


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set a cache for the fixtures of modules and sessions, instead of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMNOTEBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty cache, which kernels and other processes of a test use too."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_spot_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch off spot checks, since they are random and call functions and models."""
    monkeypatch.setattr(cache, "_verify", "off")


@pytest.fixture(autouse=True)
def models() -> Iterator[Registry]:
    """Empty the registry of models for the test, and restore it afterwards."""
    before = list(registry.values())
    _clear()
    yield registry
    _clear()
    for spec in before:
        registry.add(spec)


def _clear() -> None:
    for name in list(registry):
        registry.remove(name)
