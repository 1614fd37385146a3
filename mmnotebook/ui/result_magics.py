"""The `%mm_…` magics that show a result or this machine."""

from __future__ import annotations

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from mmnotebook.ui.common import arguments
from mmnotebook.ui.common.figures import picture
from mmnotebook.ui.common.variables import NotebookMagics

_WHERE = ("--where", "-w")
_PLOTS = ("latency", "memory")
_RESULT = argument(
    "--result", "-r", metavar="NAME", help="Variable of a result (default: the latest result)."
)

_INSPECT = """
EXPR is an expression of the columns that the table shows. It needs no quotes, and ends at the next
option.

In Python: mm.inspect(result, node, n=20, where="...").
"""


@magics_class
class ResultMagics(NotebookMagics):
    """`%mm_inspect`, `%mm_trace`, `%mm_plot` and `%mm_doctor`."""

    @no_var_expand
    @magic_arguments()
    @arguments.manual("NODE [options]", _INSPECT)
    @argument("node", metavar="NODE", help="Node whose output to show.")
    @argument("-n", type=arguments.count, default=20, help="Number of rows (default: 20).")
    @argument(
        *_WHERE,
        metavar="EXPR",
        help="Show only the rows for which EXPR is true (default: all rows).",
    )
    @_RESULT
    @line_magic
    def mm_inspect(self, line: str) -> None:
        """Show the outputs of a node, one row per element.

        Examples::

          %mm_inspect mlp -n 5
          %mm_inspect mlp --where prediction != label
          %mm_inspect --where "prediction != label" mlp
          %mm_inspect mlp --where "label in [3, 5] and text.str.contains('free')"
        """
        args = arguments.parse(self.mm_inspect, arguments.words(line, _WHERE))
        result = self.variables.result(args.result)
        from mmnotebook.ui.inspector.first_rows import inspect

        display(inspect(result, args.node, n=args.n, where=args.where))

    @no_var_expand
    @magic_arguments()
    @arguments.manual("ID [options]", "In Python: mm.trace(result, id).")
    @argument("id", metavar="ID", help="Id of an element, in quotes if it has spaces.")
    @_RESULT
    @line_magic
    def mm_trace(self, line: str) -> None:
        """Follow one element through every node that it reached.

        Examples::

          %mm_trace 17
        """
        args = arguments.parse(self.mm_trace, arguments.words(line))
        from mmnotebook.results.inspection import trace

        display(trace(self.variables.result(args.result), args.id))

    @no_var_expand
    @magic_arguments()
    @arguments.manual(
        "PLOT [PLOT] [options]", "In Python: mm.plot.latency(result), mm.plot.memory(result)."
    )
    @argument(
        "plots",
        nargs="+",
        type=arguments.one_of(*_PLOTS),
        metavar="PLOT",
        help="What to plot: latency, memory.",
    )
    @_RESULT
    @line_magic
    def mm_plot(self, line: str) -> None:
        """Plot the latency per batch or the memory of the models of a result.

        Examples::

          %mm_plot latency memory
          %mm_plot latency -r r
        """
        args = arguments.parse(self.mm_plot, arguments.words(line))
        result = self.variables.result(args.result)
        from mmnotebook.results import plot

        for name in args.plots:
            data, metadata = picture(getattr(plot, name), result, name)
            display(data, metadata=metadata, raw=True)

    @no_var_expand
    @magic_arguments()
    @arguments.manual("", "In Python: mm.doctor().")
    @line_magic
    def mm_doctor(self, line: str) -> None:
        """Show what works on this machine, what is missing, and how to get it.

        Examples::

          %mm_doctor
        """
        arguments.parse(self.mm_doctor, arguments.words(line))
        from mmnotebook.ui.doctor import doctor

        display(doctor())
