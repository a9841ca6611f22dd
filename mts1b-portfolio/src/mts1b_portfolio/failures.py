"""What is held when an optimiser has no answer: never a guess, always what was configured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from mts1b_foundation.model import FrozenModel
from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput, Infeasible, NotConverged, NotPositiveDefinite

from mts1b_portfolio.errors import AllocatorFailed, BadTarget
from mts1b_portfolio.inputs import read_number

__all__ = ["AllocationOutcome", "AllocationSettings", "FailurePolicy", "allocate"]

_FAILURES = (Infeasible, NotConverged, NotPositiveDefinite, np.linalg.LinAlgError)
"""What says that there is no answer. A call that is wrong (``BadInput``) is no such thing."""


class FailurePolicy(StrEnum):
    """Say what is held when the optimiser fails."""

    HOLD = "hold"
    """What is held now."""
    EQUAL = "equal"
    """Every name the same."""
    FLAT = "flat"
    """Nothing."""


class AllocationSettings(FrozenModel):
    """The configured answer to a failure.

    :ivar on_failure: None raises ``AllocatorFailed``.
    :ivar gross: sum of the weights that ``equal`` gives.
    """

    on_failure: FailurePolicy | None = None
    gross: float = 1.0


@dataclass(frozen=True, slots=True)
class AllocationOutcome:
    """``weights`` in the input's kind, and ``failure``: why they are the policy's, "" when not."""

    weights: Any
    failure: str = ""

    @property
    def failed(self) -> bool:
        """Return whether the weights are the policy's instead of the optimiser's."""
        return bool(self.failure)


def allocate(
    allocator: Callable[..., Any],
    returns: Any,
    *,
    settings: AllocationSettings,
    held: Any = None,
    **params: Any,
) -> AllocationOutcome:
    """Return the weights of ``allocator(returns, **params)``, or those of the configured policy.

    The optimiser has failed when it says so (``Infeasible``, ``NotConverged``,
    ``NotPositiveDefinite``, a singular matrix) or when a weight is not finite. A wrong call
    (``BadInput``, ``NaNInput``) is raised as it is, under every policy.

    :param returns: (T, A) simple returns.
    :param held: (A,) weights held now, for the policy ``hold``.
    :raises AllocatorFailed: without a policy, with the optimiser's error as its cause.
    :raises BadTarget: for the policy ``hold`` without ``held``, or a gross below zero; before the
        optimiser is asked.

    >>> import numpy as np
    >>> from mts1b_portfolio import AllocationSettings
    >>> from mts1b_quantkit.allocators import inverse_variance
    >>> from mts1b_portfolio import allocate
    >>> returns = np.array([[0.01, 0.02], [-0.01, -0.02]])
    >>> outcome = allocate(inverse_variance, returns, settings=AllocationSettings())
    >>> outcome.weights.round(6).tolist()
    [0.8, 0.2]
    """
    if not callable(allocator):
        raise BadInput(f"allocator is {allocator!r}; give a function of the returns")
    table = as_table(returns)
    if table.is_vector:
        raise BadInput("returns is one series; give a (T, A) matrix")
    size = table.values.shape[1]
    kept = _kept(settings, held, size)
    cause: Exception | None = None
    try:
        found = allocator(returns, **params)
    except _FAILURES as error:
        cause, failure = error, f"{type(error).__name__}: {error}"
    else:
        weights = getattr(found, "weights", found)
        failure = _flaw(weights, size, table.labels)
        if not failure:
            return AllocationOutcome(weights)
    if settings.on_failure is None:
        name = getattr(allocator, "__name__", type(allocator).__name__)
        raise AllocatorFailed(name, failure) from cause
    return AllocationOutcome(table.per_column(kept), failure)


def _kept(settings: AllocationSettings, held: Any, size: int) -> FloatArray:
    """Return the policy's weights; made before the optimiser runs, so that they can not fail."""
    wanted = "zero or more, as a fraction of NAV"
    read_number("gross", settings.gross, least=0.0, wanted=wanted, error=BadTarget)
    if settings.on_failure is FailurePolicy.EQUAL:
        return np.full(size, settings.gross / size)
    if settings.on_failure is not FailurePolicy.HOLD:
        return np.zeros(size)
    if held is None:
        raise BadTarget("on_failure is 'hold' and held is not given; give the weights held now")
    kept = as_table(held, what="held").values.reshape(-1)
    if len(kept) != size:
        raise BadTarget(f"held has {len(kept)} weights for {size} names")
    return kept.copy()


def _flaw(weights: Any, size: int, labels: list[Any]) -> str:
    given = list(weights.values()) if isinstance(weights, dict) else weights
    try:
        values = np.asarray(given, dtype=float).reshape(-1)
    except (TypeError, ValueError):
        return f"a {type(weights).__name__} that holds no numbers instead of weights"
    if len(values) != size:
        return f"{len(values)} weights for {size} names"
    wrong = [label for label, value in zip(labels, values, strict=True) if not math.isfinite(value)]
    return f"the weight of {wrong[0]} is not finite" if wrong else ""
