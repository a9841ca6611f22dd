"""What a walk-forward test found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.cv.verdict import Verdict

__all__ = ["Fold", "WalkForwardResult"]


@dataclass(frozen=True, slots=True)
class Fold:
    """One training and test window: first and last dates, the choice, and annual Sharpe ratios."""

    train: tuple[Any, Any]
    test: tuple[Any, Any]
    params: Mapping[str, Any]
    train_sharpe: float
    test_sharpe: float


@dataclass(frozen=True, slots=True, eq=False)
class WalkForwardResult:
    """All folds together; every field can be read by name too, as in ``result["agg_sharpe"]``.

    :ivar agg_sharpe: annual, of the test returns in one series, net of costs.
    :ivar ci95_sharpe: 95 % interval from the standard error of Mertens 2002.
    :ivar agg_ic: mean rank correlation of scores and the returns until the next trade.
    :ivar agg_t_stat: of that mean; the returns do not overlap.
    :ivar best_params: chosen in most folds; of equals, those with the better whole-sample ratio.
    :ivar stability_score: the share of folds that chose them, in (0, 1].
    :ivar in_sample_sharpe: the best ratio that any parameters have on all rows.
    :ivar returns: (M,) of the test rows, ``dates`` (M,).
    """

    n_folds: int
    agg_sharpe: float
    ci95_sharpe: tuple[float, float]
    agg_ic: float
    agg_t_stat: float
    best_params: Mapping[str, Any]
    stability_score: float
    verdict: Verdict
    in_sample_sharpe: float
    folds: tuple[Fold, ...]
    returns: FloatArray
    dates: tuple[Any, ...]

    def __getitem__(self, name: str) -> Any:
        """Return a field by name."""
        if name not in {field.name for field in fields(self)}:
            raise KeyError(name)
        return getattr(self, name)
