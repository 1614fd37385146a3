"""The drawn graph: well-formed, escaped, self-contained, and laid out without overlaps."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from mmnotebook.graph.graph import Graph
from mmnotebook.notation.text import parse
from mmnotebook.steps.drawing import html, svg
from mmnotebook.steps.drawing_layout import place
from tests.unit.strategies import graphs

SVG = "{http://www.w3.org/2000/svg}"
MIRROR = 'both = digits["x"] | [mlp, tree]\nboth | vote()'


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def titles(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{SVG}title")]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(graphs())
def test_every_graph_is_drawn_as_well_formed_svg(graph: Graph) -> None:
    counts = {(wire.node, node.name): 1234567 for node in graph for wire in node.inputs}
    for drawing in (svg(graph), svg(graph, counts, standalone=False)):
        drawing.encode()
        root = ElementTree.fromstring(drawing)
        assert len(list(root.iter(f"{SVG}rect"))) == len(graph)
        assert len(titles(drawing)) == len(graph) + len(counts)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(graphs())
def test_boxes_do_not_overlap_and_edges_go_right(graph: Graph) -> None:
    edges = {(wire.node, node.name): 40.0 for node in graph for wire in node.inputs}
    placed = place(graph, dict.fromkeys(graph.names, 80.0), 44.0, edges)
    for one, other in combinations(placed.boxes.values(), 2):
        beside = one.right <= other.left or other.right <= one.left
        assert beside or abs(one.middle - other.middle) >= 44
    for (start, stop), way in placed.ways.items():
        assert (way[0], way[-1]) == (placed.boxes[start], placed.boxes[stop])
        assert all(a.right + 40 <= b.left for a, b in pairwise(way))
    for box in placed.boxes.values():
        assert 0 <= box.left < box.right <= placed.width
        assert 22 - 1e-6 <= box.middle <= placed.height - 22 + 1e-6


def test_passing_edges_keep_clear_of_boxes() -> None:
    graph = parse("rows | a | b | c\n[rows, c] | vote()")
    edges = {(wire.node, node.name): 40.0 for node in graph for wire in node.inputs}
    placed = place(graph, dict.fromkeys(graph.names, 80.0), 44.0, edges)
    passing = placed.ways["rows", "vote"][1:-1]
    assert len(passing) == 3
    for box in placed.boxes.values():
        for spot in passing:
            assert box.left != spot.left or abs(box.middle - spot.middle) > 22


def test_names_steps_fields_ports_and_counts_are_written() -> None:
    drawing = svg(parse(MIRROR), {("digits", "mlp"): 1797, ("mlp", "vote"): 1234567})
    written = texts(drawing)
    assert {"digits", "source", "mlp", "model", "tree", "vote"} <= set(written)
    assert '["x"] · 1,797' in written
    assert '["x"]' in written
    assert "1,234,567" in written
    routed = texts(svg(parse('rows | split(a=0.9, b=0.1, by="user")\nrows | cascade(s, m, 0.8)')))
    assert {"a 0.9, b 0.1 by user", "a", "b", "s → m below 0.8"} <= set(routed)
    more = "rows | keyed({'k': m, 'l': n}, by='k') | switch(f, ['p', 'q'])\nx = read('a.csv') | y"
    written = texts(svg(parse(more)))
    assert {"2 models by k", "f: p, q", "a.csv", "model y"} <= set(written)


def test_tooltips_hold_what_the_boxes_have_no_room_for() -> None:
    name = "a_function_with_a_name_that_is_far_too_long_for_a_box"
    drawing = svg(parse(f"both = rows | [map({name}), b]\nboth | vote()\n{{rows, b}} | map(f)"))
    assert any(text.endswith("…") and name.startswith(text[:-1]) for text in texts(drawing))
    assert any(f"map({name})" in title and "in both" in title for title in titles(drawing))
    assert any("joined by id" in title for title in titles(drawing))
    assert any("each element separately" in title for title in titles(drawing))


def test_a_keyed_step_shows_the_model_of_each_key() -> None:
    keyed = "keyed({'KEY_1': m1, ('KEY_2', 'KEY_3'): m2}, by=lang_of, default=m3)"
    drawing = svg(parse(f"rows | {keyed}"))
    assert "3 models by lang_of" in texts(drawing)
    (told,) = (title for title in titles(drawing) if title.startswith("keyed = "))
    assert told.splitlines()[-3:] == ["KEY_1 → m1", "KEY_2, KEY_3 → m2", "all others → m3"]
    many = ", ".join(f"'k{n}': m{n}" for n in range(200))
    (told,) = (
        title
        for title in titles(svg(parse(f"rows | keyed({{{many}}}, by='k')")))
        if title.startswith("keyed = ")
    )
    assert told.endswith("k7 → m7\nand 192 more")
    assert len(told) < 600


def test_a_split_shows_its_by_field() -> None:
    text = "rows | split(a=0.9, b=0.1, by={})"
    for by in ('"user"', "user_of"):
        assert f"a 0.9, b 0.1 by {by.strip(chr(34))}" in texts(svg(parse(text.format(by))))


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x>', "a\0\ud800&b"])
def test_texts_of_users_are_escaped(hostile: str) -> None:
    graph = parse(f"rows[{hostile!r}] | a | write({hostile!r})")
    for drawing in (svg(graph), html(graph)):
        drawing.encode()
        root = ElementTree.fromstring(drawing)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            *("div", "img", "svg", "style", "g", "title", "rect", "path", "text"),
        }


def test_a_page_gets_its_own_text_colour_and_nothing_from_outside() -> None:
    drawing = html(parse(MIRROR))
    outside = drawing.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"<script|foreignObject|url\(|https?:|\bid=", outside)
    assert set(re.findall(r'<text[^>]* fill="([^"]*)"', drawing)) == {"currentColor"}
    assert "max-width:100%" in drawing


def test_a_file_brings_colours_for_light_and_dark() -> None:
    root = ElementTree.fromstring(svg(parse(MIRROR)))
    style = root.find(f"{SVG}style")
    assert style is not None
    assert "prefers-color-scheme:dark" in (style.text or "")
    assert root.get("role") == "img"
    assert root.get("aria-label") == "pipeline of 4 steps: digits, mlp, tree, vote"
    assert root.get("viewBox") == f"-10 -10 {root.get('width')} {root.get('height')}"


def test_each_family_has_its_tint() -> None:
    text = "rows | split(a=0.5, b=0.5)\n[a, b] | vote(missing='use rest') | map(f) | write('x.csv')"
    rects = list(ElementTree.fromstring(svg(parse(text))).iter(f"{SVG}rect"))
    tints = [rect.get("fill") for rect in rects]
    assert len(tints) == 7
    assert len(set(tints)) == 6


def test_a_wide_graph_scrolls_before_it_gets_too_small() -> None:
    chain = "rows" + "".join(f" | step_{n}" for n in range(30))
    drawing = html(parse(chain))
    width = re.search(r' width="(\d+)"', drawing)
    least = re.search(r"min-width:(\d+)px", drawing)
    assert width and least
    assert int(least[1]) >= 0.8 * int(width[1])
    assert "overflow-x:auto" in drawing


def test_an_empty_graph_says_so() -> None:
    assert texts(svg(Graph())) == ["empty graph"]


@pytest.mark.parametrize("name", ["damaged", "WWWWW", "mmmmm", "Übermäßig", "illicit", "a_1"])
def test_a_name_fits_its_box_in_a_wide_font(name: str) -> None:
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    bold = ImageFont.truetype(str(fonts / "DejaVuSans-Bold.ttf"), 1300)
    drawing = ElementTree.fromstring(svg(parse(name)))
    box = next(drawing.iter(f"{SVG}rect"))
    label = next(text for text in drawing.iter(f"{SVG}text") if text.text == name)
    right = float(label.get("x", "")) + bold.getlength(name) / 100
    assert right <= float(box.get("x", "")) + float(box.get("width", ""))


def boxes(drawing: str) -> list[tuple[str, float, float, float, float]]:
    """Return each text with its left, right, top and bottom edges in common fonts."""
    found = []
    for element in ElementTree.fromstring(drawing).iter(f"{SVG}text"):
        said, size = element.text or "", float(element.get("font-size", ""))
        x, y, width = (
            float(element.get("x", "")),
            float(element.get("y", "")),
            0.55 * size * len(said),
        )
        anchor = {"start": 0.0, "middle": 0.5}[element.get("text-anchor", "start")]
        left = x - width * anchor
        found.append((said, left, left + width, y - 0.75 * size, y + 0.15 * size))
    return found


def overlapping(drawing: str) -> list[tuple[str, str]]:
    """Return the texts that overlap."""
    return [
        (a[0], b[0])
        for a, b in combinations(boxes(drawing), 2)
        if a[1] < b[2] and b[1] < a[2] and a[3] < b[4] and b[3] < a[4]
    ]


def counted(graph: Graph, count: int) -> dict[tuple[str, str], int]:
    return {(wire.node, node.name): count for node in graph for wire in node.inputs}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(graphs(), st.integers(0, 9_999_999))
def test_no_text_overlaps_another(graph: Graph, count: int) -> None:
    for counts in ({}, counted(graph, count)):
        assert overlapping(svg(graph, counts)) == []


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_no_text_overlaps_in_a_crowded_graph(data: st.DataObject) -> None:
    """Check several layers of connected nodes, with names of any length."""
    letters = st.text("ilWm_", max_size=30)
    layers = [
        [f"n{depth}_{place}{data.draw(letters)}" for place in range(data.draw(st.integers(1, 6)))]
        for depth in range(data.draw(st.integers(2, 4)))
    ]
    lines = []
    for before, names in pairwise(layers):
        for name in names:
            fed = data.draw(st.lists(st.sampled_from(before), min_size=1, unique=True))
            lines.append(
                f"{name} = [{', '.join(fed)}] | f" if fed[1:] else f"{name} = {fed[0]} | f"
            )
    graph = parse("\n".join(lines))
    counts = {edge: data.draw(st.integers(0, 9_999_999)) for edge in counted(graph, 0)}
    assert overlapping(svg(graph, counts)) == []


def test_lines_stay_clear_of_every_label() -> None:
    """Check that each edge is horizontal at its label, and has its own row."""
    graph = parse("every = rows | [a, b, c]\nevery | mean() | g\nevery | f\nrows | write('x.csv')")
    counts = counted(graph, 1497)
    lengths = dict.fromkeys(counts, 40.0)
    placed = place(
        graph, dict.fromkeys(graph.names, 80.0), 44.0, dict.fromkeys(counts, 30.0), labels=lengths
    )
    spots = {(way[1].left, way[1].middle) for way in placed.ways.values()}
    assert len(spots) == len(placed.ways)
    for one, other in combinations(placed.ways.values(), 2):
        for a, b in ((a, b) for a in one[1:-1] for b in other[1:-1] if a.left == b.left):
            assert abs(a.middle - b.middle) >= 17.9


def test_a_label_is_above_its_own_line() -> None:
    drawing = svg(parse("rows | [a, b]"), {("rows", "a"): 11, ("rows", "b"): 22})
    groups = [
        g for g in ElementTree.fromstring(drawing).iter(f"{SVG}g") if "→" in (g[0].text or "")
    ]
    assert len(groups) == 2
    for group in groups:
        label = group.find(f"{SVG}text")
        assert label is not None
        level = float(label.get("y", "")) + 5
        assert re.search(rf" {level:.1f}H", group[1].get("d", ""))
