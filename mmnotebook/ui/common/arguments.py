"""What a magic's line says: its words, its options and a pipeline's text."""

from __future__ import annotations

import ast
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError

from mmnotebook.errors import nearest
from mmnotebook.graph.checks import is_name

FLAGS = ("--run", "--fresh", "--background")
"""The options that take no value."""
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
    """A word of a line.

    Attributes
    ----------
    text
        Without the quotes that hold it together.
    start, end
        Where it stands in the line.
    is_quoted
        Does it begin with a quote? Then it is a value, also when it begins with `-`.
    """

    text: str
    start: int
    end: int
    is_quoted: bool


def words(line: str, expressions: Container[str] = ()) -> list[str]:
    """The words of a line, for argparse, without a `# comment` at its end.

    Quotes hold a word together, a backslash is a character like any other.

    Parameters
    ----------
    expressions
        The options that are followed by an expression: it needs no quotes, and ends where the next
        option begins.
    """
    argv: list[str] = []
    behind: list[str] = []
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
            behind.append(word.text)
    return [*argv, "--", *behind] if behind else argv


def _lexed(line: str) -> list[Word]:
    found = []
    for match in _WORD.finditer(line):
        text = match.group()
        if text.startswith("#"):
            break
        if match.lastgroup == "odd":
            raise UsageError(f"{line.strip()!r}: quotes come in pairs; here {text} stands alone")
        bare = _QUOTED.sub(lambda quoted: quoted.group()[1:-1], text)
        found.append(Word(bare, match.start(), match.end(), text[0] in "\"'"))
    return found


def _is_expression(text: str) -> bool:
    """Is it an option with an expression of several words?"""
    return _is_option(text) and " " in text


def _is_option(text: str) -> bool:
    return _LIKE_OPTION.match(text) is not None


def parse(magic: Any, argv: list[str]) -> Namespace:
    """The arguments of a magic made with `magic_arguments`; UsageError for what it cannot take."""
    _check_options(magic, argv)
    try:
        namespace = magic.parser.parse_args(argv)
    except UsageError as error:
        if "are required" not in str(error) or not any(_is_expression(word) for word in argv):
            raise
        raise UsageError(f"{error}; an expression before it stands in quotes") from error
    assert isinstance(namespace, Namespace)
    return namespace


def _check_options(magic: Any, argv: list[str]) -> None:
    """UsageError for an option that the magic does not have, with the nearest that it has."""
    known = [name for action in magic.parser._actions for name in action.option_strings]
    options = argv[: argv.index("--")] if "--" in argv else argv
    for option in options:
        name = option.partition("=")[0]
        short = name[:2] if name[1:2] != "-" else name
        if _is_option(option) and " " not in name and short not in known:
            if name.startswith("--") and any(one.startswith(name) for one in known):
                continue  # argparse takes the beginning of an option too
            close = nearest(name, known)
            hint = f"did you mean {close}?" if close else f"options: {', '.join(known) or 'none'}"
            raise UsageError(f"unrecognized arguments: {name}; {hint}")


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of these words, for argparse, which says which one is nearest."""

    def read(text: str) -> str:
        if text in allowed:
            return text
        close = nearest(text, allowed)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ArgumentTypeError(f"invalid choice: {text!r}; allowed: {', '.join(allowed)}{hint}")

    return read


def without_comment(text: str) -> str:
    """A line of a pipeline's text without the `# comment` at its end; strings are Python's."""
    place = 0
    while place < len(text):
        if text[place] == "#":
            return text[:place].rstrip()
        string = _STRING.match(text, place)
        place = string.end() if string else place + 1
    return text


def split_pipeline_line(line: str) -> tuple[list[str], str]:
    """The words and the pipeline's text in the line `[NAME] [options] TEXT [options]`.

    The text comes back character for character as it stands in the line, without a comment at its
    end. A first word is the NAME
    when another word (or nothing) follows it, which no pipeline's text allows.
    """
    text = without_comment(line).strip()
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
    said += _TEXT_OPTION.findall(_STRING.sub("", text))  # which no pipeline's text has
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
