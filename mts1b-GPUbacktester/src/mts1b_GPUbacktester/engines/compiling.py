"""How loops are compiled: on first call, kept on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["compiled"]


def compiled(*, parallel: bool = False) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function on its first call."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, parallel=parallel)(function)
        except RuntimeError:
            # No folder for the cache can be written: compile in every process.
            return numba.njit(parallel=parallel)(function)

    return decorate
