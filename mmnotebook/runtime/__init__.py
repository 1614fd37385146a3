"""How a graph runs. The only room that imports Beam."""

from __future__ import annotations

import logging


def _import_beam() -> None:
    """Import Beam without its warnings about Google Cloud, and without the log set-up they bring.

    `logging.warning` on a root logger without handlers installs one that writes to stderr.
    """
    root, silent, before = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(silent)
    logging.disable(logging.WARNING)
    try:
        import apache_beam.runners.interactive.interactive_runner  # noqa: F401
    finally:
        logging.disable(before)
        root.removeHandler(silent)


_import_beam()
