"""Plots as parts of a page: with the page's colors, unique names, and no active content."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import matplotlib
import matplotlib.style
import pytest

from mmnotebook.ui.common.figures import plot_html

HOSTILE = "<script>--></svg>&"


def draw(ax: Any) -> None:
    ax.plot([1, 2, 3], [1, 4, 9], color="#0072B2")
    ax.set_title(HOSTILE)
    ax.set_xlabel("ms")


def svg(html: str) -> str:
    (found,) = re.findall("<svg.*</svg>", html, re.DOTALL)
    return str(found)


def test_text_colored_parts_use_the_pages_color() -> None:
    root = ET.fromstring(svg(plot_html(draw, 2, "a plot")))
    assert root.get("fill") == "currentColor" and root.get("aria-label") == "a plot"
    drawn = ET.tostring(root, encoding="unicode")
    assert "stroke: currentColor" in drawn and "#0072b2" in drawn
    assert not re.search("#000000|#ffffff", drawn)


def test_a_dark_style_of_matplotlib_has_no_effect() -> None:
    before = matplotlib.rcParams.copy()
    try:
        matplotlib.style.use("dark_background")
        drawn = svg(plot_html(draw, 2, "a plot"))
    finally:
        matplotlib.rcParams.update(before)
    assert "currentColor" in drawn and not re.search("#ffffff|#000000", drawn)


def test_no_text_is_markup() -> None:
    html = plot_html(draw, 2, f'"{HOSTILE}')
    assert "<script" not in html and "<!--" not in html
    assert ET.fromstring(svg(html)).get("aria-label") == f'"{HOSTILE}'


@pytest.mark.parametrize("salt", [None, "the same"])
def test_plots_do_not_share_element_ids(salt: str | None) -> None:
    before = matplotlib.rcParams["svg.hashsalt"]
    matplotlib.rcParams["svg.hashsalt"] = salt
    try:
        plots = [svg(plot_html(draw, height, "a plot")) for height in (2, 3)]
    finally:
        matplotlib.rcParams["svg.hashsalt"] = before
    names = [set(re.findall(' id="([^"]*)"', plot)) for plot in plots]
    assert names[0] and not names[0] & names[1]
    for plot, own in zip(plots, names, strict=True):
        used = set(re.findall(r'href="#([^"]*)"', plot)) | set(re.findall(r"url\(#([^)]*)", plot))
        assert used and used <= own
