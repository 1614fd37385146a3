"""Resident memory of this process, and the return of freed memory."""

from __future__ import annotations

import ctypes
import gc
import sys

import psutil


def rss_bytes() -> int:
    """Return the resident memory of this process in bytes, including memory shared with others."""
    return int(psutil.Process().memory_info().rss)


def own_bytes() -> int:
    """Return the bytes of this process alone (USS), or `rss_bytes` if that is unavailable."""
    try:
        return int(psutil.Process().memory_full_info().uss)
    except (psutil.Error, AttributeError):
        return rss_bytes()


def release_freed() -> None:
    """Return memory that is no longer used to the system.

    Objects in reference cycles are collected, CUDA's cache is emptied if CUDA is in use, and the C
    library is asked to release its free pages.
    """
    gc.collect()
    cuda = sys.modules.get("torch.cuda")
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()
    # Only glibc has this function.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
