"""The imbalance of order flow (Easley, Lopez de Prado and O'Hara 2012)."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.special import ndtr

__all__ = ["Vpin", "bulk_buy_fraction", "vpin"]


def bulk_buy_fraction(price_change: Any, standard_deviation: Any) -> Any:
    """Return Phi(price_change / standard_deviation): the share of a bar's volume that was bought.

    :raises BadInput: unless the deviation is positive.

    >>> from mts1b_quantkit.microstructure import bulk_buy_fraction
    >>> round(float(bulk_buy_fraction(0.0, 0.01)), 6)
    0.5
    """
    deviation = np.asarray(standard_deviation, dtype=float)
    if not (np.isfinite(deviation) & (deviation > 0.0)).all():
        raise BadInput("standard_deviation must be positive: without a move there is no direction")
    share = ndtr(np.asarray(price_change, dtype=float) / deviation)
    return float(share) if np.ndim(share) == 0 else share


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
        if not 0.0 < bucket_volume < math.inf:
            raise BadInput(f"bucket_volume is {bucket_volume}; give a positive volume")
        if int(window) != window or window < 1:
            raise BadInput(f"window is {window}; give a whole number of buckets, 1 or more")
        bulk_buy_fraction(0.0, price_change_std)
        self.bucket_volume = float(bucket_volume)
        self.price_change_std = float(price_change_std)
        self.window = int(window)
        self._imbalances: deque[float] = deque(maxlen=self.window)
        self._filled = self._bought = 0.0
        self._close: float | None = None

    def update(self, close: float, volume: float) -> float:
        """Take one bar; return the value, NaN before ``window`` buckets are full.

        The first bar has no change, so its volume has no direction and does not count.

        :raises BadInput: for a close or a volume that is no number, or a negative volume.
        """
        if not (math.isfinite(close) and math.isfinite(volume) and volume >= 0.0):
            raise BadInput(f"close is {close}, volume {volume}; give finite numbers, volume >= 0")
        before, self._close = self._close, float(close)
        if before is not None:
            share = bulk_buy_fraction(close - before, self.price_change_std)
            self._pour(float(volume), share)
        return self.value

    def _pour(self, volume: float, share: float) -> None:
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
    if price_change_std is None:
        if len(prices.values) < 3:
            raise BadInput("fewer than three bars; give price_change_std=")
        price_change_std = float(np.diff(prices.values).std(ddof=1))
    stream = Vpin(bucket_volume=bucket_volume, price_change_std=price_change_std, window=window)
    pairs = zip(prices.values.tolist(), traded.values.tolist(), strict=True)
    return np.array([stream.update(c, v) for c, v in pairs])
