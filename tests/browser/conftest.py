"""Fixtures with Chromium and JupyterLab for the browser tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.lab import SECONDS, Lab, chromium_flags, open_page, start_lab

FOLDER = Path(__file__).parent


QUICK = ("test_lab.py", "test_display.py")
"""The tests that run by default; the other tests of this folder are marked slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == FOLDER and item.path.name not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start a JupyterLab."""
    with start_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


# Per module: while Playwright runs, asyncio takes its event loop for that of the thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a headless Chromium."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("the browser tests need Chromium: apt-get install chromium fonts-dejavu-core")
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=chromium_flags(), headless=True
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_page(browser) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Iterator[Page]:
    """Open a page for all tests of a module."""
    with open_page(browser) as fresh:
        yield fresh
