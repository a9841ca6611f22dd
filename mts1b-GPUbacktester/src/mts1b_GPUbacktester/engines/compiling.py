"""How loops are compiled: on first call, kept on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numba

__all__ = ["compiled"]


def _stamp() -> tuple[tuple[str, float, int], ...]:
    """Return what changes when a source file of the kernels does."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in files)


_STAMP = _stamp()
_TORN = (
    OSError, EOFError, UnpicklingError, ValueError, TypeError, LookupError, AttributeError,
    ImportError,
)  # fmt: skip
"""What reading a pickle raises that is not whole."""


def compiled(*, parallel: bool = False, reorder: bool = False) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function on its first call.

    Division by zero gives what numpy gives; a check for it would keep loops from being vectorized.

    :param reorder: let sums be added in another order, several at a time; NaN keeps its meaning.
    """
    options: Any = {
        "parallel": parallel,
        "error_model": "numpy",
        "fastmath": {"reassoc", "nsz"} if reorder else False,
    }

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError:
            # No folder for the cache can be written: compile in every process.
            return numba.njit(**options)(function)
        _depend_on_all(kernel)
        _do_without(getattr(kernel, "_cache", None))
        return kernel

    return decorate


def _depend_on_all(kernel: Any) -> None:
    """Make the kept code stale when any file of kernels changes.

    numba looks at the file of the kernel alone; what it calls may be in another one.
    """
    index: Any = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if hasattr(index, "_source_stamp"):
        index._source_stamp = _STAMP


def _do_without(cache: Any) -> None:
    """Compile anew where a kept file is damaged, as by a power cut; a full disk keeps nothing.

    numba itself raises what unpickling or writing gave.
    """
    if not hasattr(cache, "load_overload"):
        return
    load, save = cache.load_overload, cache.save_overload

    def load_sound(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except _TORN:
            with suppress(OSError):
                cache.flush()
            return None

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload = load_sound, save_if_possible
