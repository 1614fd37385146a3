"""The IPython extension: `%load_ext mmnotebook` and `%unload_ext`."""

from __future__ import annotations

from types import ModuleType

from IPython.core.interactiveshell import InteractiveShell

from mmnotebook.compat import ipython
from mmnotebook.ui.completion import IDENTIFIER, Matcher
from mmnotebook.ui.export_magics import ExportMagics
from mmnotebook.ui.magics import PipelineMagics
from mmnotebook.ui.result_magics import ResultMagics

NAME = "mm"
"""The name of the package in remedies and other texts for the user."""
_MAGICS = (PipelineMagics, ResultMagics, ExportMagics)


def load(ip: InteractiveShell, package: ModuleType) -> None:
    """Register the magics and the completion; calling this again changes nothing.

    Messages of the magics mention `mm.…`, so `mm` is assigned unless it is already a variable.
    """
    unload(ip, package)
    ip.register_magics(*_MAGICS)
    ipython.add_matcher(ip, Matcher(ip).complete)
    if NAME not in ip.user_ns:
        ip.push({NAME: package}, interactive=False)


def unload(ip: InteractiveShell, package: ModuleType) -> None:
    """Remove the magics and the completion."""
    for magics in _MAGICS:
        ipython.remove_magics(ip, magics)
    ipython.remove_matchers(ip, IDENTIFIER)
    if ip.user_ns.get(NAME) is package and NAME in ipython.hidden(ip):
        ipython.drop(ip, NAME, package)
