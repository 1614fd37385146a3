"""The commands that change a document, as the canvas and the panel send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmnotebook.editing import clips, naming, nodes, templates, texts, wires
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
    "rename": naming.rename,
    "configure": nodes.configure,
    "wire": wires.wire,
    "gather": wires.gather,
    "group": naming.group,
    "ungroup": naming.ungroup,
    "paste": clips.paste,
}


def apply(document: Document, command: Mapping[str, Any], names: Names | None = None) -> Edit:
    """The document after a command.

    Parameters
    ----------
    document
        It stays as it is.
    command
        `{"op": "connect", "source": "digits", "port": None, "target": "mlp"}` and its like: JSON.
    names
        Where a text's names are looked up.

    Raises
    ------
    GraphError
        When the command is refused: why, in words.
    """
    op = command.get("op")
    if op == "text":
        return texts.typed(document, command, names)
    if op not in _COMMANDS:
        known = [*_COMMANDS, "text"]
        raise refused(f"there is no command {op!r}", str(op), known=known, allowed=True)
    return _COMMANDS[op](document, command)
