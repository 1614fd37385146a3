"""What a magic's line says: its words, its options and a pipeline's text."""

from __future__ import annotations

import ast
import re
import shlex
from argparse import ArgumentTypeError, Namespace
from typing import Any

from IPython.core.error import UsageError

from mmnotebook.graph.checks import is_name

FLAGS = ("--run", "--fresh", "--background")
"""The options that take no value."""
_OPTION = rf"(?:{'|'.join(FLAGS)}|(?:-o|--result|--limit|--until)(?:=|\s+)\w+)"
_FRONT = re.compile(rf"(?:\s*{_OPTION}(?!\S))*\s*")
_BACK = re.compile(rf"(?:(?:^|(?<=\s)){_OPTION}\s*)+$")
_NAME = re.compile(r"(\w+)(?:\s+(?=[\w{-])|$)")


def words(line: str) -> list[str]:
    """The words of a line; quotes hold one together, a backslash is a character like any other."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise UsageError(f"{line.strip()!r}: {error}; quotes come in pairs") from error


def parse(magic: Any, argv: list[str]) -> Namespace:
    """The arguments of a magic made with `magic_arguments`; UsageError for what it cannot take."""
    namespace = magic.parser.parse_args(argv)
    assert isinstance(namespace, Namespace)
    return namespace


def split_pipeline_line(line: str) -> tuple[list[str], str]:
    """The words and the pipeline's text in the line `[NAME] [options] TEXT [options]`.

    The text comes back character for character as it stands in the line. A first word is the NAME
    when another word (or nothing) follows it, which no pipeline's text allows.
    """
    text = line.strip()
    said = []
    if back := _BACK.search(text):
        said.append(back.group())
        text = text[: back.start()].rstrip()
    text = _cut(_FRONT, text, said)
    name = _NAME.match(text)
    if name and is_name(name[1]):
        text = _cut(_NAME, text, said)
        text = _cut(_FRONT, text, said)
    if text.startswith("-"):
        said.append(text)
        text = ""
    return words(" ".join(said)), text.strip()


def _cut(pattern: re.Pattern[str], text: str, said: list[str]) -> str:
    """`text` after the pattern's match at its start, which goes to `said`."""
    match = pattern.match(text)
    assert match is not None
    said.append(match.group())
    return text[match.end() :]


def count(text: str) -> int:
    """A whole number from 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def seconds(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def axis(text: str) -> int:
    """The number of an axis, for argparse."""
    if not text.removeprefix("-").isdecimal():
        raise ArgumentTypeError(f"{text!r} is not the number of an axis")
    return int(text)


def axes(text: str) -> Any:
    """The number of an axis, or a tuple or dict of one for each output, for argparse."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, bool) or not isinstance(value, (int, tuple, list, dict)):
        raise ArgumentTypeError(
            f"""{text!r} is not an axis, as 1 is, nor one for each output, as '(0, 1)' is"""
        )
    return value


def share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def variable_name(text: str) -> str:
    """A name that a variable can have, for argparse."""
    if not is_name(text):
        raise ArgumentTypeError(f"{text!r} cannot be the name of a variable")
    return text


def params(text: str) -> dict[str, Any]:
    """A dict of keyword arguments in Python's notation, for argparse."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ArgumentTypeError(f"""{text!r} is not a dict of names, as '{{"hidden": 64}}' is""")
    return value
