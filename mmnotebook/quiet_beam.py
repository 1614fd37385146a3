"""Import of Beam without its log output and its setup of the root logger.

Every package that imports Beam imports this module first.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

_LOGGERS = ("apache_beam", "apache_beam.runners.interactive")
_lock = threading.Lock()
_inside = 0
_levels: dict[str, int] = {}


class _OthersOnly(logging.Handler):
    """A handler that prints the log records of other libraries, but not those of Beam.

    Beam calls `logging.warning(...)`, which adds a handler to a root logger that has none. This
    handler prevents that. It prints the same records as a root logger without handlers.
    """

    def emit(self, record: logging.LogRecord) -> None:
        last = logging.lastResort
        if "apache_beam" not in record.pathname and last and record.levelno >= last.level:
            last.handle(record)


_stand_in = _OthersOnly()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Beam's log output inside this block, in every thread.

    If blocks overlap, the log levels are restored when the last block ends.
    """
    global _inside
    with _lock:
        if not _inside:
            _hush()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _restore()


def _hush() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        _levels[name] = logger.level
        logger.setLevel(logging.CRITICAL + 1)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_stand_in)


def _restore() -> None:
    for name, level in _levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().removeHandler(_stand_in)


# During its import, Beam sets up the root logger and logs warnings about Google Cloud.
with quiet():
    import apache_beam.runners.interactive.interactive_runner  # noqa: F401
