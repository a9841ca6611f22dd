"""What a trade costs: fees, slippage, impact.

The same objects price a simulation, an optimiser and a report. Quantities and prices may be
Decimal (the result is exact and Decimal), float, or numpy arrays. A quantity's sign is its side:
positive buys. Costs are positive.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

import numpy as np
from mts1b_foundation.orders import Liquidity

from mts1b_quantkit.errors import BadInput

__all__ = [
    "BpsFee",
    "FeeModel",
    "FeeTier",
    "FixedBpsSlippage",
    "Impact",
    "PerShareFee",
    "SlippageModel",
    "SpreadSlippage",
    "SquareRootSlippage",
    "TieredFee",
    "almgren_impact",
]

_BPS = Decimal(10_000)


@runtime_checkable
class FeeModel(Protocol):
    """Say what a venue or broker charges for a fill."""

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return the fee in the currency of ``price``; zero or more, a rebate is negative."""
        ...


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
class PerShareFee:
    """Charge per unit traded, at least ``minimum`` a fill, at most a fraction of its value.

    :ivar per_share: in currency per unit.
    :ivar maximum_fraction: of quantity times price; it also bounds the minimum. None for none.
    """

    per_share: Decimal
    minimum: Decimal = Decimal(0)
    maximum_fraction: Decimal | None = None

    def __post_init__(self) -> None:
        _require_not_negative(per_share=self.per_share, minimum=self.minimum)
        if self.maximum_fraction is not None:
            _require_not_negative(maximum_fraction=self.maximum_fraction)

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return the fee; a quantity of zero costs nothing."""
        size = abs(quantity)
        minimum = _like(self.minimum, size, price)
        charged = _larger(size * _like(self.per_share, size, price), minimum)
        if self.maximum_fraction is not None:
            charged = _smaller(charged, size * price * _like(self.maximum_fraction, size, price))
        return _where(size > 0, charged, charged * 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BpsFee:
    """Charge basis points of the value traded."""

    bps: Decimal

    def __post_init__(self) -> None:
        _require_not_negative(bps=self.bps)

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return quantity x price x bps / 10,000."""
        value = abs(quantity) * price
        return value * _like(_decimal(self.bps) / _BPS, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """The rates from a trailing volume upwards. A negative rate is a rebate."""

    from_volume: Decimal
    maker_bps: Decimal
    taker_bps: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredFee:
    """Charge maker or taker basis points by the account's trailing volume.

    :ivar tiers: rising in ``from_volume``, the first from zero.
    :ivar trailing_volume: of the account, in the currency of the tiers.
    """

    tiers: tuple[FeeTier, ...]
    trailing_volume: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        starts = [_decimal(tier.from_volume) for tier in self.tiers]
        if not starts or starts[0] != 0:
            raise BadInput("tiers must begin with one from_volume=0")
        if any(later <= earlier for earlier, later in itertools.pairwise(starts)):
            raise BadInput(f"tiers must rise in from_volume, they are {[str(x) for x in starts]}")
        _require_not_negative(trailing_volume=self.trailing_volume)

    @property
    def tier(self) -> FeeTier:
        """Return the tier that the trailing volume has reached."""
        reached = (
            t for t in self.tiers if _decimal(t.from_volume) <= _decimal(self.trailing_volume)
        )
        return tuple(reached)[-1]

    def with_trailing_volume(self, volume: Decimal) -> TieredFee:
        """Return the same schedule for an account with this trailing volume."""
        return TieredFee(tiers=self.tiers, trailing_volume=volume)

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return quantity x price x the tier's rate; negative where the tier pays a rebate."""
        tier = self.tier
        bps = tier.maker_bps if liquidity is Liquidity.MAKER else tier.taker_bps
        value = abs(quantity) * price
        return value * _like(_decimal(bps) / _BPS, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedBpsSlippage:
    """Move the price by the same basis points whatever the size."""

    bps: Decimal

    def __post_init__(self) -> None:
        _require_not_negative(bps=self.bps)

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return bps / 10,000."""
        return quantity * 0 + _like(_decimal(self.bps) / _BPS, quantity, price)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        return _adverse_price(quantity, price, self.fraction(quantity, price))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadSlippage:
    """Cross half of the quoted spread.

    :ivar spread_bps: ask less bid over the middle, in basis points.
    """

    spread_bps: Decimal

    def __post_init__(self) -> None:
        _require_not_negative(spread_bps=self.spread_bps)

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return half the spread over 10,000."""
        return quantity * 0 + _like(_decimal(self.spread_bps) / 2 / _BPS, quantity, price)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        return _adverse_price(quantity, price, self.fraction(quantity, price))


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareRootSlippage:
    """Move the price by coefficient x daily volatility x sqrt(quantity / average daily volume).

    The square-root law of impact (Barra 1997; Toth et al. 2011).
    """

    average_daily_volume: Decimal
    daily_volatility: Decimal
    coefficient: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        _require_not_negative(daily_volatility=self.daily_volatility, coefficient=self.coefficient)
        if not self.average_daily_volume > 0:
            raise BadInput(
                f"average_daily_volume is {self.average_daily_volume}; give a positive one"
            )

    def fraction(self, quantity: Any, price: Any) -> Any:
        """Return the move; it grows with the square root of the quantity."""
        share = abs(quantity) / _like(self.average_daily_volume, quantity, price)
        scale = _decimal(self.coefficient) * _decimal(self.daily_volatility)
        return _like(scale, quantity, price) * _root(share)

    def fill_price(self, quantity: Any, price: Any) -> Any:
        """Return the price paid (positive quantity) or received (negative quantity)."""
        return _adverse_price(quantity, price, self.fraction(quantity, price))


@dataclass(frozen=True, slots=True)
class Impact:
    """Market impact as fractions of price, for a trade of the given sign.

    :ivar permanent: I, the move that stays.
    :ivar temporary: K, the move that goes with the trading.
    :ivar cost: I / 2 + K, the expected cost of the trade.
    """

    permanent: float
    temporary: float
    cost: float


def almgren_impact(
    shares: float,
    *,
    average_daily_volume: float,
    shares_outstanding: float,
    daily_volatility: float,
    horizon_days: float,
    gamma: float = 0.314,
    eta: float = 0.142,
) -> Impact:
    """Return the impact of trading ``shares`` evenly over ``horizon_days`` of trading.

    Almgren, Thum, Hauptmann and Li 2005, "Direct estimation of equity market impact": with X
    shares, V daily volume, Theta outstanding, sigma daily volatility and T days,
    I = gamma sigma (X / V) (Theta / V)^(1/4) and K = eta sigma |X / (V T)|^(3/5), signed like X.

    :param shares: signed; a sale has negative impact.
    :raises BadInput: for a volume, share count or horizon that is not positive.
    """
    positive = {
        "average_daily_volume": average_daily_volume,
        "shares_outstanding": shares_outstanding,
        "horizon_days": horizon_days,
    }
    for name, value in positive.items():
        if not 0.0 < value < float("inf"):
            raise BadInput(f"{name} is {value}; give a positive number")
    _require_not_negative(daily_volatility=daily_volatility)
    size = shares / average_daily_volume
    turnover = (shares_outstanding / average_daily_volume) ** 0.25
    permanent = gamma * daily_volatility * size * turnover
    speed = float(np.sign(size)) * abs(size / horizon_days) ** 0.6
    temporary = eta * daily_volatility * speed
    return Impact(permanent, temporary, permanent / 2.0 + temporary)


def _require_not_negative(**values: Any) -> None:
    for name, value in values.items():
        if not 0 <= value < float("inf"):
            raise BadInput(f"{name} is {value}; give zero or more")


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _like(value: Any, *others: Any) -> Any:
    """Return a parameter in the arithmetic of ``others``: Decimal beside Decimal, else float."""
    exact = any(isinstance(other, Decimal) for other in others)
    return _decimal(value) if exact else float(value)


def _adverse_price(quantity: Any, price: Any, fraction: Any) -> Any:
    move = price * fraction
    return _where(quantity > 0, price + move, _where(quantity < 0, price - move, price))


def _root(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.sqrt(value)
    return value.sqrt() if isinstance(value, Decimal) else math.sqrt(value)


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return (
        np.where(condition, yes, no)
        if isinstance(condition, np.ndarray)
        else yes
        if condition
        else no
    )


def _larger(one: Any, other: Any) -> Any:
    return np.maximum(one, other) if isinstance(one, np.ndarray) else max(one, other)


def _smaller(one: Any, other: Any) -> Any:
    return np.minimum(one, other) if isinstance(one, np.ndarray) else min(one, other)
