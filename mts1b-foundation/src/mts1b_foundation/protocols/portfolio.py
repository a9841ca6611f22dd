"""What sizers and allocators look like."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

__all__ = ["Allocator", "Sizer"]


@runtime_checkable
class Sizer(Protocol):
    """Turn a ranking into target weights."""

    def __call__(self, signal: Any, /, **params: Any) -> Any:
        """Return weights in the order of ``signal``: fractions of capital, negative is short."""
        ...


@runtime_checkable
class Allocator(Protocol):
    """Turn a (T, N) matrix of past returns into N weights."""

    def __call__(self, returns: Any, /, **params: Any) -> Any:
        """Return weights in the order of the columns: fractions of capital, negative is short.

        :param returns: (T, N), simple returns, oldest row first.
        """
        ...
