"""What `%load_ext mmnotebook` puts into IPython and `%unload_ext` takes out again."""

from __future__ import annotations

from types import ModuleType

from IPython.core.interactiveshell import InteractiveShell

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
    ip.Completer.custom_matchers.append(Matcher(ip).complete)
    if NAME not in ip.user_ns:
        ip.push({NAME: package}, interactive=False)


def unload(ip: InteractiveShell, package: ModuleType) -> None:
    """Take the magics and the completion out again."""
    for magics in _MAGICS:
        for kind, names in magics.magics.items():
            for name in names:
                ip.magics_manager.magics[kind].pop(name, None)
        ip.magics_manager.registry.pop(magics.__name__, None)
    completer = ip.Completer
    completer.custom_matchers = [m for m in completer.custom_matchers if not _is_ours(m)]
    if ip.user_ns.get(NAME) is package and NAME in ip.user_ns_hidden:
        ip.drop_by_id({NAME: package})


def _is_ours(matcher: object) -> bool:
    return getattr(matcher, "matcher_identifier", None) == IDENTIFIER
