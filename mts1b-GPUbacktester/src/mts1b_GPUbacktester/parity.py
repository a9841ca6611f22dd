"""Compare engines metric by metric under a written policy.

A metric without a policy fails. NaN never matches, not even NaN: what is not a number was not
compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mts1b_GPUbacktester.engines import EngineName
from mts1b_GPUbacktester.engines.port import METRICS
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.grid import Grid
from mts1b_GPUbacktester.panels import PanelLike
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import FloatArray
from mts1b_GPUbacktester.sweep import DEFAULT_METRICS, run_sweep

__all__ = ["DEFAULT_POLICY", "MetricParity", "Parity", "Tolerance", "check_parity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Two numbers match when they differ by at most absolute + relative x the reference.

    :raises BadSetting: for a negative number or one that is not finite.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        for name in ("absolute", "relative"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise BadSetting(f"{name} tolerance {value} must be zero or a positive number")

    def matches(self, reference: FloatArray, found: FloatArray) -> Any:
        """Return whether each pair matches."""
        known = np.isfinite(reference) & np.isfinite(found)
        same = reference == found
        with np.errstate(invalid="ignore"):
            near = np.abs(found - reference) <= self.absolute + self.relative * np.abs(reference)
        return same | (known & near)


DEFAULT_POLICY: Mapping[str, Tolerance] = {
    "n_trades": Tolerance(),
    "total_return": Tolerance(absolute=1e-10, relative=1e-9),
    "max_drawdown": Tolerance(absolute=1e-10, relative=1e-9),
    "sharpe": Tolerance(absolute=1e-9, relative=1e-7),
    "sortino": Tolerance(absolute=1e-9, relative=1e-7),
    "calmar": Tolerance(absolute=1e-9, relative=1e-7),
    "cagr": Tolerance(absolute=1e-9, relative=1e-8),
    "annual_volatility": Tolerance(absolute=1e-10, relative=1e-7),
}
"""For engines of float64: trades exactly, returns to nine digits, ratios to seven."""


@dataclass(frozen=True, slots=True)
class MetricParity:
    """One metric: how many pairs differ, the largest difference, and where the first one is."""

    metric: str
    compared: int
    differing: int
    largest: float
    reason: str

    @property
    def holds(self) -> bool:
        """Return whether every pair matches."""
        return self.reason == ""


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison of two engines."""

    reference: str
    engine: str
    n_trials: int
    metrics: tuple[MetricParity, ...]

    @property
    def holds(self) -> bool:
        """Return whether every metric does; no metric at all does not."""
        return bool(self.metrics) and all(found.holds for found in self.metrics)


def check_parity(
    panel: PanelLike,
    rule: Rule,
    *,
    grid: Grid,
    reference: EngineName = "numpy",
    engine: EngineName = "numba",
    policy: Mapping[str, Tolerance] = DEFAULT_POLICY,
    metrics: Sequence[str] = DEFAULT_METRICS,
    **settings: Any,
) -> Parity:
    """Run one sweep with two engines and compare every account in every metric.

    :param settings: as for :func:`run_sweep`: where, fill, fees_bps, direction, size and so on.
    :raises BadPanel, BadRule, BadSetting, EngineMissing: when there is nothing to compare.
    """
    strangers = sorted(set(policy) - set(METRICS))
    if strangers:
        raise BadSetting(
            f"the policy names {', '.join(strangers)}; metrics are {', '.join(METRICS)}"
        )
    sets = grid if isinstance(grid, Mapping) else list(grid)
    left, right = (
        run_sweep(panel, rule, grid=sets, engine=name, metrics=metrics, **settings)
        for name in (reference, engine)
    )
    keys = [name for name in left.table.columns if name not in metrics]
    found = []
    for metric in dict.fromkeys(metrics):
        one, two = (result.table[metric].to_numpy().astype(np.float64) for result in (left, right))
        found.append(_compared(metric, one, two, policy.get(metric), left.table.select(keys)))
    return Parity(left.engine.name, right.engine.name, left.n_trials, tuple(found))


def _compared(
    metric: str, one: FloatArray, two: FloatArray, policy: Tolerance | None, keys: Any
) -> MetricParity:
    apart = np.abs(one - two)
    largest = float(np.nanmax(apart, initial=0.0))
    if policy is None:
        return MetricParity(metric, len(one), len(one), largest, "no policy for this metric")
    bad = ~policy.matches(one, two)
    if not bad.any():
        return MetricParity(metric, len(one), 0, largest, "")
    first = int(np.argmax(bad))
    where = ", ".join(f"{k} {v}" for k, v in keys.row(first, named=True).items())
    reason = f"{float(one[first])!r} and {float(two[first])!r} at {where}"
    return MetricParity(metric, len(one), int(bad.sum()), largest, reason)
