"""The options of `%mm_model`, which are the same as the options of `mm.register`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.magic_arguments import argument

from mmnotebook.ui.common import arguments

_OPTIONS = (
    argument("name", nargs="?", metavar="NAME", help="Name of the model."),
    argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="Variable (a module, an estimator, a Beam handler ...) or path of a file.",
    ),
    argument(
        "--framework",
        metavar="FRAMEWORK",
        help="Framework of the model, if TARGET does not determine it.",
    ),
    argument(
        "--class",
        dest="model_class",
        metavar="CLASS",
        help="Class of the model in a file of weights: a variable.",
    ),
    argument("--params", type=arguments.params, help="Arguments of that class: a dict in quotes."),
    argument("--method", metavar="METHOD", help="Method to call: predict_proba ..."),
    argument("--input", nargs="+", metavar="FIELD", help="Field, or fields, to pass to the model."),
    argument(
        "--preprocess",
        metavar="FUNCTION",
        help="Function of one example, applied before the model.",
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
        help="Keyword arguments of every call: a dict in quotes.",
    ),
    argument("--batch", type=arguments.count, metavar="N", help="Elements per call of the model."),
    argument(
        "--min-batch", type=arguments.count, metavar="N", help="Smallest batch that Beam forms."
    ),
    argument(
        "--max-batch", type=arguments.count, metavar="N", help="Largest batch that Beam forms."
    ),
    argument(
        "--timeout", type=arguments.seconds, metavar="S", help="Time limit of one call, in seconds."
    ),
    argument(
        "--unbatched",
        action="store_true",
        help="The model has no batch axis: each call receives one element.",
    ),
    argument("--batch-axis", type=arguments.axis, metavar="AXIS", help="Batch axis of the input."),
    argument(
        "--output-batch-axis",
        type=arguments.axes,
        metavar="AXIS",
        help="Batch axis of the outputs: 1, or one for each output in quotes, '(0, 1)'.",
    ),
    argument(
        "--collate",
        metavar="FUNCTION",
        help="Function that builds a batch from a list of elements.",
    ),
    argument(
        "--reset",
        metavar="RESET",
        help="Method of the model, or function of it, that resets its state.",
    ),
    argument(
        "--remote",
        action="store_true",
        help="The model runs in another process or machine: it is called for predictions only.",
    ),
    argument(
        "--version",
        metavar="VERSION",
        help="Version of a remote model: other kernels reuse predictions of the same version.",
    ),
    argument(
        "--cache",
        choices=["element"],
        help="Cache each prediction by its element, for a costly model.",
    ),
    argument(
        "--device",
        type=arguments.one_of("CPU", "GPU"),
        default="CPU",
        metavar="DEVICE",
        help="Device: CPU or GPU (default: CPU).",
    ),
    argument(
        "--large", action="store_true", help="Share the model between the processes of a worker."
    ),
    argument(
        "--copies", type=arguments.count, metavar="N", help="Number of copies of a shared model."
    ),
    argument(
        "--env",
        type=arguments.params,
        help="Environment variables to set before the model is loaded: a dict in quotes.",
    ),
    argument("--extra", type=arguments.params, help="Options of the framework: a dict in quotes."),
)


def model_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all of these options to a magic."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
