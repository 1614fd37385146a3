"""The options of `%mm_model`, which are those of `mm.register`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.magic_arguments import argument

from mmnotebook.ui.common import arguments

_OPTIONS = (
    argument("name", nargs="?", metavar="NAME", help="What the model is to be called."),
    argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="A variable (a module, an estimator, a Beam handler ...) or the path of a file.",
    ),
    argument(
        "--framework", metavar="FRAMEWORK", help="Whose model it is, where TARGET does not tell."
    ),
    argument(
        "--class",
        dest="model_class",
        metavar="CLASS",
        help="The class of a state dict: a variable.",
    ),
    argument(
        "--params", type=arguments.params, help="The arguments of that class: a dict in quotes."
    ),
    argument("--method", metavar="METHOD", help="The method that is called: predict_proba ..."),
    argument("--input", nargs="+", metavar="FIELD", help="The field, or fields, it is given."),
    argument(
        "--preprocess", metavar="FUNCTION", help="A function of one example, before the model."
    ),
    argument(
        "--output",
        "--postprocess",
        dest="output",
        metavar="OUTPUT",
        help="argmax, or a function of one raw output: a variable.",
    ),
    argument(
        "--inference-args",
        type=arguments.params,
        metavar="ARGS",
        help="What every call is given beside the batch: a dict in quotes.",
    ),
    argument("--batch", type=arguments.count, metavar="N", help="Elements per call of the model."),
    argument("--min-batch", type=arguments.count, metavar="N", help="Beam's lower bound of those."),
    argument("--max-batch", type=arguments.count, metavar="N", help="Beam's upper bound of those."),
    argument(
        "--timeout", type=arguments.seconds, metavar="S", help="Seconds that one call may take."
    ),
    argument(
        "--unbatched",
        action="store_true",
        help="It has no batch axis: each call is given one element as it is.",
    ),
    argument(
        "--batch-axis", type=arguments.axis, metavar="AXIS", help="Axis of the batch in its input."
    ),
    argument(
        "--output-batch-axis",
        type=arguments.axes,
        metavar="AXIS",
        help="Axis of the batch in its outputs: 1, or one for each output in quotes, '(0, 1)'.",
    ),
    argument(
        "--collate", metavar="FUNCTION", help="Makes of a list of elements what it is called with."
    ),
    argument(
        "--reset", metavar="RESET", help="Its method, or a function of it, that resets its state."
    ),
    argument(
        "--remote",
        action="store_true",
        help="It answers from another process or machine: it is called for predictions alone.",
    ),
    argument(
        "--version",
        metavar="VERSION",
        help="Changes whenever its answers may; other kernels then reuse what a remote one gave.",
    ),
    argument(
        "--cache",
        choices=["element"],
        help="Keeps each prediction by its element alone, for a costly model.",
    ),
    argument(
        "--device",
        type=arguments.one_of("CPU", "GPU"),
        default="CPU",
        metavar="DEVICE",
        help="Where it runs: CPU, GPU; CPU.",
    ),
    argument("--large", action="store_true", help="Processes of a worker share the model."),
    argument(
        "--copies", type=arguments.count, metavar="N", help="How many copies of it they share."
    ),
    argument(
        "--env",
        type=arguments.params,
        help="Environment variables, set before it is loaded: a dict in quotes.",
    ),
    argument(
        "--extra", type=arguments.params, help="Options of the framework's own: a dict in quotes."
    ),
)


def model_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates the magic with all of them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
