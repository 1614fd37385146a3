"""`%mm_export`: a graph or a run as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmnotebook.ui.common import arguments
from mmnotebook.ui.common.variables import NotebookMagics

_EXPORT = """
What is written:

  The ending of PATH says what is written. .py: a stand-alone Beam pipeline, with its models, its
  data, requirements.txt, a Dockerfile, metadata.json and a test beside it; give it a folder of its
  own. .mmgraph: the graph alone. .mmcapsule: a run; NAME is the variable of a result.

In Python: mm.export.script(graph, path, mode=..., sample=...), mm.export.graph(graph, path),
mm.export.capsule(result, path, sample=...); mm.open(path) opens the last two.
"""


@magics_class
class ExportMagics(NotebookMagics):
    """`%mm_export`."""

    @no_var_expand
    @magic_arguments()
    @arguments.manual("NAME PATH [options]", _EXPORT)
    @argument("name", metavar="NAME", help="Variable of a graph; of a result for a capsule.")
    @argument("path", metavar="PATH", help="Path of the file: .py, .mmgraph or .mmcapsule.")
    @argument(
        "--mode",
        choices=("plain", "mmnotebook"),
        help="plain: a script without mmnotebook; mmnotebook: one that uses it (default: plain).",
    )
    @argument(
        "--sample",
        type=arguments.count,
        metavar="N",
        help="Elements of each source in the test or the capsule (default: 100).",
    )
    @line_magic
    def mm_export(self, line: str) -> None:
        """Write a graph or a run to a file.

        Examples::

          %mm_export digits_ab pipeline/pipeline.py
          %mm_export digits_ab digits_ab.mmgraph
          %mm_export r run.mmcapsule
        """
        args = arguments.parse(self.mm_export, arguments.words(line))
        ending = Path(args.path).suffix
        if ending not in _ENDINGS:
            allowed = ", ".join(_ENDINGS)
            raise UsageError(f"{args.path!r} ends in {ending!r}; allowed: {allowed}")
        given = {name: value for name in ("mode", "sample") if (value := getattr(args, name))}
        unknown = [name for name in given if name not in _ENDINGS[ending]]
        if unknown:
            raise UsageError(f"--{unknown[0]} does not apply to a {ending} file")
        print(f"wrote {self._write(ending)(args.name, args.path, given)}")

    def _write(self, ending: str) -> Callable[[str, str, dict[str, Any]], Path]:
        from mmnotebook import export

        if ending == ".mmcapsule":
            return lambda name, path, given: export.capsule(
                self.variables.result(name), path, **given
            )
        write: Callable[..., Path] = export.script if ending == ".py" else export.graph
        return lambda name, path, given: write(self.variables.graph(name), path, **given)


_ENDINGS = {".py": ("mode", "sample"), ".mmgraph": (), ".mmcapsule": ("sample",)}
