"""Styles of the panel and the forms, for light and dark themes, and their static view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ipywidgets import HTML, Box, Button, Layout

CLASS = "mm-panel"
WIDE = {"width": "auto"}
"""The layout of a control as wide as the panel."""

_CSS = """
.mm-panel{box-sizing:border-box;width:100%;padding:2px 6px 8px;overflow-x:hidden}
.mm-panel .widget-inline-hbox.mm-field{flex-flow:column;height:auto;width:auto}
.mm-panel .mm-field>.widget-label{width:auto;max-width:100%;text-align:left;line-height:20px;
  font-weight:600;height:auto;white-space:normal;overflow-wrap:anywhere}
.mm-panel .mm-section{box-sizing:border-box;max-width:100%;margin-left:0;margin-right:0}
.mm-panel .mm-section .jupyter-widget-Collapse{box-sizing:border-box;max-width:100%}
.mm-panel .mm-named{position:relative}
.mm-panel .mm-named>.widget-label{position:absolute;width:1px;height:1px;overflow:hidden;
  clip-path:inset(50%);white-space:nowrap}
.mm-panel .widget-inline-hbox.mm-field{margin-top:5px}
.mm-panel .mm-field>input,.mm-panel .mm-field>select{width:100%;min-width:0;flex:0 0 auto;
  height:var(--jp-widgets-inline-height,28px)}
body[data-jp-theme-light="false"] .mm-panel{--jp-widgets-dropdown-arrow:url("data:image/svg+xml,
%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E%3Cpath fill='%23ccc'
 d='M5.2 5.9L9 9.7l3.8-3.8 1.2 1.2-4.9 5-4.9-5z'/%3E%3C/svg%3E")}
.mm-panel .widget-text,.mm-panel .widget-dropdown,.mm-panel .widget-combobox{min-width:0}
.mm-panel .widget-html,.mm-panel .widget-html-content{height:auto;min-height:0;line-height:1.35}
.mm-panel .mm-hint,.mm-panel .mm-summary{color:inherit;opacity:.78;font-size:12px}
.mm-panel .mm-error,.mm-panel .mm-problems{color:var(--jp-error-color1,#b00020);font-size:12px;
  overflow-wrap:anywhere}
.mm-panel .mm-warning{border-left:3px solid var(--jp-warn-color1,#b26a00);padding-left:6px;
  font-size:12px}
.mm-panel .mm-problems ul{margin:2px 0 4px;padding-left:16px}
.mm-panel h3{font-size:14px;margin:6px 0 2px;overflow-wrap:anywhere}
.mm-panel h4{font-size:12px;margin:8px 0 0;opacity:.78;text-transform:uppercase;
  letter-spacing:.04em}
.mm-panel .mm-row{align-items:center}
.mm-panel .mm-kind{border:1px solid rgba(128,128,128,.45);border-radius:9px;padding:0 7px;
  font-size:11px}
.mm-panel .mm-output{font-family:var(--jp-code-font-family,monospace);overflow-wrap:anywhere;
  background:rgba(128,128,128,.12);border-radius:4px;padding:3px 6px}
.mm-panel .mm-busy::before{content:"";display:inline-block;width:9px;height:9px;margin-right:6px;
  border:2px solid currentColor;border-right-color:transparent;border-radius:50%;
  animation:mm-turn 1s linear infinite}
@keyframes mm-turn{to{transform:rotate(360deg)}}
@media (prefers-reduced-motion:reduce){.mm-panel .mm-busy::before{animation:none}}
""".replace("\n", "")


def sheet() -> HTML:
    """Create the style sheet; all its rules apply to `.mm-panel` only."""
    return HTML(f"<style>{_CSS}</style>", layout=Layout(display="none"))


def field(kind: type[Any], description: str, **traits: Any) -> Any:
    """Create a control with its label above it, as wide as the panel."""
    made = kind(description=description, layout=Layout(**WIDE), **traits)
    made.add_class("mm-field")
    return made


def named(kind: type[Any], words: str, *values: Any, **traits: Any) -> Any:
    """Create a control for a row; its label is for screen readers only."""
    return kind(*values, description=words, tooltip=words, **traits).add_class("mm-named")


def row(*children: Any) -> Box:
    """Create a row of controls; the first takes the remaining width."""
    made = Box(children, layout=Layout(display="flex", width="100%", align_items="center"))
    return made.add_class("mm-row")


def button(words: str, tooltip: str, icon: str = "", width: str = "auto") -> Button:
    """Create a button; screen readers read its tooltip, too."""
    return Button(description=words, tooltip=tooltip, icon=icon, layout=Layout(width=width))


def put(control: Any, value: Any, trait: str = "value") -> None:
    """Set a trait to a value; it is sent to the view only if it changed."""
    if getattr(control, trait) != value:
        setattr(control, trait, value)


def show_if(control: Any, shown: bool) -> None:
    """Show a control, or hide it."""
    put(control.layout, None if shown else "none", "display")


def note() -> HTML:
    """Create an empty line of text, to show an `error`, a `hint` or a `warning`."""
    return HTML("", layout=Layout(**WIDE))


def error(text: str) -> str:
    """Return the HTML of an error, which screen readers read immediately."""
    return f'<div class="mm-error" role="alert">{_lines(text)}</div>'


def hint(text: str) -> str:
    return f'<div class="mm-hint">{_lines(text)}</div>' if text else ""


def warning(text: str) -> str:
    return f'<div class="mm-warning">{_lines(text)}</div>'


def problems(found: Iterable[object]) -> str:
    """Return the HTML of a list of problems; "" for none."""
    items = "".join(f"<li>{escape(str(problem))}</li>" for problem in found)
    return f'<div class="mm-problems"><ul>{items}</ul></div>' if items else ""


def _lines(text: str) -> str:
    return "<br>".join(escape(line.strip()) for line in text.splitlines())


def bundle(
    shown: Mapping[str, Any] | None, title: str, rows: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Add a title and a table to a widget's MIME bundle, as HTML and as text."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows
    )
    table = f"<table><tbody>{cells}</tbody></table>" if cells else ""
    lines = [title, *(f"  {name}: {value}" for name, value in rows)]
    html = f"<div><b>{escape(title)}</b>{table}</div>"
    return {**(shown or {}), "text/html": html, "text/plain": "\n".join(lines)}
