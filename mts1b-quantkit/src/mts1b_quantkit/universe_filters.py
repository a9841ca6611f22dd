"""Which assets trade enough to be traded."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.doubling import window_mean
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.rolling import require_window
from mts1b_quantkit.scalars import read_number

__all__ = ["average_daily_volume", "passes_adv_filter"]


def average_daily_volume(volume: Any, *, window: int = 21) -> Any:
    """Return the mean volume of the last ``window`` rows, at every row.

    :param volume: (T,) or (T, A) daily volumes, in units or in currency; NaN where unknown.
    :return: same shape; NaN until ``window`` volumes are known without a gap.
    :raises BadInput: for a negative volume or a window below 1.

    >>> from mts1b_quantkit.universe_filters import average_daily_volume
    >>> average_daily_volume([10.0, 20.0, 30.0], window=2).tolist()
    [nan, 15.0, 25.0]
    """
    window = require_window(window)
    table = as_table(volume, what="volume", allow_nan=True)
    if (table.values < 0).any():
        i, j = (int(k) for k in np.argwhere(table.matrix < 0)[0])
        raise BadInput(f"volume of {table.labels[j]!r} at row {table.row_label(i)!r} is negative")
    return table.rows(window_mean(table.matrix, window))


def passes_adv_filter(volume: Any, *, minimum: float, window: int = 21) -> Any:
    """Return where the average daily volume is known and at least ``minimum``.

    :param minimum: in the units of ``volume``.
    :return: booleans in the shape of ``volume``; False while the average is not known.

    >>> from mts1b_quantkit.universe_filters import passes_adv_filter
    >>> passes_adv_filter([10.0, 20.0, 30.0], minimum=20, window=2).tolist()
    [False, False, True]
    """
    minimum = read_number("minimum", minimum, least=0.0, wanted="a volume, zero or more")
    table = as_table(volume, what="volume", allow_nan=True)
    average = average_daily_volume(table.values, window=window)
    with np.errstate(invalid="ignore"):
        return table.rows(average >= minimum)
