"""numpy, pandas or polars in, the same kind out.

pandas and polars are never imported here: an object of theirs can only come from a program that
has imported them already. A polars frame may carry one date or time column; it labels the rows
and is never data.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.errors import BadInput, NaNInput
from mts1b_quantkit.labels import require_rising, require_same

__all__ = [
    "LARGEST",
    "FloatArray",
    "Kind",
    "Table",
    "as_numbers",
    "as_table",
    "as_vector",
    "require_prices",
]

FloatArray: TypeAlias = NDArray[np.float64]

LARGEST = 1e75
"""The largest size of a number; its fourth power still has room for sums."""


class Kind(StrEnum):
    """Name the library that an input came from, and that its result goes back to."""

    NUMPY = "numpy"
    PANDAS = "pandas"
    POLARS = "polars"
    MAPPING = "mapping"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Numbers with the labels that they came with.

    ``values`` is (T,) or (T, N) of float64. ``columns`` labels the N columns of a matrix, None for
    a vector. ``index`` is the pandas index, the polars time column or the names of a mapping.
    """

    values: FloatArray
    kind: Kind
    columns: Any = None
    index: Any = None
    name: Any = None

    @property
    def is_vector(self) -> bool:
        """Return whether the input was one-dimensional."""
        return self.values.ndim == 1

    @property
    def matrix(self) -> FloatArray:
        """Return the values as (T, K); a vector is one column."""
        return self.values[:, None] if self.is_vector else self.values

    @property
    def labels(self) -> list[Any]:
        """Return the names of the columns; positions from 0 where the input has none."""
        return list(range(self.matrix.shape[1])) if self.columns is None else list(self.columns)

    def row_label(self, row: int) -> Any:
        """Return the name of a row; its position where the input has none."""
        return row if self.index is None else self.index[row]

    def rows(self, values: NDArray[Any]) -> Any:
        """Return ``values``, shaped like the input, with the input's labels and kind."""
        shaped = values.reshape(self.values.shape)
        return _BACK[self.kind].rows(self, shaped)

    def per_column(self, values: NDArray[Any]) -> Any:
        """Return one number per column in the input's kind; a float for a vector.

        pandas gives a Series indexed by column, polars a frame of one row, a mapping a dict.
        """
        if self.is_vector:
            return values.reshape(-1)[0].item()
        return _BACK[self.kind].per_column(self, values)

    def square(self, values: FloatArray) -> Any:
        """Return an (N, N) matrix labelled by the columns on both sides, in the input's kind."""
        return _BACK[self.kind].square(self, values)


class _Numpy:
    """Arrays go back as they are: rows (T,) or (T, N), per column (N,), square (N, N)."""

    @staticmethod
    def rows(table: Table, values: NDArray[Any]) -> Any:
        return values

    @staticmethod
    def per_column(table: Table, values: NDArray[Any]) -> Any:
        return values

    @staticmethod
    def square(table: Table, values: NDArray[Any]) -> Any:
        return values


class _Pandas:
    """Rows under the index of the input, numbers per column under its columns."""

    @staticmethod
    def rows(table: Table, values: NDArray[Any]) -> Any:
        pandas = sys.modules["pandas"]
        if table.is_vector:
            return pandas.Series(values, index=table.index, name=table.name)
        return pandas.DataFrame(values, index=table.index, columns=table.columns)

    @staticmethod
    def per_column(table: Table, values: NDArray[Any]) -> Any:
        return sys.modules["pandas"].Series(values, index=table.columns)

    @staticmethod
    def square(table: Table, values: NDArray[Any]) -> Any:
        pandas = sys.modules["pandas"]
        return pandas.DataFrame(values, index=table.columns, columns=table.columns)


class _Polars:
    """Frames with the columns of the input; rows keep its column of dates, if it has one."""

    @staticmethod
    def rows(table: Table, values: NDArray[Any]) -> Any:
        polars = sys.modules["polars"]
        if table.is_vector:
            return polars.Series(table.name or "", values)
        frame = polars.DataFrame(values, schema=list(table.columns), orient="row")
        return frame if table.index is None else frame.insert_column(0, table.index)

    @staticmethod
    def per_column(table: Table, values: NDArray[Any]) -> Any:
        return _Polars.square(table, values[None, :])

    @staticmethod
    def square(table: Table, values: NDArray[Any]) -> Any:
        return sys.modules["polars"].DataFrame(values, schema=list(table.columns), orient="row")


class _Mapping:
    """Dicts by the keys of the input: of columns (T,), of numbers, or of rows of a matrix (N,)."""

    @staticmethod
    def rows(table: Table, values: NDArray[Any]) -> Any:
        if table.is_vector:
            if table.index is None:  # one number a row of a mapping of columns: rows have no names
                return values
            return dict(zip(table.index, values.tolist(), strict=True))
        return dict(zip(table.columns, values.T, strict=True))

    @staticmethod
    def per_column(table: Table, values: NDArray[Any]) -> Any:
        return dict(zip(table.columns, values.tolist(), strict=True))

    @staticmethod
    def square(table: Table, values: NDArray[Any]) -> Any:
        return dict(zip(table.columns, values, strict=True))


_BACK: dict[Kind, Any] = {
    Kind.NUMPY: _Numpy,
    Kind.PANDAS: _Pandas,
    Kind.POLARS: _Polars,
    Kind.MAPPING: _Mapping,
}


def as_table(
    data: Any,
    *,
    what: str = "returns",
    allow_nan: bool = False,
    largest: float = LARGEST,
    any_layout: bool = False,
) -> Table:
    """Read numpy, pandas, polars or a mapping of columns as a :class:`Table`.

    :param data: (T,) or (T, N) numbers, rows = time, columns = assets.
    :param what: name of the argument in error messages.
    :param largest: what no number's size may exceed.
    :param any_layout: leave columns one after the other in memory where they are so: no copy.
    :raises BadInput: for no rows or columns, more than two dimensions, text, an infinity, or a
        number beyond ``largest``.
    :raises NaNInput: for a missing value, unless ``allow_nan``.
    """
    table = _read(data, what, any_layout=any_layout)
    if table.values.ndim not in (1, 2):
        raise BadInput(f"{what} has {table.values.ndim} dimensions; give one or two")
    if table.values.size == 0:
        raise BadInput(f"{what} has shape {table.values.shape}; give at least one row and column")
    _check_finite(table, what, allow_nan=allow_nan, largest=largest)
    return table


def as_vector(data: Any, like: Table, *, what: str) -> FloatArray:
    """Read one number per column of ``like``: a scalar, or a vector with the same labels.

    :raises BadInput: when the length or the labels do not fit.
    :raises NaNInput: for a missing value.
    """
    labels = like.labels
    if isinstance(data, int | float):
        if not abs(data) <= LARGEST:
            raise BadInput(f"{what} is {data}; give a finite number, or one for each asset")
        table = Table(np.full(len(labels), float(data)), Kind.NUMPY)
    else:
        table = as_table(data, what=what)
        if table.kind is Kind.POLARS and not table.is_vector and len(table.values) == 1:
            table = Table(table.values[0], Kind.POLARS, index=list(table.columns))
    if table.values.shape != (len(labels),):
        raise BadInput(
            f"{what} has shape {table.values.shape}; {len(labels)} assets ask for one each"
        )
    named = table.index is not None and like.columns is not None
    if named and list(table.index) != labels:
        raise BadInput(
            f"{what} is labelled {list(table.index)}, the assets are {labels}; reorder it"
        )
    _check_finite(table, what, allow_nan=False)
    return table.values


def require_prices(table: Table, what: str) -> None:
    """Refuse what is no price: zero, negative, or so small that a ratio of two has no room.

    :raises BadInput: naming asset and row.
    """
    wrong = table.matrix < 1.0 / LARGEST
    if wrong.any():
        i, j = (int(k) for k in np.argwhere(wrong)[0])
        where = "" if table.is_vector else f" of {table.labels[j]!r}"
        value = table.matrix[i, j]
        reason = "is not positive" if value <= 0.0 else f"is below {1.0 / LARGEST:g}"
        raise BadInput(
            f"{what}{where} at row {table.row_label(i)!r}: {value:g} {reason}; drop the row"
        )


def as_numbers(data: Any, *, what: str) -> FloatArray:
    """Read an array of any number of dimensions, none included; a pandas or polars one too.

    :raises BadInput: for what is no number, is not finite, or lies beyond ``LARGEST``.
    """
    values = _array(data, what)
    if not (np.abs(values) <= LARGEST).all():
        raise BadInput(f"{what} holds a value that is not finite, or beyond {LARGEST:g}")
    return values


def _library(data: Any) -> str:
    return type(data).__module__.partition(".")[0]


def _read(data: Any, what: str, *, any_layout: bool) -> Table:
    library = _library(data)
    if library == "pandas":
        return _read_pandas(data, what, any_layout=any_layout)
    if library == "polars":
        return _read_polars(data, what)
    if isinstance(data, Mapping):
        return _read_mapping(data, what)
    return Table(_array(data, what), Kind.NUMPY)


def _array(data: Any, what: str) -> FloatArray:
    if isinstance(data, np.ma.MaskedArray):  # asarray would bring back what is under the mask
        return np.where(np.ma.getmaskarray(data), np.nan, _numbers(data.data, what))
    try:
        values = np.asarray(data)
    except ValueError as error:
        raise BadInput(f"{what} has rows of different length; give as many in each") from error
    return _numbers(values, what)


def _numbers(values: NDArray[Any], what: str) -> FloatArray:
    if values.dtype.kind == "O" and not any(isinstance(x, str | bytes) for x in values.flat):
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadInput(f"{what} holds something that is no number: {error}") from error
    if values.dtype.kind not in "biuf":
        raise BadInput(f"{what} has dtype {values.dtype}; give numbers")
    return np.ascontiguousarray(values, dtype=np.float64)


def _read_pandas(data: Any, what: str, *, any_layout: bool) -> Table:
    pandas = sys.modules["pandas"]
    if isinstance(data, pandas.Series | pandas.DataFrame):
        require_rising(data.index, what)
    if isinstance(data, pandas.Series):
        values = _numbers(_without_missing(data), what)
        return Table(values, Kind.PANDAS, index=data.index, name=data.name)
    if not isinstance(data, pandas.DataFrame):
        raise BadInput(f"{what} is a {type(data).__name__}; give a Series or a DataFrame")
    if data.shape[1] and (data.dtypes == np.float64).all():  # as nearly always: no column by column
        values = data.to_numpy()
        laid_out = values if any_layout else np.ascontiguousarray(values)
        return Table(laid_out, Kind.PANDAS, data.columns, data.index)
    columns = [
        _numbers(_without_missing(data.iloc[:, j]), f"{what}, column {name!r}")
        for j, name in enumerate(data.columns)
    ]
    values = np.column_stack(columns) if columns else np.empty((len(data), 0))
    return Table(np.ascontiguousarray(values), Kind.PANDAS, data.columns, data.index)


def _without_missing(series: Any) -> NDArray[Any]:
    pandas = sys.modules["pandas"]
    if pandas.api.types.is_extension_array_dtype(series.dtype) and (
        pandas.api.types.is_numeric_dtype(series.dtype)
    ):
        result: NDArray[Any] = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return result
    return np.asarray(series)


def _read_polars(data: Any, what: str) -> Table:
    polars = sys.modules["polars"]
    if isinstance(data, polars.Series):
        return Table(_polars_numbers(data, what), Kind.POLARS, name=data.name)
    if not isinstance(data, polars.DataFrame):
        raise BadInput(f"{what} is a polars {type(data).__name__}; give a Series or a DataFrame")
    times = [name for name in data.columns if data[name].dtype.is_temporal()]
    if len(times) > 1:
        raise BadInput(f"{what} has the time columns {times}; keep one at most")
    names = [name for name in data.columns if name not in times]
    columns = [_polars_numbers(data[name], f"{what}, column {name!r}") for name in names]
    values = np.column_stack(columns) if columns else np.empty((data.height, 0))
    index = data[times[0]] if times else None
    if index is not None:
        require_rising(index, what)
    return Table(np.ascontiguousarray(values), Kind.POLARS, tuple(names), index)


def _polars_numbers(series: Any, what: str) -> FloatArray:
    polars = sys.modules["polars"]
    if not (series.dtype.is_numeric() or series.dtype == polars.Boolean):
        raise BadInput(f"{what} has dtype {series.dtype}; give numbers")
    values: FloatArray = series.cast(polars.Float64).to_numpy(writable=True)
    return values


def _read_mapping(data: Mapping[Any, Any], what: str) -> Table:
    names = tuple(data)
    if all(np.ndim(value) == 0 for value in data.values()):
        values = _numbers(np.asarray(list(data.values())), what)
        return Table(values, Kind.MAPPING, index=names)
    _require_one_index(data, what)
    columns = [_array(data[name], f"{what}, column {name!r}") for name in names]
    lengths = {name: column.shape for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise BadInput(f"{what} has columns of different shape: {lengths}")
    return Table(np.ascontiguousarray(np.column_stack(columns)), Kind.MAPPING, names)


def _require_one_index(data: Mapping[Any, Any], what: str) -> None:
    """Refuse pandas series that name their rows otherwise; what has no names is taken as it is."""
    named = {name: column.index for name, column in data.items() if _library(column) == "pandas"}
    for name, index in named.items():
        first = next(iter(named))
        require_rising(index, what)
        said = f"{what}, column {name!r} has other row labels than {first!r}"
        require_same(named[first], index, said)


def _check_finite(table: Table, what: str, *, allow_nan: bool, largest: float = LARGEST) -> None:
    matrix = table.matrix
    flat = np.ravel(matrix, order="K")
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.dot(flat, flat)  # one pass; no number where there is a NaN or an infinity
    if size <= largest**2:
        return
    if -largest <= matrix.min() and matrix.max() <= largest:
        return
    missing = np.isnan(matrix)
    column = None if table.is_vector else table.labels
    if missing.any() and not allow_nan:
        j = int(np.argmax(missing.any(axis=0)))
        row = table.row_label(int(np.argmax(missing[:, j])))
        asset = None if column is None else column[j]
        raise NaNInput(what, asset=asset, row=row, count=int(missing.sum()))
    beyond = np.abs(matrix) > largest
    if beyond.any():
        i, j = (int(k) for k in np.argwhere(beyond)[0])
        where = "" if column is None else f" in {column[j]!r}"
        value = matrix[i, j]
        kind = "infinite value" if np.isinf(value) else f"{value:.3g}, beyond {largest:g},"
        raise BadInput(
            f"{what}: {kind}{where} at row {table.row_label(i)!r}; drop it, or use larger units"
        )
