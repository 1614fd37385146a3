"""Parsing of magic lines: words, options and pipeline text."""

from __future__ import annotations

import ast
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicHelpFormatter, kwds

from mmnotebook.compat import ipython
from mmnotebook.compat.python import options as options_of
from mmnotebook.errors import nearest
from mmnotebook.graph.checks import is_name

FLAGS = ("--run", "--fresh", "--background")
"""The options without a value."""
_OPTION = rf"(?:{'|'.join(FLAGS)}|(?:-o|--result|--limit|--until)(?:=|\s+)-?[\w.]+)"
_FRONT = re.compile(rf"(?:\s*{_OPTION}(?!\S))*\s*")
_BACK = re.compile(rf"(?:(?:^|(?<=\s)){_OPTION}\s*)+$")
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+|(?P<odd>["'])""")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_STRING = re.compile(r"""(["'])(?:(?!\1)[^\\]|\\.)*\1""")
_LIKE_OPTION = re.compile(r"--?[^\W\d_]")
_TEXT_OPTION = re.compile(r"(?<!\S)--[^\W\d_][\w-]*")
_GLUE = ("", "=")
_NAME = re.compile(r"(\w+)(?:\s+(?=[\w{-])|$)")


@dataclass(frozen=True)
class Word:
    """A word of a magic's line.

    Attributes
    ----------
    text
        The word without the quotes around it.
    start, end
        The positions in the line at which the word starts and ends.
    is_quoted
        Whether the word begins with a quote. Such a word is a value, even if its text begins with
        `-`.
    """

    text: str
    start: int
    end: int
    is_quoted: bool


class _Manual(MagicHelpFormatter):
    """Formats the manual of a magic with one line per option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=110)


def manual(usage: str, details: str) -> Any:
    """Return a decorator for the manual of a magic, below `magic_arguments`.

    The manual begins with the docstring: what the magic does, and examples. The options follow,
    then the details.

    Parameters
    ----------
    usage
        What follows the magic's name: "NAME [options]".
    details
        The text after the options.
    """
    return kwds(usage=f"%(prog)s {usage}".rstrip(), epilog=details, formatter_class=_Manual)


def words(line: str, expressions: Container[str] = ()) -> list[str]:
    """Split a line into words for argparse, without a `# comment` at its end.

    A word in quotes can contain spaces. A backslash has no special meaning.

    Parameters
    ----------
    expressions
        The options whose value is an expression. The expression needs no quotes, and
        ends at the next option.
    """
    argv: list[str] = []
    positional: list[str] = []
    lexed = _lexed(line)
    while lexed:
        word = lexed.pop(0)
        option = argv[-1] if argv and _is_option(argv[-1]) and "=" not in argv[-1] else ""
        if option in expressions and not word.is_quoted:
            last = word
            while lexed and not (_is_option(lexed[0].text) and not lexed[0].is_quoted):
                last = lexed.pop(0)
            argv[-1] = f"{option}{_GLUE[option[:2] == '--']}{line[word.start : last.end]}"
        elif not (word.is_quoted and word.text.startswith("-")):
            argv.append(word.text)
        elif option:
            argv[-1] = f"{option}{_GLUE[option[:2] == '--']}{word.text}"
        else:
            positional.append(word.text)
    return [*argv, "--", *positional] if positional else argv


def _lexed(line: str) -> list[Word]:
    found = []
    for match in _WORD.finditer(line):
        text = match.group()
        if text.startswith("#"):
            break
        if match.lastgroup == "odd":
            raise UsageError(f"{line.strip()!r}: a quote is not closed; found {text}")
        bare = _QUOTED.sub(lambda quoted: quoted.group()[1:-1], text)
        found.append(Word(bare, match.start(), match.end(), text[0] in "\"'"))
    return found


def _is_expression(text: str) -> bool:
    """Return whether a word is an option and its value, an expression of several words."""
    return _is_option(text) and " " in text


def _is_option(text: str) -> bool:
    return _LIKE_OPTION.match(text) is not None


def parse(magic: Any, argv: list[str]) -> Namespace:
    """Parse the arguments of a magic; raise UsageError for unknown ones."""
    _check_options(magic, argv)
    try:
        namespace = ipython.parser(magic).parse_args(argv)
    except UsageError as error:
        if "are required" not in str(error) or not any(_is_expression(word) for word in argv):
            raise
        raise UsageError(f"{error}; put the expression before it in quotes") from error
    assert isinstance(namespace, Namespace)
    return namespace


def _check_options(magic: Any, argv: list[str]) -> None:
    """Raise UsageError for an unknown option, with the most similar known one."""
    known = options_of(ipython.parser(magic))
    options = argv[: argv.index("--")] if "--" in argv else argv
    for option in options:
        name = option.partition("=")[0]
        short = name[:2] if name[1:2] != "-" else name
        if _is_option(option) and " " not in name and short not in known:
            if name.startswith("--") and any(one.startswith(name) for one in known):
                continue  # argparse accepts abbreviated options, too
            close = nearest(name, known)
            hint = f"did you mean {close}?" if close else f"options: {', '.join(known) or 'none'}"
            raise UsageError(f"unrecognized arguments: {name}; {hint}")


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return an argparse type for these words; its error message has the most similar word."""

    def read(text: str) -> str:
        if text in allowed:
            return text
        close = nearest(text, allowed)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ArgumentTypeError(f"invalid choice: {text!r}; allowed: {', '.join(allowed)}{hint}")

    return read


def without_comment(text: str) -> str:
    """Return a line of a pipeline's text without its `# comment`; strings may contain `#`."""
    place = 0
    while place < len(text):
        if text[place] == "#":
            return text[:place].rstrip()
        string = _STRING.match(text, place)
        place = string.end() if string else place + 1
    return text


def split_pipeline_line(line: str) -> tuple[list[str], str]:
    """Split the line `[NAME] [options] TEXT [options]` into its words and the pipeline's text.

    The text is returned unchanged, without a comment at its end. The first word is the NAME if it
    is followed by another word or by nothing, because a pipeline's text never begins like that.
    """
    text = without_comment(line).strip()
    parts: list[str] = []
    if back := _BACK.search(text):
        parts.append(back.group())
        text = text[: back.start()].rstrip()
    text = _cut(_FRONT, text, parts)
    name = _NAME.match(text)
    if name and is_name(name[1]):
        text = _cut(_NAME, text, parts)
        text = _cut(_FRONT, text, parts)
    if text.startswith("-"):
        parts.append(text)
        text = ""
    parts += _TEXT_OPTION.findall(_STRING.sub("", text))  # a pipeline's text contains no options
    return words(" ".join(parts)), text.strip()


def _cut(pattern: re.Pattern[str], text: str, parts: list[str]) -> str:
    """Return `text` after the pattern's match at its start, and append the match to `parts`."""
    match = pattern.match(text)
    assert match is not None
    parts.append(match.group())
    return text[match.end() :]


def count(text: str) -> int:
    """Convert a text to a whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def seconds(text: str) -> float:
    """Convert a text to a number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def axis(text: str) -> int:
    """Read the number of an axis, for argparse."""
    if not text.removeprefix("-").isdecimal():
        raise ArgumentTypeError(f"{text!r} is not an axis number")
    return int(text)


def axes(text: str) -> Any:
    """Read the number of an axis, or a tuple or dict with one for each output, for argparse."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, bool) or not isinstance(value, (int, tuple, list, dict)):
        raise ArgumentTypeError(
            f"""{text!r} is not an axis, such as 1, or one for each output, such as '(0, 1)'"""
        )
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def variable_name(text: str) -> str:
    """Read a valid name of a variable, for argparse."""
    if not is_name(text):
        raise ArgumentTypeError(f"{text!r} cannot be the name of a variable")
    return text


def params(text: str) -> dict[str, Any]:
    """Read a dict of keyword arguments in Python's notation, for argparse."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ArgumentTypeError(f"""{text!r} is not a dict of names, such as '{{"hidden": 64}}'""")
    return value
