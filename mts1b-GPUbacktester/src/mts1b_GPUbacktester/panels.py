"""Panels from what users have: dicts of arrays, pandas or polars frames, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from mts1b_foundation import UniversePanel

from mts1b_GPUbacktester.errors import BadPanel, BadSetting
from mts1b_GPUbacktester.frames import FIELDS, fields_of, moment_of, polars_of, read_table
from mts1b_GPUbacktester.labels import from_frames, unmasked, unnamed
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["PanelLike", "Prices", "panel_from", "window"]

_TURNED_ROWS = 64
PanelLike = Any
"""A UniversePanel or anything that :func:`panel_from` takes."""


@dataclass(frozen=True, slots=True)
class Prices:
    """A panel as the engines read it: contiguous float64 arrays (A, T), one row an asset.

    A field of which nothing is known is one NaN, seen from everywhere, and not contiguous.
    """

    open: FloatArray | None
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    dates: Sequence[Any]
    symbols: tuple[str, ...]

    @classmethod
    def of(cls, panel: UniversePanel) -> Prices:
        """Check and turn a panel.

        :raises BadPanel: for an infinite or non-positive price, a high below its low, or an empty
            panel.
        """
        if 0 in panel.shape:
            raise BadPanel(f"the panel is empty: {panel.shape[0]} bars of {panel.shape[1]} assets")
        arrays = _all_turned(panel)
        _require_ranges(panel, arrays["high"], arrays["low"])
        symbols = tuple(str(symbol) for symbol in panel.symbols)
        return cls(**arrays, dates=panel.dates, symbols=symbols)  # type: ignore[arg-type]

    def panel(self) -> UniversePanel:
        """Return the panel of these prices, (T, A)."""
        arrays = {
            name: None if values is None else values.T
            for name in FIELDS
            for values in [getattr(self, name)]
        }
        return UniversePanel(**arrays, dates=self.dates, symbols=self.symbols)

    def part(self, assets: slice) -> Prices:
        """Return some of the assets, without a copy."""
        return Prices(
            open=None if self.open is None else self.open[assets],
            high=self.high[assets],
            low=self.low[assets],
            close=self.close[assets],
            volume=self.volume[assets],
            dates=self.dates,
            symbols=self.symbols[assets],
        )

    def during(self, bars: slice) -> Prices:
        """Return a stretch of time, as arrays of its own."""
        return Prices(
            open=None if self.open is None else _during(self.open, bars),
            high=_during(self.high, bars),
            low=_during(self.low, bars),
            close=_during(self.close, bars),
            volume=_during(self.volume, bars),
            dates=self.dates[bars],
            symbols=self.symbols,
        )

    def field(self, name: str) -> FloatArray:
        """Return one field; some of the assets, or a stretch of time, may have nothing of it.

        :raises BadPanel: when the whole panel has none.
        """
        values: FloatArray | None = getattr(self, name)
        if values is None or _absent(values):
            raise BadPanel(
                f"the panel has no {name}; give {name} prices"
                + (", or use fill='next_close'" if name == "open" else "")
            )
        return values


def _absent(values: FloatArray) -> bool:
    """Return whether an array is the one NaN that stands for a field of which nothing is known."""
    return not any(values.strides) and bool(np.isnan(values[0, 0]))


def _during(values: FloatArray, bars: slice) -> FloatArray:
    part = values[:, bars]
    return part if _absent(values) else np.ascontiguousarray(part)


def _all_turned(panel: UniversePanel) -> dict[str, FloatArray | None]:
    """Return every field turned; one array that stands for several is turned once."""
    turned: dict[int, FloatArray | None] = {}
    found = {}
    for name in FIELDS:
        array = getattr(panel, name)
        # A volume may be what a price may not.
        key = id(array) if name != "volume" or _unknown(array) else -1
        if key not in turned:
            turned[key] = _turned(array, name, panel)
        found[name] = turned[key]
    return found


def _require_ranges(
    panel: UniversePanel, highs: FloatArray | None, lows: FloatArray | None
) -> None:
    """Refuse a high below its low, as where two columns were swapped: no stop would be met.

    :raises BadPanel: naming the first one.
    """
    assert highs is not None
    assert lows is not None
    if _absent(highs) or _absent(lows):
        return
    crossed = highs < lows
    if crossed.any():
        asset, bar = (int(index[0]) for index in np.nonzero(crossed))
        raise BadPanel(
            f"high of {panel.symbols[asset]} at {panel.dates[bar]} is {highs[asset, bar]}, below "
            f"its low of {lows[asset, bar]}; mend the bar, or look whether columns were swapped"
        )


def _unknown(array: Any) -> bool:
    """Return whether no value is known; the first row mostly says so at once."""
    values = np.asarray(array, dtype=np.float64)
    return bool(np.isnan(values[0]).all() and np.isnan(values).all())


def _turned(array: Any, name: str, panel: UniversePanel) -> FloatArray | None:
    if array is None:
        return None
    given = np.asarray(array, dtype=np.float64)
    if _unknown(given):
        return np.broadcast_to(np.nan, given.shape[::-1])
    values = _transposed(given)
    least, most = np.fmin.reduce(given, axis=None), np.fmax.reduce(given, axis=None)
    if np.isinf(least) or np.isinf(most) or (name != "volume" and least <= 0.0):
        bad = np.isinf(values)
        if name != "volume":
            bad |= values <= 0.0
        asset, bar = (int(index[0]) for index in np.nonzero(bad))
        raise BadPanel(
            f"{name} of {panel.symbols[asset]} at {panel.dates[bar]} is {values[asset, bar]}; "
            "prices must be positive and finite, or NaN where there is no bar"
        )
    return values


def _transposed(values: FloatArray) -> FloatArray:
    """Return (A, T) from (T, A), a few rows at a time where rows are long."""
    length, assets = values.shape
    if assets <= _TURNED_ROWS:
        return np.ascontiguousarray(values.T)
    turned = np.empty((assets, length))
    for start in range(0, length, _TURNED_ROWS):
        rows = slice(start, start + _TURNED_ROWS)
        turned[:, rows] = values[rows].T
    return turned


def panel_from(data: PanelLike) -> UniversePanel:
    """Return a panel from any of these, prices as float64 and missing bars as NaN.

    - a :class:`UniversePanel`, as it is;
    - a mapping of (T, A) arrays (or (T,) for one asset) with ``close`` and any of open, high, low,
      volume, ``dates`` (T,), ``symbols`` (A,); frames in it bring their own times and symbols;
    - a pandas or polars frame, long (columns symbol, timestamp, close, ...) or wide (one column an
      asset, closes only); its time is the column ``timestamp`` or ``date``, else the pandas
      index;
    - the path of a long CSV or parquet file.

    Times keep their zone, and a day (as in ``start=``) is one of it; those with a bare offset, as
    in text, are in UTC.

    Where only closes are known, high and low are NaN and open is None.

    :raises BadPanel: for anything else, missing columns, or two bars of one asset and time.
    """
    if isinstance(data, UniversePanel):
        masked = {
            name: unmasked(values)
            for name in FIELDS
            if isinstance(values := getattr(data, name), np.ma.MaskedArray)
        }
        return replace(data, **masked) if masked else data
    if isinstance(data, (str, Path)):
        return _panel(*fields_of(read_table(Path(data))))
    if isinstance(data, Mapping):
        return _from_arrays(data)
    kind = type(data).__module__.partition(".")[0]
    if kind == "polars" and (hasattr(data, "collect") or hasattr(data, "columns")):
        return _panel(*fields_of(data.collect() if hasattr(data, "collect") else data))
    if kind == "pandas":
        return _panel(*fields_of(polars_of(data)))
    raise BadPanel(
        f"{type(data).__name__} is not a panel; give a UniversePanel, a dict of arrays, a pandas "
        "or polars frame, or the path of a CSV or parquet file"
    )


def _from_arrays(data: Mapping[str, Any]) -> UniversePanel:
    unknown = set(data) - {*FIELDS, "dates", "symbols"}
    if unknown or "close" not in data:
        raise BadPanel(
            f"a mapping needs 'close' and may have {', '.join(FIELDS)}, dates, symbols; "
            f"found {', '.join(map(str, data))}"
        )
    fields = {name: data[name] for name in FIELDS if data.get(name) is not None}
    fields, dates, symbols = from_frames(fields, data.get("dates"), data.get("symbols"))
    arrays = {}
    for name, given in fields.items():
        values = _floats(name, given)
        arrays[name] = values[:, None] if values.ndim == 1 else values
    close = arrays["close"]
    return _panel(
        arrays,
        dates=range(len(close)) if dates is None else dates,
        symbols=unnamed(close.shape[1]) if symbols is None else symbols,
    )


def _floats(name: str, given: Any) -> FloatArray:
    """Return an array of numbers.

    :raises BadPanel: for what is none.
    """
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadPanel(f"{name} holds no numbers (T, A): {error}") from None
    if not values.ndim:
        raise BadPanel(f"{name} has no bars; give numbers (T,) or (T, A)")
    return values


def _panel(arrays: Mapping[str, FloatArray], dates: Any, symbols: Any) -> UniversePanel:
    unknown = np.full(arrays["close"].shape, np.nan)
    filled = {name: arrays.get(name, unknown) for name in ("close", "high", "low", "volume")}
    try:
        return UniversePanel(
            **filled, open=arrays.get("open"), dates=dates, symbols=tuple(map(str, symbols))
        )
    except (TypeError, ValueError) as error:
        raise BadPanel(f"the arrays do not fit together: {error}") from None


def window(dates: Sequence[Any], start: Any, end: Any) -> slice:
    """Return the bars with start <= date <= end; a bound that is a date means its whole day.

    :raises BadPanel: when no bar is left or dates can not be compared with the bounds.
    :raises BadSetting: for text that is no time.
    """
    first, last = _bound("start", start), _bound("end", end)
    try:
        keep = [
            position
            for position, moment in enumerate(dates)
            if (first is None or _at(moment, first) >= first)
            and (last is None or _at(moment, last) <= last)
        ]
    except TypeError as error:
        raise BadPanel(
            f"the panel's dates can not be compared with {start} and {end}: {error}"
        ) from None
    if not keep:
        raise BadPanel(
            f"no bar lies between {start} and {end}; the panel has {dates[0]} to {dates[-1]}"
        )
    return slice(keep[0], keep[-1] + 1)


def _bound(name: str, bound: Any) -> Any:
    if not isinstance(bound, str):
        return bound
    try:
        return moment_of(bound)
    except ValueError:
        raise BadSetting(
            f"{name} {bound!r} is no time; write 2020-01-31 or 2020-01-31 16:00"
        ) from None


def _at(moment: Any, bound: Any) -> Any:
    """Return a bar's time in the kind of the bound."""
    if isinstance(moment, np.datetime64):
        moment = moment.astype("datetime64[us]").item()
    if isinstance(moment, datetime) and not isinstance(bound, datetime):
        return moment.date()
    return moment
