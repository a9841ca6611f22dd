"""What a venue or broker charges for a fill."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from mts1b_foundation.orders import Liquidity

from mts1b_quantkit.cost_models.amounts import (
    BPS,
    decimal,
    larger,
    like,
    read_liquidity,
    read_trade,
    require_not_negative,
    smaller,
    where,
)
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_number, shown

__all__ = ["BpsFee", "FeeModel", "FeeTier", "PerShareFee", "TieredFee", "VenueFee"]


@runtime_checkable
class FeeModel(Protocol):
    """Say what a venue or broker charges for a fill."""

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return the fee in the currency of ``price``; zero or more, a rebate is negative."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PerShareFee:
    """Charge per unit traded, at least ``minimum`` a fill, at most a fraction of its value.

    :ivar per_share: in currency per unit.
    :ivar maximum_fraction: of quantity times price; it also bounds the minimum. None for none.

    >>> from decimal import Decimal
    >>> from mts1b_quantkit.cost_models import PerShareFee
    >>> model = PerShareFee(per_share=Decimal("0.005"), minimum=Decimal(1))
    >>> model.fee(Decimal(1000), Decimal(25))
    Decimal('5.000')
    """

    per_share: Decimal
    minimum: Decimal = Decimal(0)
    maximum_fraction: Decimal | None = None

    def __post_init__(self) -> None:
        require_not_negative(per_share=self.per_share, minimum=self.minimum)
        if self.maximum_fraction is not None:
            require_not_negative(maximum_fraction=self.maximum_fraction)

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return the fee; a quantity of zero costs nothing."""
        quantity, price = read_trade(quantity, price)
        read_liquidity(liquidity)
        size = abs(quantity)
        minimum = like(self.minimum, size, price)
        charged = larger(size * like(self.per_share, size, price), minimum)
        if self.maximum_fraction is not None:
            charged = smaller(charged, size * price * like(self.maximum_fraction, size, price))
        return where(size > 0, charged, charged * 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BpsFee:
    """Charge basis points of the value traded.

    >>> from decimal import Decimal
    >>> from mts1b_quantkit.cost_models import BpsFee
    >>> BpsFee(bps=Decimal(10)).fee(Decimal(100), Decimal(25))
    Decimal('2.500')
    """

    bps: Decimal

    def __post_init__(self) -> None:
        require_not_negative(bps=self.bps)

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return quantity x price x bps / 10,000."""
        quantity, price = read_trade(quantity, price)
        read_liquidity(liquidity)
        value = abs(quantity) * price
        return value * like(decimal(self.bps) / BPS, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """The rates from a trailing volume upwards. A negative rate is a rebate."""

    from_volume: Decimal
    maker_bps: Decimal
    taker_bps: Decimal

    def __post_init__(self) -> None:
        require_not_negative(from_volume=self.from_volume)
        read_number("maker_bps", self.maker_bps)
        read_number("taker_bps", self.taker_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredFee:
    """Charge maker or taker basis points by the account's trailing volume.

    :ivar tiers: rising in ``from_volume``, the first from zero.
    :ivar trailing_volume: of the account, in the currency of the tiers.

    >>> from decimal import Decimal
    >>> from mts1b_quantkit.cost_models import FeeTier
    >>> from mts1b_quantkit.cost_models import TieredFee
    >>> tiers = (
    ...     FeeTier(from_volume=Decimal(0), maker_bps=Decimal(2), taker_bps=Decimal(5)),
    ...     FeeTier(from_volume=Decimal(1000), maker_bps=Decimal(1), taker_bps=Decimal(4)),
    ... )
    >>> TieredFee(tiers=tiers, trailing_volume=Decimal(2000)).fee(Decimal(100), Decimal(50))
    Decimal('2.0000')
    """

    tiers: tuple[FeeTier, ...]
    trailing_volume: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not isinstance(self.tiers, Sequence) or not all(
            isinstance(tier, FeeTier) for tier in self.tiers
        ):
            raise BadInput(f"tiers is {shown(self.tiers)}; give a tuple of FeeTier")
        starts = [decimal(tier.from_volume) for tier in self.tiers]
        if not starts or starts[0] != 0:
            raise BadInput("tiers must begin with one from_volume=0")
        if any(later <= earlier for earlier, later in itertools.pairwise(starts)):
            raise BadInput(f"tiers must rise in from_volume, they are {[str(x) for x in starts]}")
        require_not_negative(trailing_volume=self.trailing_volume)

    @property
    def tier(self) -> FeeTier:
        """Return the tier that the trailing volume has reached."""
        reached = (t for t in self.tiers if decimal(t.from_volume) <= decimal(self.trailing_volume))
        return tuple(reached)[-1]

    def with_trailing_volume(self, volume: Decimal) -> TieredFee:
        """Return the same schedule for an account with this trailing volume."""
        return TieredFee(tiers=self.tiers, trailing_volume=volume)

    def fee(self, quantity: Any, price: Any, *, liquidity: Liquidity = Liquidity.TAKER) -> Any:
        """Return quantity x price x the tier's rate; negative where the tier pays a rebate."""
        quantity, price = read_trade(quantity, price)
        tier, maker = self.tier, read_liquidity(liquidity) is Liquidity.MAKER
        bps = tier.maker_bps if maker else tier.taker_bps
        value = abs(quantity) * price
        return value * like(decimal(bps) / BPS, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFee:
    """Charge what the venue of the fill charges.

    :ivar models: the fee of each venue.
    :ivar venue: whose fees count where a call names none; None to make every call name one.

    >>> from decimal import Decimal
    >>> from mts1b_quantkit.cost_models import BpsFee
    >>> from mts1b_quantkit.cost_models import VenueFee
    >>> models = {"A": BpsFee(bps=Decimal(1)), "B": BpsFee(bps=Decimal(2))}
    >>> VenueFee(models=models, venue="B").fee(Decimal(100), Decimal(50))
    Decimal('1.0000')
    """

    models: Mapping[str, FeeModel]
    venue: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.models, Mapping) or not self.models:
            raise BadInput("models names no venue; give a mapping of at least one to its fee")
        for venue, model in self.models.items():
            if not isinstance(model, FeeModel):
                raise BadInput(f"models has {shown(model)} for {venue!r}; give a FeeModel")
        if self.venue is not None:
            self.at(self.venue)

    def at(self, venue: str) -> FeeModel:
        """Return the model of a venue.

        :raises BadInput: naming the known ones, for any other.
        """
        if not isinstance(venue, str) or venue not in self.models:
            known = ", ".join(sorted(self.models))
            raise BadInput(f"no fee is known for venue {venue!r}; known: {known}")
        return self.models[venue]

    def fee(
        self,
        quantity: Any,
        price: Any,
        *,
        liquidity: Liquidity = Liquidity.TAKER,
        venue: str | None = None,
    ) -> Any:
        """Return the fee at ``venue``.

        :raises BadInput: when neither the call nor the schedule names a venue.
        """
        chosen = self.venue if venue is None else venue
        if chosen is None:
            raise BadInput("give venue=, or a schedule made with venue=")
        return self.at(chosen).fee(quantity, price, liquidity=liquidity)
