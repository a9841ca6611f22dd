"""What an order cost against the price at which it was decided (Perold 1988)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mts1b_foundation.orders import Side

from mts1b_oms_algos.errors import BadParameter

__all__ = ["Shortfall", "implementation_shortfall"]


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The parts of the shortfall, as fractions of ordered * decision price; positive is a cost.

    ``delay``: from decision to arrival, on what was filled. ``execution``: from arrival to the
    executions. ``opportunity``: from decision to the end, on what was not filled.
    """

    delay: float
    execution: float
    opportunity: float
    fees: float

    @property
    def total(self) -> float:
        """Return the whole shortfall: the return of the paper order less that of the real one."""
        return math.fsum((self.delay, self.execution, self.opportunity, self.fees))


def implementation_shortfall(
    side: Side | str,
    *,
    ordered: float,
    filled: float,
    decision_price: float,
    arrival_price: float,
    execution_price: float,
    final_price: float,
    fees: float = 0.0,
) -> Shortfall:
    """Split the shortfall of one order.

    :param side: buy, sell, short or cover.
    :param ordered: quantity that was decided; ``filled`` what was executed of it.
    :param arrival_price: when the order reached the market.
    :param execution_price: the average price of the fills; any positive number where there is
        none.
    :param final_price: when the order ended.
    :param fees: in currency; negative for a rebate.
    :raises BadParameter: for a price that is not positive, or filled outside of 0 to ordered.
    """
    for name, price in (
        ("decision_price", decision_price),
        ("arrival_price", arrival_price),
        ("execution_price", execution_price),
        ("final_price", final_price),
        ("ordered", ordered),
    ):
        if not 0.0 < price < math.inf:
            raise BadParameter(f"{name} is {price}; give a positive number")
    if not 0.0 <= filled <= ordered:
        raise BadParameter(f"filled is {filled}; it lies between 0 and ordered, {ordered}")
    if not math.isfinite(fees):
        raise BadParameter(f"fees is {fees}; give a finite number")
    sign, paper = Side(side).sign, ordered * decision_price
    return Shortfall(
        delay=sign * filled * (arrival_price - decision_price) / paper,
        execution=sign * filled * (execution_price - arrival_price) / paper,
        opportunity=sign * (ordered - filled) * (final_price - decision_price) / paper,
        fees=fees / paper,
    )
