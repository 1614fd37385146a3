"""Commands on a document, which are sent by the canvas and the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmnotebook.editing import clips, nodes, renames, templates, texts, wires
from mmnotebook.editing.document import Document, Edit, refused
from mmnotebook.graph.names import Names

__all__ = ["Edit", "apply"]

_COMMANDS: dict[str, Callable[[Document, Mapping[str, Any]], Edit]] = {
    "add": nodes.add,
    "template": templates.template,
    "connect": wires.connect,
    "disconnect": wires.disconnect,
    "remove": nodes.remove,
    "move": nodes.move,
    "arrange": nodes.arrange,
    "rename": renames.rename,
    "configure": nodes.configure,
    "wire": wires.wire,
    "gather": wires.gather,
    "group": renames.group,
    "ungroup": renames.ungroup,
    "paste": clips.paste,
}


def apply(document: Document, command: Mapping[str, Any], names: Names | None = None) -> Edit:
    """Apply a command to a document.

    Parameters
    ----------
    document
        The document, which is not changed.
    command
        A JSON object such as
        `{"op": "connect", "source": "digits", "port": None, "target": "mlp"}`.
    names
        Lookup of the names in a text.

    Returns
    -------
    Edit
        The document after the command, with a description of the change.

    Raises
    ------
    GraphError
        If the command is not possible; the message says why.
    """
    op = command.get("op")
    if op == "text":
        return texts.typed(document, command, names)
    if op not in _COMMANDS:
        known = [*_COMMANDS, "text"]
        raise refused(f"there is no command {op!r}", str(op), known=known, allowed=True)
    return _COMMANDS[op](document, command)
