"""The imbalance of order flow (Easley, Lopez de Prado and O'Hara 2012)."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import LARGEST, FloatArray, as_numbers, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.labels import require_same_rows
from mts1b_quantkit.scalars import is_single, read_count, read_number, read_positive
from mts1b_quantkit.special import ndtr

__all__ = ["Vpin", "bulk_buy_fraction", "vpin"]


def bulk_buy_fraction(price_change: Any, standard_deviation: Any) -> Any:
    """Return Phi(price_change / standard_deviation): the share of a bar's volume that was bought.

    :raises BadInput: unless the deviation is positive.

    >>> from mts1b_quantkit.microstructure import bulk_buy_fraction
    >>> round(float(bulk_buy_fraction(0.0, 0.01)), 6)
    0.5
    """
    deviation = _numbers("standard_deviation", standard_deviation)
    if not (deviation >= 1.0 / LARGEST).all():
        raise BadInput("standard_deviation must be positive: without a move there is no direction")
    change = _numbers("price_change", price_change)
    try:
        share = ndtr(change / deviation)
    except ValueError as error:
        raise BadInput(
            f"price_change has shape {change.shape}, standard_deviation {deviation.shape}"
        ) from error
    return float(share) if np.ndim(share) == 0 else share


def _numbers(name: str, values: Any) -> FloatArray:
    if is_single(values):
        return np.asarray(read_number(name, values))
    return as_numbers(values, what=name)


class Vpin:
    """Volume-synchronised probability of informed trading, one bar at a time.

    Volume fills buckets of ``bucket_volume``; a bar that ends a bucket is split. The value is the
    mean |bought - sold| / bucket_volume of the last ``window`` full buckets.

    :param price_change_std: standard deviation of the price change of a bar, known beforehand.

    >>> from mts1b_quantkit.microstructure import Vpin
    >>> flow = Vpin(bucket_volume=5.0, price_change_std=0.5, window=2)
    >>> [round(flow.update(p, 5.0), 4) for p in (10.0, 11.0, 10.0)]
    [nan, nan, 0.9545]
    """

    def __init__(self, *, bucket_volume: float, price_change_std: float, window: int = 50) -> None:
        self.bucket_volume = read_positive(
            "bucket_volume", bucket_volume, wanted="a positive volume"
        )
        self.price_change_std = read_positive("price_change_std", price_change_std)
        self.window = read_count("window", window, wanted="a whole number of buckets, 1 or more")
        self._imbalances: deque[float] = deque(maxlen=self.window)
        self._filled = self._bought = 0.0
        self._close: float | None = None

    def update(self, close: float, volume: float) -> float:
        """Take one bar; return the value, NaN before ``window`` buckets are full.

        The first bar has no change, so its volume has no direction and does not count.

        :raises BadInput: for a close or a volume that is no number, or a negative volume.
        """
        price = read_number("close", close)
        traded = read_number("volume", volume, least=0.0, wanted="zero or more")
        before, self._close = self._close, price
        if before is not None:
            self._pour(traded, float(ndtr((price - before) / self.price_change_std)))
        return self.value

    def _pour(self, volume: float, share: float) -> None:
        most = (self.window + 2) * self.bucket_volume
        if volume > most:  # all buckets that count are of this bar: the others change nothing
            volume = most + math.fmod(volume - most, self.bucket_volume)
        while volume > 0.0:
            part = min(volume, self.bucket_volume - self._filled)
            self._filled += part
            self._bought += part * share
            volume -= part
            if self._filled >= self.bucket_volume:
                imbalance = abs(2.0 * self._bought - self._filled) / self.bucket_volume
                self._imbalances.append(imbalance)
                self._filled = self._bought = 0.0

    @property
    def value(self) -> float:
        """Return the mean imbalance of the last full buckets; NaN before there are enough."""
        if len(self._imbalances) < self.window:
            return math.nan
        return math.fsum(self._imbalances) / self.window


def vpin(
    close: Any,
    volume: Any,
    *,
    bucket_volume: float,
    window: int = 50,
    price_change_std: float | None = None,
) -> NDArray[np.float64]:
    """Return the value after each bar (T,), equal to :class:`Vpin` to the last bit.

    :param price_change_std: None for the sample standard deviation (ddof=1) of all changes, which
        looks ahead: give a number to use it as a signal.
    :raises BadInput: for shapes that differ, fewer than three bars without ``price_change_std``, or
        prices that never move.

    >>> from mts1b_quantkit.microstructure import vpin
    >>> flow = vpin([10.0, 11.0, 10.0], [5.0, 5.0, 5.0], bucket_volume=5.0, window=2)
    >>> bool(0.0 < flow[-1] < 1.0)
    True
    """
    prices, traded = as_table(close, what="close"), as_table(volume, what="volume")
    if not prices.is_vector or prices.values.shape != traded.values.shape:
        raise BadInput(f"close is {prices.values.shape}, volume {traded.values.shape}; two series")
    require_same_rows(prices, traded, "volume", beside="close")
    if price_change_std is None:
        if len(prices.values) < 3:
            raise BadInput("fewer than three bars; give price_change_std=")
        price_change_std = float(np.diff(prices.values).std(ddof=1))
        bulk_buy_fraction(0.0, price_change_std)
    stream = Vpin(bucket_volume=bucket_volume, price_change_std=price_change_std, window=window)
    pairs = zip(prices.values.tolist(), traded.values.tolist(), strict=True)
    return np.array([stream.update(c, v) for c, v in pairs])
