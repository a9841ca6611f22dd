"""Tables of prices: pandas and polars frames and files, checked for what reads as another panel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.errors import BadPanel
from mts1b_GPUbacktester.semantics import FloatArray

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FIELDS", "fields_of", "is_frame", "moment_of", "polars_of", "read_table", "wide_of"]

FIELDS = ("open", "high", "low", "close", "volume")
_TIMES = ("timestamp", "date")
_ROW_BYTES = 2**16
"""More than a row of a CSV file takes."""
_TIMES_ELSEWHERE = frozenset({"timestamp", "date", "time", "datetime"})


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV or parquet file.

    :raises BadPanel: for a file that is missing or none of these.
    """
    import polars as pl

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pl.read_parquet(path, glob=False)
        # Times stay text: polars would take 02/01/2020 for the second of January.
        table = pl.read_csv(path, glob=False)
        _require_whole(path, table.width)
        return table
    except FileNotFoundError:
        raise BadPanel(f"no file {path}; check the path") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadPanel(f"{path} can not be read: {str(error).splitlines()[0]}") from None


def _require_whole(path: Path, width: int) -> None:
    """Refuse a CSV file whose last row has too few values: half of a number may be one of them.

    :raises BadPanel: for a file that was cut off.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _ROW_BYTES))
        last = file.read().rsplit(b"\n", 1)[-1]
    if last and b'"' not in last and last.count(b",") + 1 < width:
        raise BadPanel(
            f"{path} ends in the middle of a row ({last[:40].decode(errors='replace')!r}); it is "
            "not whole, fetch it again"
        )


def polars_of(frame: Any) -> pl.DataFrame:
    """Return a pandas frame or series as a polars frame; without a column of times, its index is.

    :raises BadPanel: where columns or index do not say what is what.
    """
    import polars as pl

    if not hasattr(frame, "columns"):
        frame = frame.to_frame("A0" if frame.name is None else frame.name)
    if frame.columns.nlevels > 1:
        raise BadPanel(
            "the columns of the frame have several levels; choose one field, e.g. frame['close'], "
            "or make it long: frame.stack(level=1).reset_index()"
        )
    if not frame.columns.is_unique:
        raise BadPanel("the frame has two columns of one name; rename or drop one")
    if frame.index.nlevels > 1:
        frame = frame.reset_index()
    columns = {str(name): _series_of(str(name), frame[name].array) for name in frame.columns}
    if not any(name in columns for name in _TIMES):
        _require_times(frame.index, columns)
        columns = {"timestamp": _series_of("index", frame.index.array), **columns}
    return pl.DataFrame(columns)


def _require_times(index: Any, columns: dict[str, pl.Series]) -> None:
    """Refuse to number the rows of a frame whose times stand in a column of another name."""
    if index.dtype.kind not in "iu":
        return
    for name, values in columns.items():
        if values.dtype.is_temporal() or name.lower() in _TIMES_ELSEWHERE:
            raise BadPanel(f"column {name!r} holds times; name it 'timestamp' or 'date'")
    if "symbol" in columns and columns["symbol"].n_unique() > 1 and index.is_unique:
        raise BadPanel("the frame has no times; name their column 'timestamp' or 'date'")


def _series_of(name: str, array: Any) -> pl.Series:
    """Turn a pandas array into a series without importing pandas.

    Aware times keep their zone, so that a day is one of it; those of a bare offset end in UTC.
    """
    import polars as pl

    if getattr(array.dtype, "tz", None) is not None:
        naive = np.asarray(array.tz_convert("UTC").tz_localize(None))
        times = pl.Series(naive).dt.replace_time_zone("UTC")
        try:
            return times.dt.convert_time_zone(str(array.dtype.tz))
        except pl.exceptions.PolarsError:  # a bare offset has no name in the database of zones
            return times
    values = array.to_numpy()
    if values.dtype != object:
        return pl.Series(values)
    try:
        return pl.Series(values.tolist())
    except TypeError:
        pass
    try:
        return pl.Series([None if value is None else float(value) for value in values])
    except (TypeError, ValueError):
        raise BadPanel(f"column {name!r} mixes kinds of values; make them one") from None


def fields_of(table: pl.DataFrame) -> tuple[dict[str, FloatArray], Sequence[Any], list[str]]:
    """Return fields (T, A), times and symbols of a long table, or of a wide one of closes.

    :raises BadPanel: for a table that is neither.
    """
    time = next((name for name in _TIMES if name in table.columns), None)
    if time is None:
        raise BadPanel(
            f"no column 'timestamp' or 'date'; found {', '.join(table.columns) or 'none'}"
        )
    if not table.height:
        raise BadPanel("the table has no row below its names")
    table = table.with_columns(_moments(table[time]))
    if "close" in table.columns:
        return _long(table, time)
    if "symbol" in table.columns:
        raise BadPanel(f"no column 'close'; found {', '.join(table.columns)}")
    capitals = [name for name in table.columns if name.lower() in FIELDS]
    if any(name.lower() == "close" for name in capitals):
        raise BadPanel(
            f"{', '.join(capitals)} look like the fields of bars, which are written in lower case; "
            "rename them, e.g. frame.rename(columns=str.lower)"
        )
    wide = table.sort(time)
    symbols = [name for name in wide.columns if name != time]
    if not symbols:
        raise BadPanel("the table has times but no column of an asset")
    return {"close": _numbers(wide, symbols)}, _times(wide, time), symbols


def is_frame(given: Any) -> bool:
    """Return whether it is a frame of pandas or polars, or a series of pandas."""
    kind = type(given).__module__.partition(".")[0]
    return (kind == "pandas" and hasattr(given, "index") and hasattr(given, "to_frame")) or (
        kind in ("pandas", "polars") and hasattr(given, "columns")
    )


def wide_of(given: Any) -> tuple[FloatArray, list[Any] | None, list[str] | None]:
    """Return the numbers (T, A) of a frame as they stand, its times and its names.

    None for what has no labels: numbers from 0 on are none, and one column needs none.

    :raises BadPanel: for times or numbers that are none.
    """
    is_pandas = type(given).__module__.partition(".")[0] == "pandas"
    table = polars_of(given) if is_pandas else given.lazy().collect()
    time = next((name for name in _TIMES if name in table.columns), None)
    times = None
    if time is not None:
        table = table.with_columns(_moments(table[time]))
        times = table[time].to_list()
        times = None if times == list(range(len(times))) else times
    names = [name for name in table.columns if name != time]
    values = _numbers(table, names)
    unnamed = len(names) == 1 or names == [str(place) for place in range(len(names))]
    return values, times, None if unnamed else names


def _long(table: pl.DataFrame, time: str) -> tuple[dict[str, FloatArray], Sequence[Any], list[str]]:
    import polars as pl

    if "symbol" not in table.columns:
        table = table.with_columns(symbol=pl.lit("A0"))
    if table["symbol"].null_count():
        raise BadPanel(
            f"rows without a symbol: {table['symbol'].null_count()}; name or remove them"
        )
    table = table.with_columns(pl.col("symbol").cast(pl.String))
    if table.select(["symbol", time]).is_duplicated().any():
        raise BadPanel("the table has two bars of one symbol and time; remove one")
    symbols = table["symbol"].unique(maintain_order=True).to_list()
    wide = {
        name: table.pivot(on="symbol", index=time, values=name, on_columns=symbols).sort(time)
        for name in FIELDS
        if name in table.columns
    }
    arrays = {name: _numbers(part, symbols) for name, part in wide.items()}
    return arrays, _times(wide["close"], time), symbols


def _moments(times: pl.Series) -> pl.Series:
    """Return a column of times that sorts by time; text with an offset ends in UTC.

    :raises BadPanel: for missing times, text in another order than year, month, day, or of several
        kinds.
    """
    import polars as pl

    if times.null_count():
        raise BadPanel(f"rows without a {times.name}: {times.null_count()}; remove them")
    if times.dtype == pl.Object:
        raise BadPanel(f"{times.name} holds no times that can be ordered; turn it into dates")
    if times.dtype != pl.String:
        return times
    texts = times.unique(maintain_order=True)
    try:
        moments = [moment_of(text) for text in texts.to_list()]
    except ValueError:
        raise BadPanel(
            f"{times.name} holds text such as {times[0]!r} that is not written as 2020-01-31 or "
            "2020-01-31 16:00; turn it into dates"
        ) from None
    return times.replace_strict(texts, pl.Series(_of_one_kind(times.name, moments)))


def _of_one_kind(name: str, moments: list[date | datetime]) -> list[date | datetime]:
    """Return days or times as they are, times with an offset in UTC.

    :raises BadPanel: for some of one kind, some of another: they would not stand in order.
    """
    with_time = [moment for moment in moments if isinstance(moment, datetime)]
    zoned = [moment.astimezone(UTC) for moment in with_time if moment.tzinfo is not None]
    if with_time and len(with_time) < len(moments):
        raise BadPanel(f"{name} holds some days, some times; write all in one way")
    if zoned and len(zoned) < len(moments):
        raise BadPanel(f"{name} holds some with a time zone, some without; write all in one way")
    return list(zoned) if zoned else moments


def moment_of(text: str) -> date | datetime:
    """Read a day or a time.

    :raises ValueError: for anything but ISO 8601.
    """
    return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)


def _numbers(table: pl.DataFrame, columns: Sequence[str]) -> FloatArray:
    import polars as pl

    for name in columns:
        if table[name].dtype.is_temporal() or table[name].dtype == pl.Boolean:
            raise BadPanel(f"column {name!r} holds {table[name].dtype}, not prices; remove it")
    try:
        cast = table.select(pl.col(columns).cast(pl.Float64))
    except pl.exceptions.PolarsError as error:
        raise BadPanel(f"a price is not a number: {str(error).splitlines()[0]}") from None
    return cast.to_numpy(order="c")


def _times(table: pl.DataFrame, time: str) -> Sequence[Any]:
    return tuple(table[time].to_list())
