"""The IPython extension: `%load_ext mmnotebook` and `%unload_ext`."""

from __future__ import annotations

from types import ModuleType

from IPython.core.interactiveshell import InteractiveShell

from mmnotebook.compat import ipython
from mmnotebook.ui.completion import IDENTIFIER, Matcher
from mmnotebook.ui.looking import LookingMagics
from mmnotebook.ui.magics import MakingMagics

NAME = "mm"
"""What the package is called in what is shown."""
_MAGICS = (MakingMagics, LookingMagics)


def load(ip: InteractiveShell, package: ModuleType) -> None:
    """Register the magics and the completion, each once however often it is called.

    What magics show goes on with `mm.…`, so that this is a name here, unless it is one already.
    """
    unload(ip, package)
    ip.register_magics(*_MAGICS)
    ipython.add_matcher(ip, Matcher(ip).complete)
    if NAME not in ip.user_ns:
        ip.push({NAME: package}, interactive=False)


def unload(ip: InteractiveShell, package: ModuleType) -> None:
    """Take the magics and the completion out again."""
    for magics in _MAGICS:
        ipython.remove_magics(ip, magics)
    ipython.remove_matchers(ip, IDENTIFIER)
    if ip.user_ns.get(NAME) is package and NAME in ipython.hidden(ip):
        ipython.drop(ip, NAME, package)
