"""The `%mm_…` magics that create and run pipelines."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import registry
from mmnotebook.notation.text import pipeline
from mmnotebook.ui.common import arguments
from mmnotebook.ui.common.variables import NotebookMagics
from mmnotebook.ui.model_arguments import model_arguments

_ASSIGN = argument(
    "--result",
    "-o",
    type=arguments.variable_name,
    metavar="NAME",
    help="Variable to assign the result to (default: mm.last only).",
)
_LIMIT = argument(
    "--limit",
    type=arguments.count,
    metavar="N",
    help="Use only the first N elements of each source (default: all).",
)
_UNTIL = argument(
    "--until",
    metavar="NODE",
    help="Run only NODE and the nodes that it needs (default: all nodes).",
)
_FRESH = argument(
    "--fresh",
    action="store_true",
    help="Compute every node, also cached ones (default: off).",
)
_BACKGROUND = argument(
    "--background",
    action="store_true",
    help="Finish the cell at once, and run in the background (default: off).",
)

_MODEL = """
Registering a name again replaces its model. Values that are variables must be defined in the
notebook. A dict needs quotes around it.

In Python: mm.register(name, target, ...). Its documentation describes every option in full.
"""
_PIPELINE = """
The text of a pipeline:

  name = data | step | step    one or more lines
  | step                       continues the line before

A step is one of these:

  mlp                          a registered model, a function, or the name of another pipeline
  [mlp, tree]                  every step of the list receives every element
  split(a=0.9, b=0.1)          each element goes to one branch, by weight
  switch(f, a=..., b=...)      each element goes to the branch that f returns
  cascade(small, big, below=0.8)
                               big receives the elements of which small is less sure
  keyed({...}, by=...)         a model per key
  map(f), flat_map(f), filter(f)
  vote(), mean(), stack()      combine several outputs for one element
  read("path"), write("path")  files

Where the text is:

  In a cell, the text is the body of the cell. In a line, it follows NAME; options may be before
  and after it. NAME alone shows or runs the graph with that name again. If the text of a line
  begins with a bracket, it cannot follow a NAME: use a cell.

Running (see also %mm_run?):

  The options from --result to --background need --run. Nodes that an earlier run has stored are
  read from the cache; --fresh computes them again. With --background, `-o r` assigns the run in
  progress: r.result() waits for its result, r.cancel() cancels it.

Reading:

  read("photos/*") reads images with the pixel values of their files, rotated by their EXIF
  orientation. mode="RGB" (or "L", "RGBA") converts them to bytes, rotate=False does not rotate
  them. read("rows/*.csv.gz") decompresses csv and jsonl. If a file of a glob or a folder cannot be
  read, only that file fails; its path is the id of the failure.

Writing:

  write("out.parquet") (or .csv, .jsonl) writes a row per element, with its id. Integers stay
  integers even if one is missing; arrays and Series become lists, frames become records, in csv
  as JSON. In jsonl, missing values and NaN are null, infinity is an error, dates are strings. A
  value that could only be written as its repr (an object, a sparse matrix; bytes in csv and jsonl)
  is an error that names the field. A field with the name of one of the file's own columns becomes
  `<name>_field`. A new file is readable by its user only (0600); an existing file keeps its
  permissions, and a link stays a link.

In Python: mm.pipeline(text), mm.run(graph).
"""
_RUN = """
The cache:

  A node is read from the cache if an earlier run, in this kernel or another, has computed it with
  the same step, functions, models, data and inputs. r.why says why each node was computed.

In the background:

  The cell shows the progress of the run, while other cells can be executed. With `-o running`,
  running.result() waits for the result and returns it, or raises the run's error; running.done and
  running.progress show its progress; running.cancel() cancels it. Without -o, the result is in
  mm.last when the run has finished.

In Python: mm.run(graph, limit=..., until=..., max_failed=..., fresh=..., wait=False).
"""
_CHECK = """
The findings:

  Each has a node, a reason, a remedy and a severity: an "error" lets a run fail or lose results, a
  "warning" may do so, or lets the results differ. The code of the functions is read, but no
  function is called. Without --on, the check is for any workers that share no files with this
  machine.

In Python: mm.check(graph, where, probe=True), where = mm.cluster("FlinkRunner", ...).
"""
_BUILDER = """
If NAME is not a variable yet, the canvas is empty. The variable is assigned after every edit that
leaves the graph valid. Executed again, the magic shows the same builder, with its layout and its
undo history. If another graph was assigned to NAME in the meantime, the builder shows that graph,
and undo restores the previous one.

In Python: mm.Builder(graph).
"""


@magics_class
class PipelineMagics(NotebookMagics):
    """`%mm_model`, `%mm_pipeline`, `%mm_run`, `%mm_check` and `%mm_builder`."""

    @no_var_expand
    @magic_arguments()
    @arguments.manual("[NAME TARGET] [options]", _MODEL)
    @model_arguments
    @line_magic
    def mm_model(self, line: str) -> None:
        """Register a model under a name; without arguments, show the registered models.

        Examples::

          %mm_model
          %mm_model mlp my_torch_module --batch 64
          %mm_model tree forest.joblib --input x
          %mm_model net weights.pt --class Net --params '{"hidden": 64}' --output argmax
          %mm_model sure forest.joblib --method predict_proba
        """
        argv = arguments.words(line)
        args = arguments.parse(self.mm_model, argv)
        if args.name is None:
            if argv:
                raise UsageError("the model's name is missing: %mm_model NAME TARGET [options]")
            display(registry)
            return
        if args.target is None:
            raise UsageError(f"{args.name!r} needs a target: %mm_model {args.name} TARGET")
        fields = args.input and (args.input[0] if len(args.input) == 1 else tuple(args.input))
        from mmnotebook.model.registered.register import register

        spec = register(
            args.name,
            self.variables.target(args.target),
            framework=args.framework,
            model_class=self._named(args.model_class, "class"),
            model_params=args.params,
            method=args.method,
            input=fields,
            preprocess=self._named(args.preprocess, "function"),
            output=args.output if args.output == "argmax" else self._named(args.output, "function"),
            inference_args=args.inference_args,
            batch_size=args.batch,
            min_batch_size=args.min_batch,
            max_batch_size=args.max_batch,
            timeout=args.timeout,
            batched=not args.unbatched,
            batch_axis=args.batch_axis or 0,
            output_batch_axis=args.output_batch_axis,
            collate=self._named(args.collate, "function"),
            reset=self._reset(args.reset),
            remote=args.remote or None,
            version=args.version,
            cache=args.cache,
            device=args.device,
            large_model=args.large,
            model_copies=args.copies,
            env_vars=args.env,
            **(args.extra or {}),
        )
        display(spec)

    @no_var_expand
    @magic_arguments()
    @arguments.manual("[NAME] [options] [TEXT]", _PIPELINE)
    @argument(
        "name",
        nargs="?",
        metavar="NAME",
        type=arguments.variable_name,
        help="Variable to assign the graph to (default: none).",
    )
    @argument("--run", action="store_true", help="Run the graph, show the result (default: off).")
    @_ASSIGN
    @_LIMIT
    @_UNTIL
    @_FRESH
    @_BACKGROUND
    @line_cell_magic
    def mm_pipeline(self, line: str, cell: str | None = None) -> None:
        """Create a pipeline's graph from its text, show it and, with --run, run it.

        Examples::

          %%mm_pipeline digits_ab --run
          both = digits["x"] | [mlp, tree]

          %mm_pipeline digits_ab digits["x"] | split(mlp=0.9, tree=0.1) --run
          %mm_pipeline digits["x"] | mlp
          %mm_pipeline digits_ab --run --limit 100 -o r
          %mm_pipeline digits_ab --run --fresh
          %mm_pipeline digits_ab --run --background -o running
        """
        if cell is None:
            argv, text = arguments.split_pipeline_line(line)
        else:
            argv, text = arguments.words(line), cell
        args = arguments.parse(self.mm_pipeline, argv)
        _check(args, text)
        if text.strip():
            graph = pipeline(text)
            self.variables.assign_graph(args.name, graph)
        else:
            graph = self.variables.graph(args.name)
        if args.run:
            self._run(graph, args)
        else:
            display(graph)

    @no_var_expand
    @magic_arguments()
    @arguments.manual("NAME [options]", _RUN)
    @argument("name", metavar="NAME", help="Variable of the graph.")
    @_ASSIGN
    @_LIMIT
    @_UNTIL
    @_FRESH
    @_BACKGROUND
    @argument(
        "--max-failed",
        type=arguments.share,
        default=0.1,
        metavar="SHARE",
        help="Stop if a larger share of a node's elements fails (default: 0.1).",
    )
    @line_magic
    def mm_run(self, line: str) -> None:
        """Run a graph and show the result, which is also mm.last.

        Examples::

          %mm_run digits_ab
          %mm_run digits_ab -o r --limit 100 --until mlp
          %mm_run digits_ab --fresh
          %mm_run digits_ab --background -o running
          r = running.result()
        """
        args = arguments.parse(self.mm_run, arguments.words(line))
        self._run(self.variables.graph(args.name), args, max_failed=args.max_failed)

    @no_var_expand
    @magic_arguments()
    @arguments.manual("NAME [options]", _CHECK)
    @argument("name", metavar="NAME", help="Variable of the graph.")
    @argument(
        "--on",
        metavar="CLUSTER",
        help="Variable of the cluster on which the graph will run (default: any).",
    )
    @argument(
        "--probe",
        action="store_true",
        help="Ask a worker of the cluster for its packages and memory (default: off).",
    )
    @line_magic
    def mm_check(self, line: str) -> None:
        """Show what of a graph would not work, or work otherwise, on workers elsewhere.

        Examples::

          %mm_check digits_ab
          %mm_check digits_ab --on where
          %mm_check digits_ab --on where --probe
        """
        args = arguments.parse(self.mm_check, arguments.words(line))
        graph = self.variables.graph(args.name)
        where = None if args.on is None else self.variables.cluster(args.on)
        from mmnotebook.clusters.check import check

        display(check(graph, where, probe=args.probe))

    @no_var_expand
    @magic_arguments()
    @arguments.manual("[NAME]", _BUILDER)
    @argument(
        "name",
        nargs="?",
        metavar="NAME",
        type=arguments.variable_name,
        default="pipeline",
        help="Variable of the graph (default: pipeline).",
    )
    @line_magic
    def mm_builder(self, line: str) -> None:
        """Open the visual builder on a graph; edits update the variable.

        Examples::

          %mm_builder
          %mm_builder digits_ab
        """
        args = arguments.parse(self.mm_builder, arguments.words(line))
        graph = self.variables.graph(args.name) if self.variables.has(args.name) else None
        from mmnotebook.ui.builder.builder import opened

        display(opened(args.name, graph, partial(self.variables.assign_graph, args.name)))

    def _reset(self, text: str | None) -> Any:
        """Return the notebook's function with this name, or `text` as a method's name."""
        if text is None or not self.variables.has(text):
            return text
        return self._named(text, "function")

    def _named(self, name: str | None, kind: str) -> Any:
        return None if name is None else self.variables.function(name, kind)

    def _run(self, graph: Graph, args: Namespace, **options: Any) -> None:
        options.update(
            limit=args.limit, until=args.until, fresh=args.fresh, wait=not args.background
        )
        from mmnotebook.running.session import run

        result = run(graph, **options)
        if args.result is not None:
            self.variables.assign(args.result, result)
        if not args.background:
            display(result)


def _check(args: Namespace, text: str) -> None:
    """Raise UsageError for a %mm_pipeline without a pipeline, or with conflicting options."""
    if not text.strip() and args.name is None:
        raise UsageError("no pipeline: %mm_pipeline [NAME] [options] TEXT, or %mm_pipeline NAME")
    if not args.run:
        for option in ("result", "limit", "until", "fresh", "background"):
            if getattr(args, option) not in (None, False):
                raise UsageError(f"--{option} needs --run")
