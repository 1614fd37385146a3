"""The options of `%mm_model`, which are the same as the options of `mm.register`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.magic_arguments import argument

from mmnotebook.ui.common import arguments

_OPTIONS = (
    argument(
        "name", nargs="?", metavar="NAME", help="Name of the model (default: show all models)."
    ),
    argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="Variable (a module, an estimator, a Beam handler ...) or path of a file.",
    ),
    argument(
        "--framework",
        metavar="FRAMEWORK",
        help="Framework of the model (default: determined by TARGET).",
    ),
    argument(
        "--class",
        dest="model_class",
        metavar="CLASS",
        help="Class of the model in a file of weights: a variable (default: none).",
    ),
    argument(
        "--params",
        type=arguments.params,
        metavar="DICT",
        help="Arguments of that class (default: none).",
    ),
    argument(
        "--method",
        metavar="METHOD",
        help="Method to call, such as predict_proba (default: of the framework).",
    ),
    argument(
        "--input",
        nargs="+",
        metavar="FIELD",
        help="Field, or fields, to pass to the model (default: the whole value).",
    ),
    argument(
        "--preprocess",
        metavar="FUNCTION",
        help="Function of one example, applied before the model (default: none).",
    ),
    argument(
        "--output",
        "--postprocess",
        dest="output",
        metavar="F",
        help="argmax, or a function of one raw output (default: keep it).",
    ),
    argument(
        "--inference-args",
        type=arguments.params,
        metavar="DICT",
        help="Keyword arguments of every call (default: none).",
    ),
    argument(
        "--batch",
        type=arguments.count,
        metavar="N",
        help="Elements per call of the model (default: 64; 1 for a remote model).",
    ),
    argument(
        "--min-batch",
        type=arguments.count,
        metavar="N",
        help="Smallest batch that Beam forms (default: --batch).",
    ),
    argument(
        "--max-batch",
        type=arguments.count,
        metavar="N",
        help="Largest batch that Beam forms (default: --batch).",
    ),
    argument(
        "--timeout",
        type=arguments.seconds,
        metavar="S",
        help="Time limit of one call, in seconds (default: none).",
    ),
    argument(
        "--unbatched",
        action="store_true",
        help="The model has no batch axis: each call receives one element (default: off).",
    ),
    argument(
        "--batch-axis",
        type=arguments.axis,
        metavar="AXIS",
        help="Batch axis of the input (default: 0).",
    ),
    argument(
        "--output-batch-axis",
        type=arguments.axes,
        metavar="AXIS",
        help="Batch axis of the output, or one for each: '(0, 1)' (default: the first).",
    ),
    argument(
        "--collate",
        metavar="FUNCTION",
        help="Function that builds a batch from a list of elements (default: stack them).",
    ),
    argument(
        "--reset",
        metavar="F",
        help="Method of the model, or function of it, that resets its state (default: none).",
    ),
    argument(
        "--remote",
        action="store_true",
        help="The model runs elsewhere: call it for predictions only (default: detected).",
    ),
    argument(
        "--version",
        metavar="VERSION",
        help="Release of the model: change it when its predictions change (default: none).",
    ),
    argument(
        "--cache",
        choices=["element"],
        metavar="element",
        help="Cache each prediction by its element (default: only for a remote model).",
    ),
    argument(
        "--device",
        type=arguments.one_of("CPU", "GPU"),
        default="CPU",
        metavar="DEVICE",
        help="CPU or GPU (default: CPU).",
    ),
    argument(
        "--large",
        action="store_true",
        help="Share the model between the processes of a worker (default: off).",
    ),
    argument(
        "--copies",
        type=arguments.count,
        metavar="N",
        help="Number of copies of a shared model (default: 1).",
    ),
    argument(
        "--env",
        type=arguments.params,
        metavar="DICT",
        help="Environment variables to set before the model is loaded (default: none).",
    ),
    argument(
        "--extra",
        type=arguments.params,
        metavar="DICT",
        help="Options of the framework (default: none).",
    ),
)


def model_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all of these options to a magic."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
