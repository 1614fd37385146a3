"""The resident memory of this process, and the return of freed memory to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

import psutil


def rss_bytes() -> int:
    """Return the resident memory of this process, shared memory included."""
    return int(psutil.Process().memory_info().rss)


def own_bytes() -> int:
    """Return the memory of this process alone (USS), or `rss_bytes` if USS is not available."""
    try:
        return int(psutil.Process().memory_full_info().uss)
    except (psutil.Error, AttributeError):
        return rss_bytes()


def release_freed() -> None:
    """Return freed memory to the system.

    This collects objects in reference cycles, empties the cache of CUDA if CUDA is in use, and lets
    the C library return its free pages.
    """
    gc.collect()
    cuda = sys.modules.get("torch.cuda")
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()
    # Only glibc has this function.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
