"""This process's memory: how much of it is its own, and how what was freed leaves it."""

from __future__ import annotations

import ctypes
import gc
import sys

import psutil


def rss_bytes() -> int:
    """Memory that this process has resident, what it shares with others included."""
    return int(psutil.Process().memory_info().rss)


def own_bytes() -> int:
    """Memory that ends with this process (USS); slower to read than `rss_bytes`, its stand-in."""
    try:
        return int(psutil.Process().memory_full_info().uss)
    except (psutil.Error, AttributeError):
        return rss_bytes()


def release_freed() -> None:
    """Give memory that nothing holds any more back to the system.

    Objects in reference cycles are collected, CUDA's cache is emptied where CUDA is in use, and
    the C library is asked for its free pages, which it would otherwise keep for itself.
    """
    gc.collect()
    cuda = sys.modules.get("torch.cuda")
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()
    # glibc alone has it.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
