"""Pipeline options by name: which ones Beam knows, and the command line for their values.

Beam ignores an option that it does not know, and exits Python for a value that it cannot parse.
The known names and values are those of Beam's own parsers: the classes below PipelineOptions.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from mmnotebook.beam import credentials
from mmnotebook.compat import beam as compat
from mmnotebook.errors import RunError, nearest

_TYPES: dict[Any, str] = {
    None: "a text or a number",
    str: "a text",
    int: "an integer",
    float: "a number",
}


class KnownOptions:
    """The options that Beam, its runners and the user's own classes define.

    Attributes
    ----------
    owners
        The class that defines each option, by the option's name.
    """

    def __init__(self, extra_names: Iterable[str] = ()) -> None:
        self._parser = compat.OptionParser()
        self._by_name: dict[str, argparse.Action] = {}
        self._extra_names = tuple(extra_names)
        self.owners: dict[str, type] = {}
        for options in _classes(PipelineOptions):
            for action in self._parser.add(options):
                self.owners[action.dest] = options
                for flag in action.option_strings:
                    self._by_name[flag.lstrip("-")] = action
                self._by_name.setdefault(action.dest, action)

    def find(self, name: str) -> argparse.Action:
        """Return the option with this name; raise RunError if there is none."""
        if name not in self._by_name:
            close = nearest(name, [*self._by_name, *self._extra_names])
            raise RunError(
                f"Beam has no option {name!r}" + (f"; did you mean {close!r}?" if close else ""),
                remedy="correct the name; an option of your own needs a class: "
                "class MyOptions(PipelineOptions)",
            )
        return self._by_name[name]

    def read(self, name: str, value: Any) -> tuple[str, list[str], dict[str, Any]]:
        """Return an option's name in Beam, its command line, and its value if it needs none.

        Raises
        ------
        RunError
            If there is no such option, or it cannot have this value.
        """
        option = self.find(name)
        if value is None:
            return option.dest, [], {}
        if option.nargs == 0 or isinstance(option.default, bool):
            return option.dest, [], {option.dest: _switched(option, name, value)}
        flags = [f"--{name}={text}" for text in _texts(option, name, value)]
        try:
            self._parser.parse_args(flags)
        except (ValueError, AssertionError) as error:
            raise _refused(option, name, value) from error
        return option.dest, flags, {}

    def check(self, options: PipelineOptions) -> None:
        """Raise RunError if Beam does not know, or cannot parse, some of these options."""
        for name in compat.option_overrides(options):
            self.find(name)
        flags = compat.option_flags(options)
        if flags is None:
            return  # the command line of this process may have arguments of other programs
        try:
            _, unknown = self._parser.parse_known_args(flags)
        except (ValueError, AssertionError) as error:
            raise RunError(f"Beam cannot parse the options: {error}") from error
        for flag in unknown:
            if flag.startswith("--"):
                self.find(flag[2:].partition("=")[0])


def _classes(of: type) -> Iterator[type]:
    """Yield the classes below a class, each name once, as a cell may define a class again."""
    latest: dict[str, type] = {}
    below: list[type] = type.__subclasses__(of)
    for one in below:
        latest[f"{one.__module__}.{one.__qualname__}"] = one
    for one in latest.values():
        yield one
        yield from _classes(one)


def _switched(option: argparse.Action, name: str, value: Any) -> bool:
    """Return the value of an option that is on or off, by its name or that of its flag."""
    if not isinstance(value, bool):
        raise _refused(option, name, value)
    is_flag = option.nargs == 0 and name != option.dest
    return value if not is_flag or option.const else not value


def _texts(option: argparse.Action, name: str, value: Any) -> list[str]:
    if isinstance(value, (list, tuple)) and compat.can_repeat(option):
        return [_text(option, name, one) for one in value]
    return [_text(option, name, value)]


def _text(option: argparse.Action, name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _refused(option, name, value)
    return str(value)


def _refused(option: argparse.Action, name: str, value: Any) -> RunError:
    """Return the error for a value that an option cannot have."""
    is_secret = credentials.is_credential(name)
    found = credentials.HIDDEN if is_secret else repr(credentials.hidden(value))
    close = None
    if option.choices:
        allowed = ", ".join(map(str, option.choices))
        close = nearest(str(value), map(str, option.choices))
    elif option.nargs == 0 or isinstance(option.default, bool):
        allowed = "True or False"
    else:
        allowed = _allowed(option)
    hint = f"; did you mean {close!r}?" if close else ""
    return RunError(f"{name}={found}; allowed: {allowed}{hint}")


def _allowed(option: argparse.Action) -> str:
    allowed = _TYPES.get(option.type, "a dict, or its JSON")
    return f"{allowed}, or a list of them" if compat.can_repeat(option) else allowed
