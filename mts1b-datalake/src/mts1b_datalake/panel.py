"""From bars to the panel shape: time down, assets across."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from mts1b_foundation import UniversePanel

from mts1b_datalake.errors import DataError
from mts1b_datalake.tables import PRICES

if TYPE_CHECKING:
    from mts1b_datalake.lake import Lake

__all__ = ["Join", "build_panel"]

Join = Literal["inner", "outer"]
"""Keep the times that all symbols have, or all times (NaN where a symbol has no bar)."""


def build_panel(
    lake: Lake,
    symbols: Sequence[str],
    interval: str,
    start: str | date | datetime | None = None,
    end: str | date | datetime | None = None,
    *,
    dataset: str | None = None,
    join: Join = "inner",
    version: int | None = None,
    asof: datetime | None = None,
) -> UniversePanel:
    """Read bars into a panel with (T, A) float64 arrays, assets in the order of ``symbols``.

    ``dates`` is a tuple of T aware datetimes in UTC, the END of each bar. ``asof`` hides bars that
    ended later; see :meth:`Lake.bars`.

    :raises DataError: when no bar is left, no symbol is asked for, or one is twice.
    :raises DatasetMissing: for an unknown dataset, version, symbol or interval.
    """
    if join not in ("inner", "outer"):
        raise DataError(f"join {join!r} is not one of inner, outer")
    bars = lake.bars(symbols, interval, start, end, dataset=dataset, version=version, asof=asof)
    wide = {
        name: bars.pivot(on="symbol", index="timestamp", values=name, on_columns=list(symbols))
        for name in (*PRICES, "volume")
    }
    shared = wide["close"].drop_nulls() if join == "inner" else wide["close"]
    times = shared.select("timestamp").sort("timestamp")
    if times.is_empty():
        raise DataError(
            f"no bar of {', '.join(symbols)} is left between {start} and {end} (join={join!r}); "
            "widen the dates or use join='outer'"
        )
    arrays = {
        name: times.join(table, on="timestamp", how="left", maintain_order="left")
        .select(list(symbols))
        .to_numpy(order="c")
        for name, table in wide.items()
    }
    stamps = tuple(moment.astimezone(UTC) for moment in times["timestamp"])
    return UniversePanel(**arrays, dates=stamps, symbols=tuple(symbols))
