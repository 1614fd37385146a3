"""Graphs as SVG, with the counts of a run on their edges."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise

from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.kinds import Family
from mmnotebook.steps.descriptions import cut, does
from mmnotebook.steps.drawing_layout import Box, Edge, Placed, place
from mmnotebook.steps.phrases import select, step

Counts = Mapping[Edge, int]

_TINTS: dict[Family, str] = {
    "source": "#3b82f6",
    "model": "#16a34a",
    "function": "#a8813a",
    "routing": "#9333ea",
    "combining": "#0d9488",
    "write": "#db2777",
}
_NAME, _SMALL = 13, 11  # font sizes
_HEIGHT, _PAD, _MARGIN = 44, 12, 10
_GAP, _BESIDE = 48, 30  # spaces between two boxes, and between a box and a label
_LONG_NAME, _LONG_DETAIL, _LONG_LABEL, _LONG_STEP = 24, 30, 26, 300  # characters
_LEGIBLE = 0.85  # the minimum scale of a drawing; on a narrower page it scrolls
_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
_STYLE = (
    "<style>svg{color:#1f2328;background:#fff}"
    "@media (prefers-color-scheme:dark){svg{color:#e6edf3;background:#16191d}}</style>"
)
_INLINE_STYLE = (
    "<style>.mm-inline{display:block !important}.mm-image{display:none !important}</style>"
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(graph: Graph, counts: Counts | None = None, standalone: bool = True) -> str:
    """Draw a graph as SVG.

    Parameters
    ----------
    graph
        A valid graph.
    counts
        The number of elements of each edge, by (upstream, downstream) node names; the drawing
        shows it on the edge.
    standalone
        True for a file or an image, with colors for light and dark mode; False for a part of a
        page, which uses the text color of the page.
    """
    placed = _place(graph, counts or {}) if graph.nodes else Placed({}, {}, 120, _HEIGHT)
    width, height = (round(size + 2 * _MARGIN) for size in (placed.width, placed.height))
    body = [*_edges(graph, placed, counts or {}), *(_node(graph, n, placed) for n in graph)]
    if not body:
        body = [_label(placed.width / 2, _HEIGHT / 2 + 4, "empty graph", _SMALL, "middle")]
    scale = (
        "" if standalone else f"max-width:100%;min-width:{round(width * _LEGIBLE)}px;height:auto"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {width} {height}" role="img" '
        f'aria-label="{_safe(_summary(graph))}" font-family="{_FONT}"'
        + (f' style="{scale}">' if scale else f">{_STYLE}")
        + "".join(body)
        + "</svg>"
    )


def html(graph: Graph, counts: Counts | None = None) -> str:
    """Draw a graph as HTML, with the text color of the page; a wide drawing scrolls."""
    image = b64encode(svg(graph, counts).encode()).decode()
    source = f"data:image/svg+xml;base64,{image}"
    return inline_or_image(svg(graph, counts, standalone=False), source, _summary(graph))


def inline_or_image(inline: str, source: str, alt: str) -> str:
    """Return HTML that shows an inline SVG, or an image if the page cannot show inline SVG.

    In an untrusted notebook, JupyterLab removes style sheets, and the tags of an inline SVG but not
    its text. Without its style sheet, the HTML shows the image.

    Parameters
    ----------
    inline
        The SVG.
    source
        The image's `src`.
    alt
        A description of the image.
    """
    return (
        f"<div>{_INLINE_STYLE}"
        f'<div class="mm-inline" style="display:none;overflow-x:auto;max-width:100%">{inline}</div>'
        f'<img class="mm-image" style="max-width:100%" alt="{_safe(alt)}" src="{source}"/></div>'
    )


def _place(graph: Graph, counts: Counts) -> Placed:
    widths = {
        node.name: 2 * _PAD
        + max(
            _wide(cut(node.name, _LONG_NAME), _NAME, bold=True),
            _wide(cut(does(node), _LONG_DETAIL), _SMALL),
        )
        for node in graph
    }
    edges = dict.fromkeys((wire.node, node.name) for node in graph for wire in node.inputs)
    labels = {edge: cut(_edge_text(graph, edge, counts), _LONG_LABEL) for edge in edges}
    lengths = {edge: _wide(label, _SMALL) for edge, label in labels.items() if label}
    gaps = {edge: float(_BESIDE if edge in lengths else _GAP) for edge in edges}
    return place(graph, widths, _HEIGHT, gaps, labels=lengths)


def _node(graph: Graph, node: Node, placed: Placed) -> str:
    box = placed.boxes[node.name]
    tint = _TINTS[node.step.family]
    name, detail = cut(node.name, _LONG_NAME), cut(does(node), _LONG_DETAIL)
    return (
        f"<g><title>{_safe(_tooltip(graph, node))}</title>"
        f'<rect x="{box.left:.1f}" y="{box.middle - _HEIGHT / 2:.1f}" rx="8" '
        f'width="{box.right - box.left:.1f}" height="{_HEIGHT}" fill="{tint}" '
        f'fill-opacity=".16" stroke="{tint}" stroke-opacity=".75"/>'
        + _label(box.left + _PAD, box.middle - (3 if detail else -4.5), name, _NAME, weight=600)
        + (_label(box.left + _PAD, box.middle + 13, detail, _SMALL, opacity=0.75) if detail else "")
        + "</g>"
    )


def _edges(graph: Graph, placed: Placed, counts: Counts) -> Iterator[str]:
    for edge, way in placed.ways.items():
        label = _edge_text(graph, edge, counts)
        title = _safe(f"{edge[0]} → {edge[1]}" + (f": {label}" if label else ""))
        yield (
            f'<g><title>{title}</title><path d="{_curve(way)}" '
            'fill="none" stroke="currentColor" stroke-opacity=".45" stroke-width="1.4"/>'
            f'<path d="M{way[-1].left:.1f} {way[-1].middle:.1f}l-8 -4v8z" '
            f'fill="currentColor" fill-opacity=".6"/>'
            + (_edge_label(way[1], cut(label, _LONG_LABEL)) if label else "")
            + "</g>"
        )


def _edge_label(room: Box, text: str) -> str:
    x, y = (room.left + room.right) / 2, room.middle - 5
    return _label(x, y, text, _SMALL, "middle", opacity=0.85)


def _curve(way: Sequence[Box]) -> str:
    """Return an SVG path from box to box that is horizontal at each box."""
    parts = [f"M{way[0].right:.1f} {way[0].middle:.1f}"]
    for before, box in pairwise(way):
        stop = box.left - (6 if box is way[-1] else 0)
        half, level = f"{(before.right + stop) / 2:.1f}", f"{box.middle:.1f}"
        parts.append(f"C{half} {before.middle:.1f} {half} {level} {stop:.1f} {level}")
        if box is not way[-1]:
            parts.append(f"H{box.right:.1f}")
    return "".join(parts)


def _label(
    x: float,
    y: float,
    text: str,
    size: int,
    anchor: str = "start",
    weight: int = 400,
    opacity: float = 1,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="currentColor" fill-opacity="{opacity}">{_safe(text)}</text>'
    )


def _tooltip(graph: Graph, node: Node) -> str:
    lines = [cut(f"{node.name} = {step(node)}", _LONG_STEP), node.step.summary]
    if node.step.details is not None:
        lines += node.step.details(node)
    if node.gather is not None:
        how = "joined by id" if node.gather == "join" else "each element separately"
        lines.append(f"inputs: {', '.join(wire.node for wire in node.inputs)}, {how}")
    lines += [f"in {group.name}" for group in graph.groups if node.name in group.members]
    return "\n".join(lines)


def _edge_text(graph: Graph, edge: Edge, counts: Counts) -> str:
    """Return the label of an edge: its branches, its fields and its number of elements."""
    wires = [wire for wire in graph[edge[1]].inputs if wire.node == edge[0]]
    parts = [", ".join((wire.port or "") + select(wire) for wire in wires)]
    if edge in counts:
        parts.append(f"{counts[edge]:,}")
    return " · ".join(part for part in parts if part)


def _summary(graph: Graph) -> str:
    names = ", ".join(node.name for node in graph.order())
    return f"pipeline of {len(graph)} steps: {names}"


def _wide(text: str, size: int, bold: bool = False) -> float:
    """Return the maximum width of a text in pixels: in DejaVu Sans, the widest of common fonts."""
    return sum(map(_units, text)) * size * (1.12 if bold else 1.0)


def _units(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF" or char in "mwMW@%…":
        return 1.0
    if char.isupper():
        return 0.77
    return 0.55 if char in " fijlrt.,:;!|()[]'" else 0.64


def _safe(text: str) -> str:
    """Escape a text for XML, and replace the characters that XML does not allow."""
    return escape(_NOT_XML.sub("�", text))
