"""Directives that generate parts of these pages from the code.

`mm-magics` lists the magics with their options, `mm-steps` the step kinds of the notation with
their parameters, `mm-object NAME` an object such as `mm.cache` with its members, `mm-module NAME` a
module such as `mm.plot`, `mm-function NAME` a function with overloads. The tutorials are read from
`notebooks/`.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from numpydoc.docscrape_sphinx import SphinxDocString
from pygments.lexers.python import PythonLexer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import mmnotebook as mm


class _Written(Directive):
    """A directive whose content is the reStructuredText that `lines` yields."""

    def lines(self) -> Iterator[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.lines())
        content = StringList(text.splitlines(), source=type(self).__name__)
        around = nodes.section()
        around.document = self.state.document
        self.state.nested_parse(content, self.content_offset, around, match_titles=True)
        return around.children


class Magics(_Written):
    """Each magic: its usage, its description, examples, its options, details."""

    def lines(self) -> Iterator[str]:
        for name, function in magics().items():
            yield from _heading(f"%{name}", name.replace("_", "-"))
            yield from _manual(name, function)


def magics() -> dict[str, Any]:
    """Return the magics that `%load_ext mmnotebook` registers, by name, as functions of a line."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.extension_manager.load_extension("mmnotebook")
    found = shell.magics_manager.magics["line"]
    return {name: found[name] for name in sorted(found) if name.startswith("mm_")}


def _heading(text: str, anchor: str) -> Iterator[str]:
    yield from (f".. _{anchor}:", "", text, "-" * len(text), "")


def _manual(name: str, function: Any) -> Iterator[str]:
    parser: argparse.ArgumentParser = function.parser
    usage = parser.format_usage().removeprefix("usage:").replace("::", "")
    usage = " ".join(usage.split()).replace("%(prog)s", f"%{name}")
    yield from _block("text", textwrap.fill(usage, 72, subsequent_indent="    "))
    text, mark, examples = inspect.cleandoc(parser.description or "").partition("Examples::")
    yield from (_escaped(text) + mark + examples, "")
    for action in parser._actions:
        yield from _option(action)
    yield from _details(parser.epilog or "")


def _details(text: str) -> Iterator[str]:
    """Yield the text after the options; indented paragraphs with columns are shown unchanged."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if re.search(r"\S {2,}\S", paragraph):
            yield from _block("text", textwrap.dedent(paragraph))
        else:
            yield from (_escaped(textwrap.dedent(paragraph)), "")


def _option(action: argparse.Action) -> Iterator[str]:
    names = [f"``{name}``" for name in action.option_strings]
    value = action.metavar or (None if action.nargs == 0 else action.dest.upper())
    if not names:
        names, value = [f"``{value}``"], None
    shown = ", ".join(names) + (f" ``{value}``" if value else "")
    help_ = _escaped(action.help or "")
    chosen = "" if action.choices is None else f" One of: {', '.join(map(str, action.choices))}."
    yield from (shown, f"    {help_}{chosen}", "")


def _escaped(text: str) -> str:
    """Escape the asterisks of a text, so that they are not markup."""
    return text.replace("*", r"\*")


def _block(language: str, text: str) -> Iterator[str]:
    yield from (f".. code-block:: {language}", "", textwrap.indent(text, "    "), "")


class Steps(_Written):
    """Each step kind of the notation: its summary and its parameters."""

    def lines(self) -> Iterator[str]:
        from mmnotebook.graph.kinds import KINDS

        for kind in KINDS.values():
            yield from (f"``{kind.name}``", f"    {kind.summary}.", "")
            for param in kind.params:
                if param.name not in kind.words:
                    continue
                need = "; required" if param.required else ""
                default = "" if param.default is None else f"; ``{param.default!r}`` by default"
                yield f"    * ``{param.name}``: {_escaped(param.allowed)}{need}{default}"
            yield ""


class Object(_Written):
    """An object of the package, with its attributes and methods."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"members": str}

    def lines(self) -> Iterator[str]:
        (name,) = self.arguments
        kind = type(getattr(mm, name))
        chosen = self.options.get("members", ", ".join(vars(kind))).split(", ")
        yield from (f".. py:data:: mmnotebook.{name}", "")
        yield from _inside(_text(kind))
        for member, value in vars(kind).items():
            if member not in chosen or member.startswith("_") or not inspect.getdoc(value):
                continue
            yield from _inside("\n".join(_member(name, member, value)))


class Function(_Written):
    """A function with overloads: one signature, with the annotations of the code."""

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        (name,) = self.arguments
        signature = inspect.signature(getattr(mm, name))
        given = [
            one.replace(annotation=_AsWritten(one.annotation))
            for one in signature.parameters.values()
        ]
        returned = _AsWritten(signature.return_annotation)
        written = signature.replace(parameters=given, return_annotation=returned)
        yield from (f".. py:function:: mmnotebook.{name}{written}", "")
        yield from _inside(_text(getattr(mm, name)))


class _AsWritten:
    """An annotation that is shown exactly as in the code."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text.replace("events.", "")


class Module(_Written):
    """A module of the package that has a public name: its functions and classes."""

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        (name,) = self.arguments
        module = getattr(mm, name)
        yield from (f".. py:module:: mmnotebook.{name}", "")
        for member, value in vars(module).items():
            inside = getattr(value, "__module__", None) == module.__name__
            if member.startswith("_") or not (inside or member in getattr(module, "__all__", ())):
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                kind = "class" if inspect.isclass(value) else "function"
                signature = inspect.signature(value)
                yield f".. py:{kind}:: mmnotebook.{name}.{member}{_bare(signature)}"
                yield ""
                yield from _inside(_text(value))


def _bare(signature: inspect.Signature) -> str:
    """Return a signature without annotations, since they would show internal modules."""
    given = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=given, return_annotation=signature.empty))


def _member(name: str, member: str, value: Any) -> Iterator[str]:
    if isinstance(value, property):
        yield f".. py:attribute:: mmnotebook.{name}.{member}"
    else:
        signature = inspect.signature(value)
        without_self = signature.replace(parameters=list(signature.parameters.values())[1:])
        yield f".. py:method:: mmnotebook.{name}.{member}{_bare(without_self)}"
    yield ""
    yield from _inside(_text(value))


def _text(value: Any) -> str:
    return str(SphinxDocString(inspect.getdoc(value) or ""))


def _inside(text: str) -> Iterator[str]:
    yield from (textwrap.indent(text, "   "), "")


def saved_notebook(app: Sphinx, docname: str, source: list[str]) -> None:
    """Convert a saved tutorial into a page: embed its pictures, link to pages of this folder."""
    if not docname.startswith("tutorials/") or docname == "tutorials/index":
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            text = re.sub(r"\[([^]]+)\]\((\d\w+)\.ipynb\)", r"{doc}`\1 <\2>`", text)
            for name, data in cell.pop("attachments", {}).items():
                (kind, content), *_ = data.items()
                text = text.replace(f"(attachment:{name})", f"(data:{kind};base64,{content})")
            cell["source"] = text
    source[0] = json.dumps(notebook)


def own_cache(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give each page an empty cache, so that its outputs do not depend on other pages."""
    cache = Path(os.environ["MMNOTEBOOK_CACHE"]).parent / docname.replace("/", "-")
    os.environ["MMNOTEBOOK_CACHE"] = str(cache)


LOADED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)\s*=\s*["']?(?:https?:)?//"""
    r"""|\.(?:src|href)\s*=\s*["']https?://"""
)
"""HTML that makes a browser load a file from another site; links to follow do not count."""


def check_offline(app: Sphinx, error: Exception | None) -> None:
    """Fail if a page would load something from the network."""
    if error is not None or app.builder.format != "html":
        return
    pages = Path(app.outdir).rglob("*.html")
    found = [str(page) for page in pages if LOADED.search(page.read_text("utf-8"))]
    if found:
        raise ExtensionError(f"these pages load from the network: {', '.join(found)}")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("mm-magics", Magics)
    app.add_directive("mm-steps", Steps)
    app.add_directive("mm-object", Object)
    app.add_directive("mm-module", Module)
    app.add_directive("mm-function", Function)
    app.connect("source-read", own_cache)
    app.connect("build-finished", check_offline)
    app.connect("source-read", saved_notebook)
    app.add_lexer("mm", PythonLexer)  # the text of a pipeline is in Python's grammar
    # Each page needs a kernel. Sphinx gives each process a fixed list of pages, so twice as many
    # processes as cores share the slow pages better.
    app.parallel = max(app.parallel, min(8, 2 * (os.cpu_count() or 1)))
    return {"version": mm.__version__, "parallel_read_safe": True, "parallel_write_safe": True}
