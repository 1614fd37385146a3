"""All edits, in parts with one kernel each; an edit is identified by its position in `ALL`."""

from __future__ import annotations

from tests.runtime.hunt import code, data, files, impure, models, objects, same, settings
from tests.runtime.hunt.edit import Edit

PARTS: dict[str, list[Edit]] = {
    "code": code.CODE,
    "objects": [*objects.IN_PLACE, *objects.MODULES, *objects.PATCHED, *settings.SETTINGS],
    "files": [
        *files.READERS, *files.CHANGED, *files.OTHER, *data.IN_PLACE, *data.FILES, *data.BEAM,
        *data.GRAPHS, *impure.IMPURE, *same.AGAIN, *same.READ_AGAIN,
    ],
    "models": models.MODELS,
}  # fmt: skip
ALL: list[Edit] = [edit for part in PARTS.values() for edit in part]


def places(part: str) -> list[int]:
    """Return the positions of the edits of a part."""
    before = list(PARTS)[: list(PARTS).index(part)]
    start = sum(len(PARTS[name]) for name in before)
    return list(range(start, start + len(PARTS[part])))
