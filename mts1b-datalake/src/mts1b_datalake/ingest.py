"""Read a CSV, a parquet file or a frame by its declaration into a clean bar table, or refuse it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_foundation import Symbol

from mts1b_datalake.checks import duplicate_rows, price_rules
from mts1b_datalake.errors import SHOWN, DataError, Problem
from mts1b_datalake.mapping import ImportSpec, check_symbol, did_you_mean
from mts1b_datalake.stamps import bar_ends
from mts1b_datalake.tables import COLUMNS, PRICES

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Ingested", "clean_frame", "read_csv", "read_parquet"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """A clean bar table, and the rows that were left out (none under ``on_error="refuse"``)."""

    bars: pl.DataFrame
    skipped: tuple[Problem, ...] = ()


def read_csv(path: Path, spec: ImportSpec) -> Ingested:
    """Read a CSV file with a header line.

    :raises DataError: naming file, rule and line when the file breaks the declaration.
    """
    import polars as pl

    try:
        # Everything as text: a number that does not parse must be reported, not dropped.
        frame = pl.read_csv(path, infer_schema=False, glob=False)
    except FileNotFoundError:
        raise DataError(f"no file {path}; check the path") from None
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty; expected a header line and rows") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} is not a readable CSV: {reason}") from None
    return clean_frame(frame, spec, source=path.name, lines=_CsvLines(path))


def read_parquet(path: Path, spec: ImportSpec) -> Ingested:
    """Read a parquet file; rows are counted from 1 in messages.

    :raises DataError: naming file, rule and row when the file breaks the declaration.
    """
    import polars as pl

    try:
        frame = pl.read_parquet(path, glob=False)
    except FileNotFoundError:
        raise DataError(f"no file {path}; check the path") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} is not a readable parquet file: {reason}") from None
    return clean_frame(frame, spec, source=path.name)


class _RowNumbers:
    """Count rows from 1."""

    def at(self, rows: list[int]) -> list[int]:
        """Return the line of each row (rows count from 0)."""
        return [row + 1 for row in rows]


class _CsvLines(_RowNumbers):
    """Find the line of a file on which a row ends; read only when something is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def at(self, rows: list[int]) -> list[int]:
        """Return the line of each row (rows count from 0)."""
        lines: list[int] = []
        with self._path.open(newline="", encoding="utf-8", errors="replace") as stream:
            reader = csv.reader(stream)
            lines.extend(reader.line_num for _ in reader)
        return [lines[row + 1] for row in rows]


def clean_frame(
    frame: pl.DataFrame, spec: ImportSpec, *, source: str, lines: _RowNumbers | None = None
) -> Ingested:
    """Turn a table with the declared columns into bars, sorted by symbol, then time.

    :raises DataError: for missing columns, an empty table or, under ``on_error="refuse"``, any
        row that breaks a rule; the message lists the first rows of each rule.
    """
    import polars as pl

    _require_columns(frame, spec, source)
    frame = frame.with_row_index("row").filter(pl.any_horizontal(pl.exclude("row").is_not_null()))
    if frame.is_empty():
        raise DataError(f"{source} holds no rows; expected at least one bar")
    table = _convert(frame, spec)
    broken = _broken_rows(table)
    problems = _problems(table, broken, lines or _RowNumbers())
    if problems and spec.on_error == "refuse":
        raise DataError(
            f"{source} is refused, nothing was written; mend these rows or import the rest "
            "with --on-error skip",
            problems=problems,
        )
    bad = pl.any_horizontal(broken.iter_columns()) if broken.width else pl.lit(False)
    bars = table.filter(~broken.select(bad).to_series()) if broken.width else table
    if bars.is_empty():
        raise DataError(f"{source}: no row is usable, nothing was written", problems=problems)
    return Ingested(bars.select(COLUMNS).sort("symbol", "timestamp"), problems)


def _require_columns(frame: pl.DataFrame, spec: ImportSpec, source: str) -> None:
    wanted = spec.mapping.required(with_symbol=spec.symbol is None)
    for column in wanted.values():
        if f"{column}_duplicated_0" in frame.columns:  # so polars names the second one
            raise DataError(f"{source}: column {column!r} is there twice; keep or rename one")
    missing = {name: column for name, column in wanted.items() if column not in frame.columns}
    if not missing:
        return
    found = ", ".join(frame.columns)
    text = [f"{source} lacks columns; expected {', '.join(wanted.values())}; found {found}"]
    for name, column in missing.items():
        hint = did_you_mean(column, frame.columns)
        fix = "pass --symbol NAME or " if name == "symbol" else ""
        text.append(f"  {column!r} for {name}{hint} ({fix}map it with --map {name}=COLUMN)")
    raise DataError("\n".join(text))


def _convert(frame: pl.DataFrame, spec: ImportSpec) -> pl.DataFrame:
    """Return row, the bar columns, and ``text:FIELD`` with what the file wrote."""
    import polars as pl

    mapping = spec.mapping
    symbol = pl.col(mapping.symbol).cast(pl.String) if spec.symbol is None else pl.lit(spec.symbol)
    numbers = {name: getattr(mapping, name) for name in (*PRICES, "volume")}
    columns = [
        _number(frame, column).alias(name) if column else pl.lit(0.0).alias(name)
        for name, column in numbers.items()
    ]
    written = [
        pl.col(column).cast(pl.String, strict=False).alias(f"text:{name}")
        for name, column in {**numbers, "timestamp": mapping.timestamp}.items()
        if column
    ]
    table = frame.select(
        "row", symbol.alias("symbol"), pl.lit(spec.interval).alias("interval"), *columns, *written
    )
    return table.hstack(bar_ends(frame[mapping.timestamp], spec))


def _number(frame: pl.DataFrame, column: str) -> pl.Expr:
    import polars as pl

    value, kind = pl.col(column), frame[column].dtype
    if kind == pl.String:
        value = value.str.strip_chars()
    elif not kind.is_numeric() and kind != pl.Null:
        raise DataError(f"column {column!r} holds {kind}; a bar needs numbers there")
    return value.cast(pl.Float64, strict=False)


def _broken_rows(table: pl.DataFrame) -> pl.DataFrame:
    """Return one Boolean column a rule that some row breaks."""
    import polars as pl

    rules: dict[str, pl.Expr] = {}
    for name in sorted({*table["time_problem"].drop_nulls()}):
        rules[name] = pl.col("time_problem").eq_missing(pl.lit(name))
    for name in (*PRICES, "volume"):
        if f"text:{name}" in table.columns:
            rules[f"unparsable {name}"] = pl.col(name).is_null()
    rules["unusable-symbol"] = pl.col("symbol").is_null() | ~pl.col("symbol").is_in(
        _good_symbols(table)
    )
    rules |= price_rules()
    rules["duplicate-bar"] = duplicate_rows() & pl.col("timestamp").is_not_null()
    flags = table.select(**{name: rule.fill_null(False) for name, rule in rules.items()})
    return flags.select([name for name in flags.columns if flags[name].any()])


def _good_symbols(table: pl.DataFrame) -> list[str]:
    good = []
    for name in table["symbol"].unique().drop_nulls():
        try:
            check_symbol(name)
        except DataError:
            continue
        good.append(str(Symbol(name)))
    return good


def _problems(table: pl.DataFrame, broken: pl.DataFrame, lines: _RowNumbers) -> tuple[Problem, ...]:
    import polars as pl

    result = []
    for rule in broken.columns:
        hit = table.filter(broken[rule])
        first = hit.head(SHOWN).sort(pl.col("row"))
        numbers = lines.at(first["row"].to_list())
        texts = [_describe(rule, row) for row in first.iter_rows(named=True)]
        result.append(Problem(rule, hit.height, tuple(zip(numbers, texts, strict=True))))
    return tuple(result)


def _describe(rule: str, row: Mapping[str, object]) -> str:
    if "time" in rule or "offset" in rule or "trading-day" in rule or "session" in rule:
        return f"{row['symbol']} time {row['text:timestamp']!r}"
    if rule.startswith("unparsable "):
        field = rule.removeprefix("unparsable ")
        return f"{row['symbol']} {field} {row[f'text:{field}']!r} is not a number"
    if rule == "unusable-symbol":
        return f"symbol {row['symbol']!r} is outside the grammar (upper case, e.g. AAPL, BTC-USD)"
    if rule == "duplicate-bar":
        return f"{row['symbol']} at {row['text:timestamp']} was given before"
    prices = " ".join(f"{name}={row[name]}" for name in (*PRICES, "volume"))
    return f"{row['symbol']} at {row['text:timestamp']}: {prices}"
