"""How far from the reference price a trade executes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from mts1b_quantkit.cost_models.amounts import (
    BPS,
    adverse_price,
    decimal,
    like,
    read_trade,
    require_not_negative,
    root,
)
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_count, read_number, read_positive

__all__ = [
    "EwmaSlippage",
    "FixedBpsSlippage",
    "SlippageModel",
    "SpreadSlippage",
    "SquareRootSlippage",
]


@runtime_checkable
class SlippageModel(Protocol):
    """Say how far from the reference price a trade executes."""

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return the adverse move as a fraction of ``price``, zero or more."""
        ...

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedBpsSlippage:
    """Move the price by the same basis points whatever the size.

    >>> from decimal import Decimal
    >>> from mts1b_quantkit.cost_models import FixedBpsSlippage
    >>> FixedBpsSlippage(bps=Decimal(10)).fill_price(Decimal(-100), Decimal(50))
    Decimal('49.950')
    """

    bps: Decimal

    def __post_init__(self) -> None:
        require_not_negative(bps=self.bps)

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return bps / 10,000."""
        quantity, price = read_trade(quantity, price)
        return quantity * 0 + like(decimal(self.bps) / BPS, quantity, price)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        quantity, price = read_trade(quantity, price)
        return adverse_price(quantity, price, self.fraction(quantity, price))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadSlippage:
    """Cross half of the quoted spread.

    :ivar spread_bps: ask less bid over the middle, in basis points.

    >>> from decimal import Decimal
    >>> from mts1b_quantkit.cost_models import SpreadSlippage
    >>> SpreadSlippage(spread_bps=Decimal(10)).fill_price(Decimal(100), Decimal(50))
    Decimal('50.0250')
    """

    spread_bps: Decimal

    def __post_init__(self) -> None:
        require_not_negative(spread_bps=self.spread_bps)

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return half the spread over 10,000."""
        quantity, price = read_trade(quantity, price)
        return quantity * 0 + like(decimal(self.spread_bps) / 2 / BPS, quantity, price)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        quantity, price = read_trade(quantity, price)
        return adverse_price(quantity, price, self.fraction(quantity, price))


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareRootSlippage:
    """Move the price by coefficient x daily volatility x sqrt(quantity / average daily volume).

    The square-root law of impact (Barra 1997; Toth et al. 2011).

    >>> from mts1b_quantkit.cost_models import SquareRootSlippage
    >>> model = SquareRootSlippage(average_daily_volume=1e6, daily_volatility=0.02)
    >>> round(model.fraction(10_000, 50.0), 6)
    0.002
    """

    average_daily_volume: Decimal
    daily_volatility: Decimal
    coefficient: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        require_not_negative(daily_volatility=self.daily_volatility, coefficient=self.coefficient)
        read_positive("average_daily_volume", self.average_daily_volume)

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return the move; it grows with the square root of the quantity."""
        quantity, price = read_trade(quantity, price)
        share = abs(quantity) / like(self.average_daily_volume, quantity, price)
        scale = decimal(self.coefficient) * decimal(self.daily_volatility)
        return like(scale, quantity, price) * root(share)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        quantity, price = read_trade(quantity, price)
        return adverse_price(quantity, price, self.fraction(quantity, price))


@dataclass(frozen=True, slots=True, kw_only=True)
class EwmaSlippage:
    """Expect what the account's own fills have cost, the recent ones most.

    average = decay average + (1 - decay) slippage, after each fill; it starts at ``average`` or,
    without one, at the first fill. A fill's slippage is its adverse distance from the reference
    price as a fraction of it; better than the reference is negative. Values never change:
    :meth:`after` returns the next one.

    :ivar decay: weight of the past, in [0, 1).
    :ivar average: so far, as a fraction of price; None before the first fill.
    :ivar n_fills: how many fills it has seen.

    >>> from mts1b_quantkit.cost_models import EwmaSlippage
    >>> model = EwmaSlippage(decay=0.5).after(100, 50.0, 50.1).after(-100, 50.0, 49.8)
    >>> round(model.fraction(100, 50.0), 6)
    0.003
    """

    decay: Decimal = Decimal("0.94")
    average: Decimal | None = None
    n_fills: int = 0

    def __post_init__(self) -> None:
        wanted = "a fraction in [0, 1), e.g. 0.94"
        read_number("decay", self.decay, least=0.0, below=1.0, wanted=wanted)
        if self.average is not None:
            read_number("average", self.average, wanted="a finite fraction of price, or None")
        read_count("n_fills", self.n_fills, least=0)

    def after(self, quantity: Any, price: Any, fill_price: Any) -> EwmaSlippage:
        """Return the model that has seen one more fill.

        :param price: the reference (arrival, middle, ...), positive.
        :raises BadInput: for a fill of nothing, or a price that is not positive.
        """
        read_number("quantity", quantity)
        read_positive("price", price)
        read_positive("fill_price", fill_price)
        size, reference, paid = (decimal(value) for value in (quantity, price, fill_price))
        if size == 0:
            raise BadInput("quantity is 0; a fill has one, positive or negative")
        seen = (paid / reference - 1) * (1 if size > 0 else -1)
        decay = decimal(self.decay)
        average = (
            seen if self.average is None else decay * decimal(self.average) + (1 - decay) * seen
        )
        return EwmaSlippage(decay=decay, average=average, n_fills=self.n_fills + 1)

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return the average, not below zero: no plan counts on being better than the reference.

        :raises BadInput: before the first fill, when no average was given.
        """
        if self.average is None:
            raise BadInput("no fill has been seen; give average=, or call after() with one")
        quantity, price = read_trade(quantity, price)
        return quantity * 0 + like(max(decimal(self.average), Decimal(0)), quantity, price)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        quantity, price = read_trade(quantity, price)
        return adverse_price(quantity, price, self.fraction(quantity, price))
