"""The factors that are known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from mts1b_foundation.protocols.quant import FactorFn

from mts1b_quantkit.errors import BadInput

__all__ = ["FACTOR_REGISTRY", "get", "register"]

F = TypeVar("F", bound=Callable[..., Any])

FACTOR_REGISTRY: dict[str, FactorFn] = {}
"""Name -> factor. Filled by :func:`register`; read it freely."""


def register(name: str) -> Callable[[F], F]:
    """Return a decorator that enters a factor under ``name`` and leaves it as it is.

    :raises BadInput: (a ValueError) when the name does not start with ``f_`` or is taken.

    >>> from mts1b_quantkit.factors import register
    >>> callable(register("f_my_factor"))
    True
    """
    if not isinstance(name, str) or not name.startswith("f_"):
        raise BadInput(
            f"name is {name!r}, no name of a factor; it starts with 'f_', as in 'f_momentum_12_1'"
        )

    def enter(factor: F) -> F:
        if name in FACTOR_REGISTRY:
            raise BadInput(f"a factor is registered as {name!r} already; choose another name")
        FACTOR_REGISTRY[name] = factor
        return factor

    return enter


def get(name: str) -> FactorFn:
    """Return the factor registered under ``name``.

    :raises BadInput: naming the known factors, when there is none.

    >>> from mts1b_quantkit.factors import get
    >>> get("f_momentum").__name__
    'f_momentum'
    """
    if not isinstance(name, str) or name not in FACTOR_REGISTRY:
        known = ", ".join(sorted(FACTOR_REGISTRY))
        raise BadInput(f"no factor is registered as name {name!r}; known: {known}")
    return FACTOR_REGISTRY[name]
