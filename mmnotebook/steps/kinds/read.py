"""`read("data/*.parquet")`: files."""

from __future__ import annotations

from mmnotebook.graph.checks import is_text, one_of
from mmnotebook.graph.kinds import IMAGE_MODES, Param, StepKind
from mmnotebook.steps.kinds.params import ID

KIND = StepKind(
    "read",
    "source",
    "files: parquet, csv, jsonl, npy, or a folder of images",
    (
        Param("path", is_text, "a path or a glob", required=True),
        ID,
        Param(
            "mode",
            one_of(*IMAGE_MODES),
            '"keep" for an image\'s own values, or "L", "RGB" or "RGBA" for bytes',
            default="keep",
        ),
        Param(
            "rotate",
            one_of(True, False),
            "True to rotate images according to EXIF, False to keep them as stored in the file",
            default=True,
        ),
    ),
    script="mmnotebook.export.beam_script.steps:source",
    inputs="none",
    rank=20,
)
