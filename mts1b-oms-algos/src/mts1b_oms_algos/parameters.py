"""What the algorithms can be told, under the documented names and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Self, TypeVar

from mts1b_foundation.model import FrozenModel, NonNegativeDecimal, PositiveDecimal, UtcDatetime
from pydantic import Field, ValidationError, model_validator

from mts1b_oms_algos.errors import BadParameter, UnknownParameter

__all__ = [
    "AlmgrenChrissParameters",
    "ChildParameters",
    "IcebergParameters",
    "PovParameters",
    "ScheduleParameters",
    "ShortfallParameters",
    "TwapParameters",
    "VwapParameters",
    "read_parameters",
]

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Bounds of times: a window that begins within them ends within the calendar."""

_SMALLEST_LOT = Decimal("1E-18")
_LARGEST = Decimal("1E+30")
"""Bounds of quantities: whatever is within them is counted in lots without a rounding error."""


class ChildParameters(FrozenModel):
    """What every algorithm takes.

    :ivar child_order_type: limit and marketable_limit children carry the parent's limit price, or
        its reference price.
    :ivar lot_size: children are whole lots; what the parent holds beyond whole lots rides with its
        last child.
    :ivar start_at: begin of the window; None begins when the algorithm is started.
    :ivar start_slice: checkpoint: number of slices that are done; no child of theirs is repeated.
    """

    child_order_type: Literal["limit", "marketable_limit", "market"] = "limit"
    lot_size: Decimal = Field(default=Decimal(1), ge=_SMALLEST_LOT, le=_LARGEST)
    start_at: UtcDatetime | None = Field(default=None, ge=_FIRST, le=_LAST)
    start_slice: int = Field(default=0, ge=0, le=1_000_000)


class ScheduleParameters(ChildParameters):
    """What every algorithm takes whose schedule is known before the first child.

    :ivar horizon_minutes: length of the window in which children are sent.
    :ivar jitter_pct: largest move of a slice's time, as a fraction of the time between slices.
    """

    horizon_minutes: float = Field(default=30, ge=0, le=10_080, allow_inf_nan=False)
    jitter_pct: float = Field(default=0.0, ge=0, le=0.5, allow_inf_nan=False)

    @property
    def horizon(self) -> timedelta:
        """Return the length of the window."""
        return timedelta(minutes=self.horizon_minutes)


class TwapParameters(ScheduleParameters):
    """What TWAP takes.

    :ivar n_slices: number of equal intervals.
    """

    n_slices: int = Field(default=30, ge=1, le=10_000)
    jitter_pct: float = Field(default=0.2, ge=0, le=0.5, allow_inf_nan=False)


class VwapParameters(ScheduleParameters):
    """What VWAP takes.

    :ivar volume_profile: ``intraday_estimated`` (the U-shape of a session), ``uniform``, or one
        relative volume per slice.
    :ivar n_slices: number of equal intervals; None for one per minute.
    :ivar average_daily_volume: expected volume of a whole session; None when it is not known.
    :ivar max_participation: largest share of a slice's expected volume. It binds where
        ``average_daily_volume`` is given: without a volume there is nothing to take a share of.
    :ivar session_open: begin of the session, with ``session_close``; None for 09:30 to 16:00 in
        New York.
    """

    volume_profile: Literal["intraday_estimated", "uniform"] | tuple[NonNegativeDecimal, ...] = (
        "intraday_estimated"
    )
    max_participation: float = Field(default=0.10, gt=0, le=1)
    n_slices: int | None = Field(default=None, ge=1, le=10_000)
    average_daily_volume: PositiveDecimal | None = None
    session_open: UtcDatetime | None = Field(default=None, ge=_FIRST, le=_LAST)
    session_close: UtcDatetime | None = Field(default=None, ge=_FIRST, le=_LAST)


class AlmgrenChrissParameters(ScheduleParameters):
    """What the optimal liquidation of Almgren and Chriss takes.

    Costs are fractions of the parent's value, time is in horizons: the trade-off is between the
    expected cost and ``risk_aversion`` times the variance of that fraction.

    :ivar n_slices: number of equal intervals.
    :ivar risk_aversion: 0 is TWAP; the larger, the earlier.
    :ivar volatility: of the symbol, a year.
    :ivar permanent_impact: in basis points, of the whole parent.
    :ivar temporary_impact: in basis points, of trading the whole parent evenly over the horizon.
    :ivar session_minutes_per_year: what the annual volatility is spread over.
    """

    n_slices: int = Field(default=30, ge=1, le=10_000)
    risk_aversion: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    volatility: float = Field(default=0.18, ge=0, allow_inf_nan=False)
    permanent_impact: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    temporary_impact: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    session_minutes_per_year: float = Field(default=252 * 390, gt=0, allow_inf_nan=False)


class ShortfallParameters(AlmgrenChrissParameters):
    """What the implementation-shortfall algorithm takes.

    :ivar arrival_price: the price that the shortfall is measured from, and that of limit children
        of a parent without a limit price.
    :ivar max_horizon_minutes: the window; it ends earlier where waiting risks more than it saves.
    :ivar half_lives: length of the window in half-lives of the optimal trajectory, at most.
    """

    arrival_price: PositiveDecimal | None = None
    max_horizon_minutes: float = Field(default=120, ge=0, le=10_080, allow_inf_nan=False)
    half_lives: float = Field(default=3.0, gt=0, allow_inf_nan=False)


class PovParameters(ChildParameters):
    """What POV takes; its slices are the looks at the market, one every ``interval_minutes``.

    :ivar target_participation: share of the volume that is observed from the start on.
    :ivar max_horizon_minutes: the window; what the volume did not allow by its end is not sent.
    :ivar volume_lookback_minutes: a child is at most the share of the volume of so many minutes
        (or one lot): volume that passed unused longer ago is not made up for.
    :ivar interval_minutes: time between looks.
    :ivar sent_quantity: checkpoint, with ``start_slice``: what the slices that are done sent.
    :ivar average_daily_volume: expected volume of a session; the algorithm takes part in that
        where it is given no market to observe.
    :ivar session_open: begin of that session, with ``session_close``; as for VWAP.
    """

    target_participation: Decimal = Field(default=Decimal("0.15"), gt=0, le=1)
    max_horizon_minutes: float = Field(default=120, gt=0, le=10_080, allow_inf_nan=False)
    volume_lookback_minutes: float = Field(default=5, gt=0, le=10_080, allow_inf_nan=False)
    interval_minutes: float = Field(default=1, ge=1 / 600, le=10_080, allow_inf_nan=False)
    sent_quantity: Decimal = Field(default=Decimal(0), ge=0, le=_LARGEST)
    average_daily_volume: Decimal | None = Field(default=None, gt=0, le=_LARGEST)
    session_open: UtcDatetime | None = Field(default=None, ge=_FIRST, le=_LAST)
    session_close: UtcDatetime | None = Field(default=None, ge=_FIRST, le=_LAST)

    @property
    def interval(self) -> timedelta:
        """Return the time between looks."""
        return timedelta(minutes=self.interval_minutes)

    @property
    def n_slices(self) -> int:
        """Return the number of looks in the window."""
        return timedelta(minutes=self.max_horizon_minutes) // self.interval

    @model_validator(mode="after")
    def _looks_fit(self) -> Self:
        if not 1 <= self.n_slices <= 10_000:
            raise ValueError(
                f"max_horizon_minutes {self.max_horizon_minutes:g} has {self.n_slices} times "
                f"interval_minutes {self.interval_minutes:g}; it must have 1 to 10000"
            )
        return self


class IcebergParameters(ChildParameters):
    """What the iceberg takes.

    :ivar display_qty: the most that the market sees at once.
    :ivar refill_threshold: show more when no more than this is left of what is shown.
    :ivar limit_price: of every child; None for the parent's. It is never worse than the parent's.
    :ivar child_order_type: an iceberg rests, so its children are limit orders.
    :ivar check_seconds: time between looks at what is left of the shown children.
    :ivar sent_quantity: checkpoint, with ``start_slice``: what the slices that are done showed.
    """

    child_order_type: Literal["limit"] = "limit"
    display_qty: Decimal = Field(default=Decimal(100), gt=0, le=_LARGEST)
    refill_threshold: Decimal = Field(default=Decimal(50), ge=0, le=_LARGEST)
    limit_price: PositiveDecimal | None = None
    check_seconds: float = Field(default=1.0, ge=0.001, le=86_400, allow_inf_nan=False)
    sent_quantity: Decimal = Field(default=Decimal(0), ge=0, le=_LARGEST)

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.refill_threshold >= self.display_qty:
            raise ValueError(
                f"refill_threshold {self.refill_threshold} must be less than display_qty "
                f"{self.display_qty}"
            )
        if self.lot_size > self.display_qty:
            raise ValueError(f"display_qty {self.display_qty} is less than a lot, {self.lot_size}")
        return self


P = TypeVar("P", bound=ChildParameters)


def read_parameters(model: type[P], params: Mapping[str, Any]) -> P:
    """Return the parameters of an algorithm.

    :raises UnknownParameter: naming a key that the algorithm does not take, and those it does.
    :raises BadParameter: naming a value that is out of range.
    """
    if not isinstance(params, Mapping):
        raise BadParameter(f"params is a {type(params).__name__}; give a mapping")
    unknown = sorted(str(name) for name in set(params) - set(model.model_fields))
    if unknown:
        known = ", ".join(sorted(model.model_fields))
        raise UnknownParameter(f"unknown parameter {', '.join(unknown)}; known: {known}")
    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "a combination"
        raise BadParameter(f"{name} is {first['input']!r}: {first['msg']}") from error
