"""Run exported scripts where mmnotebook and the tests cannot be imported: FOLDER OUTPUT [all]."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


class Hidden:
    """Finds no module of this repository."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] in ("mmnotebook", "tests"):
            raise ImportError(f"{name} is hidden")


def main(root: Path, hidden: bool) -> None:
    if hidden:
        sys.meta_path.insert(0, Hidden())  # type: ignore[arg-type]
    for folder in sorted(one for one in root.iterdir() if (one / "pipeline.py").exists()):
        sys.path.insert(0, str(folder))
        for name in ("pipeline", "test_pipeline"):
            sys.modules.pop(name, None)
        importlib.import_module("pipeline").run([f"--output={folder / 'output'}"])
        if (folder / "test_pipeline.py").exists():
            importlib.import_module("test_pipeline").test_the_rows_equal_those_of_the_notebook()
        sys.path.pop(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "hidden" in sys.argv)
