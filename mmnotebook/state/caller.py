"""Per-thread settings of the caller, applied in other threads.

A new thread has no context variables, and only default values for settings that libraries keep per
thread. Global settings (pandas' options, matplotlib's rcParams, torch's default
dtype, the locale) need no copy.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

T = TypeVar("T")
Enter = Callable[[], AbstractContextManager[Any]]

_MISSING = object()
_LOCAL = threading.local()


class CallerSettings:
    """A copy of the settings of one thread; `here` copies the settings of the current thread.

    Later changes of these settings in that thread have no effect on the copy. Changes that code
    makes while the copy is applied are undone.
    """

    def __init__(self) -> None:
        self._enter: list[Enter] = [_decimal(), _torch(), _sklearn()]
        # Copied last: reading a library's settings may set a context variable.
        self._context = contextvars.copy_context()

    def run(self, work: Callable[..., T], *args: Any) -> T:
        """Call `work` with these settings; return its result, and undo its changes of settings."""
        return self._context.copy().run(self._call, work, args)

    def _call(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        with self._by_thread():
            return work(*args)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Apply these settings to this thread, unless they apply already."""
        if getattr(_LOCAL, "under", None) is self:
            yield
            return
        with ExitStack() as stack:
            for variable, value in self._context.items():
                if variable.get(_MISSING) is not value:
                    stack.callback(variable.reset, variable.set(value))
            stack.enter_context(self._by_thread())
            yield

    @contextlib.contextmanager
    def _by_thread(self) -> Iterator[None]:
        before, _LOCAL.under = getattr(_LOCAL, "under", None), self
        try:
            with ExitStack() as stack:
                for enter in self._enter:
                    stack.enter_context(enter())
                yield
        finally:
            _LOCAL.under = before


def here() -> CallerSettings:
    """Return the settings of this thread, as they are now."""
    return CallerSettings()


def _nothing() -> AbstractContextManager[Any]:
    return contextlib.nullcontext()


def _decimal() -> Enter:
    """Copy the decimal context, which is a context variable with a mutable value."""
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return _nothing
    now = decimal.getcontext().copy()
    return lambda: decimal.localcontext(now)  # it enters a copy


def _sklearn() -> Enter:
    sklearn = sys.modules.get("sklearn")
    if not hasattr(sklearn, "config_context"):
        return _nothing
    return functools.partial(sklearn.config_context, **sklearn.get_config())  # type: ignore[union-attr]


def _torch() -> Enter:
    torch = sys.modules.get("torch")
    if not hasattr(torch, "get_default_device"):
        return _nothing
    return functools.partial(_under_torch, torch, _of_torch(torch))


def _of_torch(torch: Any) -> tuple[Any, ...]:
    """Return torch's inference mode, grad mode, default device, and autocast by device type."""
    casting = tuple(
        (kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))
        for kind in _kinds(torch)
    )
    return (
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        torch.get_default_device(),
        torch.is_autocast_cache_enabled(),
        casting,
    )


def _kinds(torch: Any) -> list[str]:
    """List the device types of this machine."""
    found = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else None
    return ["cpu"] if found is None else ["cpu", found.type]


@contextlib.contextmanager
def _under_torch(torch: Any, wanted: tuple[Any, ...]) -> Iterator[None]:
    """Apply only settings that differ: a device or autocast context slows down every call.

    Undo changes that the code in this block makes.
    """
    inference, grad, device, cached, casting = wanted
    has = _of_torch(torch)
    with ExitStack() as stack:
        stack.callback(_restore, torch, has)
        if inference != has[0]:
            stack.enter_context(torch.inference_mode(inference))
        # After inference mode, which also sets grad mode.
        if grad != torch.is_grad_enabled():
            stack.enter_context(torch.set_grad_enabled(grad))
        if device != has[2]:
            stack.enter_context(torch.device(device))
        for kind, dtype, enabled in casting if (cached, casting) != has[3:] else ():
            cast = torch.autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=cached)
            stack.enter_context(cast)
        yield


def _restore(torch: Any, before: tuple[Any, ...]) -> None:
    """Restore settings that have changed, except inference mode, which its block restores."""
    now = _of_torch(torch)
    _, grad, device, cached, casting = before
    if grad != now[1]:
        torch.set_grad_enabled(grad)
    if device != now[2]:
        # A default device slows down every call. Without one, it is the CPU.
        torch.set_default_device(None if device.type == "cpu" else device)
    if cached != now[3]:
        torch.set_autocast_cache_enabled(cached)
    for kind, dtype, enabled in casting if casting != now[4] else ():
        torch.set_autocast_dtype(kind, dtype)
        torch.set_autocast_enabled(kind, enabled)
