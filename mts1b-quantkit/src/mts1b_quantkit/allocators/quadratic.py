"""The quadratic programme behind mean-variance allocation, solved exactly.

Minimise w'Sw / 2 - q'w subject to sum(w) = budget and lower <= w <= upper. On the assets that sit
at no bound the solution is a linear system; the work is to find them. Whole blocks of assets change
side at once (Judice and Pires 1994); where that does not settle, a primal active-set method takes
over, which always ends (Nocedal and Wright 2006, algorithm 16.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.allocators import cholesky
from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import Infeasible, NotPositiveDefinite

__all__ = ["Programme", "Solution", "Step"]

Side = NDArray[np.int8]
_BLOCK_STEPS = 40
_SPREAD = 1e-7
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Weights, the multiplier of the budget, and where each asset sits (-1, 0, +1)."""

    weights: FloatArray
    multiplier: float
    side: Side
    iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What solves the programme with every bound asset held where it is."""

    weights: FloatArray
    multiplier: float
    gradient: FloatArray


class Programme:
    """One covariance with bounds and a budget, to be solved for several linear terms.

    :param covariance: (N, N), positive definite.
    :param budget: what the weights sum to; None leaves the sum free.
    :raises Infeasible: when the bounds do not allow the budget.
    """

    def __init__(
        self,
        covariance: FloatArray,
        *,
        lower: FloatArray,
        upper: FloatArray,
        budget: float | None = 1.0,
    ) -> None:
        self.covariance = covariance
        self.lower, self.upper, self.budget = lower, upper, budget
        self.scale = float(np.abs(np.diag(covariance)).mean())
        if budget is not None:
            _require_feasible(lower, upper, budget)

    def solve(self, linear: FloatArray, *, start: Side | None = None) -> Solution:
        """Return the solution for the linear term q (N,).

        :param start: where the assets sat in the solution of a similar programme.
        :raises NotPositiveDefinite: when the covariance of the free assets has no inverse.
        """
        found = self._by_blocks(linear, start)
        if found is None:
            found = self._by_single_bounds(linear)
        return found

    def _by_blocks(self, linear: FloatArray, start: Side | None) -> Solution | None:
        side = np.zeros(len(linear), dtype=np.int8) if start is None else start.copy()
        fewest, patience = len(linear) + 1, 4
        for iteration in range(1, _BLOCK_STEPS + 1):
            if not (side == 0).any() and not self._meets_budget(side):
                side[:] = 0
            step = self._step(side, linear)
            moves = self._moves(side, step)
            wrong = int((moves != side).sum())
            if wrong == 0:
                return self._solution(side, step, iteration)
            if wrong >= fewest:
                patience -= 1
                if patience == 0:
                    break
            else:
                fewest, patience = wrong, 4
            side = moves
        return None

    def _by_single_bounds(self, linear: FloatArray) -> Solution:
        """Move one bound at a time, with bounds that are spread a little.

        Where several bounds meet in one point, steps of length zero could go round in a circle;
        no two spread bounds do. The assets sit in the same places without the spread.
        """
        spread = _SPREAD * (1.0 + (np.arange(1, len(linear) + 1) * 0.6180339887498949) % 1.0)
        apart = Programme(
            self.covariance, lower=self.lower - spread, upper=self.upper, budget=self.budget
        )
        side, iterations = apart._active_set(linear)
        return self._solution(side, self._step(side, linear), iterations)

    def _solution(self, side: Side, step: Step, iterations: int) -> Solution:
        weights = np.asarray(np.clip(step.weights, self.lower, self.upper))
        return Solution(weights, step.multiplier, side, iterations)

    def line(self, side: Side, gain: FloatArray) -> tuple[Step, Step]:
        """Return what solves q = 0 with the assets held where they sit, and its change for each
        unit of lambda in q = lambda ``gain``."""
        nothing = np.zeros(len(gain))
        at_zero = self._step(side, nothing)
        at_one = self._step(side, gain / self._unit(gain))
        unit = self._unit(gain)
        return at_zero, Step(
            (at_one.weights - at_zero.weights) * unit,
            (at_one.multiplier - at_zero.multiplier) * unit,
            (at_one.gradient - at_zero.gradient) * unit,
        )

    def _unit(self, gain: FloatArray) -> float:
        """Return the lambda's inverse at which the linear term weighs as much as the risk."""
        return float(np.abs(gain).max()) / self.scale

    def residual(self, solution: Solution, linear: FloatArray) -> float:
        """Return the largest violation of the optimality conditions, relative to their terms."""
        marginal = self.covariance @ solution.weights
        gradient = marginal - linear - solution.multiplier
        size = float(np.abs(marginal).max() + np.abs(linear).max()) or 1.0
        against = np.where(
            solution.side == 0,
            np.abs(gradient),
            np.maximum(solution.side * gradient, 0.0),
        )
        return float(against.max() / size)

    def _step(self, side: Side, linear: FloatArray) -> Step:
        """Solve with the assets at bounds held there."""
        weights = np.where(side < 0, self.lower, np.where(side > 0, self.upper, 0.0))
        free = np.flatnonzero(side == 0)
        multiplier = 0.0
        if len(free):
            everything = len(free) == len(side)
            block = self.covariance if everything else self.covariance[np.ix_(free, free)]
            held = 0.0 if everything else self.covariance[free] @ weights
            right = linear[free] - held
            factor = _factor(block)
            if self.budget is None:
                weights[free] = cholesky.solve(factor, right)
            else:
                ones, target = cholesky.solve(
                    factor, np.column_stack((np.ones(len(free)), right))
                ).T
                left = self.budget - weights.sum()
                multiplier = float((left - target.sum()) / ones.sum())
                weights[free] = target + multiplier * ones
        gradient = self.covariance @ weights - linear
        if len(free) == 0 and self.budget is not None:
            multiplier = _between(gradient, side)
        return Step(weights, multiplier, gradient - multiplier)

    def _meets_budget(self, side: Side) -> bool:
        """Return whether the bounds that all assets sit at sum to the budget."""
        if self.budget is None:
            return True
        total = float(np.where(side < 0, self.lower, self.upper).sum())
        return abs(total - self.budget) <= _TOLERANCE * max(1.0, abs(self.budget))

    def _moves(self, side: Side, step: Step) -> Side:
        """Return where each asset should sit, judged by what this step found."""
        slack = _TOLERANCE * max(1.0, float(np.abs(step.weights).max()))
        steep = _TOLERANCE * max(self.scale, float(np.abs(step.gradient).max()))
        result = side.copy()
        free = side == 0
        result[free & (step.weights < self.lower - slack)] = -1
        result[free & (step.weights > self.upper + slack)] = 1
        result[(side < 0) & (step.gradient < -steep)] = 0
        result[(side > 0) & (step.gradient > steep)] = 0
        return result

    def _active_set(self, linear: FloatArray) -> tuple[Side, int]:
        """Move from a feasible point, one bound at a time; return where the assets end."""
        weights = self._feasible()
        side = np.zeros(len(linear), dtype=np.int8)
        side[weights <= self.lower] = -1
        side[(weights >= self.upper) & (side == 0)] = 1
        for iteration in range(1, 20 * len(linear) + 100):
            step = self._step(side, linear)
            direction = step.weights - weights
            share, hit = self._reach(weights, direction, side)
            weights = weights + share * direction
            if hit is not None:
                side[hit] = -1 if direction[hit] < 0.0 else 1
                continue
            moves = self._moves(side, step)
            wrong = np.flatnonzero((moves != side) & (side != 0))
            if len(wrong) == 0:
                return side, iteration
            side[wrong[int(np.argmax(np.abs(step.gradient[wrong])))]] = 0
        raise NotPositiveDefinite(
            "the programme does not settle: the covariance is too close to singular; shrink it"
        )

    def _reach(
        self, weights: FloatArray, direction: FloatArray, side: Side
    ) -> tuple[float, int | None]:
        """Return how far the free assets can go together, and which one stops them."""
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(
                direction < 0.0,
                (self.lower - weights) / direction,
                np.where(direction > 0.0, (self.upper - weights) / direction, np.inf),
            )
        room = np.where((side == 0) & np.isfinite(room), np.maximum(room, 0.0), np.inf)
        first = int(room.argmin())
        return (float(room[first]), first) if room[first] < 1.0 else (1.0, None)

    def _feasible(self) -> FloatArray:
        """Return a point within the bounds that meets the budget."""
        weights = np.clip(0.0, self.lower, self.upper)
        missing = 0.0 if self.budget is None else self.budget - float(weights.sum())
        room = self.upper - weights if missing > 0.0 else weights - self.lower
        for asset in range(len(weights)):
            part = min(abs(missing), float(room[asset]))
            weights[asset] += np.copysign(part, missing)
            missing -= np.copysign(part, missing)
        return np.asarray(weights)


def _between(gradient: FloatArray, side: Side) -> float:
    """Return a multiplier that suits assets at both bounds, where there is one."""
    at_upper, at_lower = gradient[side > 0], gradient[side < 0]
    if len(at_upper) == 0:
        return float(at_lower.min())
    if len(at_lower) == 0:
        return float(at_upper.max())
    return float(at_upper.max() + at_lower.min()) / 2.0


def _factor(block: FloatArray) -> cholesky.Factor:
    try:
        factor, low = cholesky.factor(block)
    except np.linalg.LinAlgError as error:
        raise _singular() from error
    pivots = np.diag(factor) ** 2
    if pivots.min() <= len(block) * np.finfo(float).eps * np.diag(block).max():
        raise _singular()
    return factor, low


def _singular() -> NotPositiveDefinite:
    return NotPositiveDefinite(
        "the covariance has no inverse (more assets than rows, or assets that are copies or sums "
        "of others); shrink it, e.g. covariance=ledoit_wolf(returns)"
    )


def _require_feasible(lower: FloatArray, upper: FloatArray, budget: float) -> None:
    least, most = float(lower.sum()), float(upper.sum())
    slack = 1e-12 * max(1.0, abs(budget))
    if not least - slack <= budget <= most + slack:
        raise Infeasible(
            f"the bounds allow sums from {least:.6g} to {most:.6g}, the budget is {budget:.6g}; "
            "widen the bounds"
        )
