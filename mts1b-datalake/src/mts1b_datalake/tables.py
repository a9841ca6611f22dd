"""Bars on disk: one parquet file a symbol, published by its manifest and by nothing else."""

from __future__ import annotations

import hashlib
import io
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_foundation import Symbol

from mts1b_datalake.errors import DataError, DatasetCorrupt, DatasetMissing
from mts1b_datalake.files import Files, exclusive, write_atomically
from mts1b_datalake.manifest import Adjustment, FileEntry, Manifest, read_manifest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["COLUMNS", "publish", "read_bars", "verify_files"]

_FOLDERS_ABOVE = 3
"""``bars``, the lake, and the home that holds the lake: a first import may have made them."""

PRICES = ("open", "high", "low", "close")
COLUMNS = ("symbol", "interval", "timestamp", *PRICES, "volume")
"""The columns of a bar table; ``timestamp`` is the END of the bar in UTC."""


def publish(
    directory: Path,
    frame: pl.DataFrame,
    *,
    interval: str,
    created_from: str,
    timezone: str | None,
    calendar: str | None,
    adjustment: Adjustment,
    files: Files,
) -> Manifest:
    """Add the symbols of ``frame`` to a dataset, replacing the bars that they had.

    Other symbols stay. The old version stays readable by its number. Data that is already
    there makes no new version. A crash at any point leaves the old version in force.

    :raises DataError: when the dataset exists with another interval, zone, calendar or adjustment.
    """
    with exclusive(directory):
        old = _current(directory)
        _sweep(directory, files, current=old.version if old else 0)
        draft = Manifest(
            dataset=directory.name,
            interval=interval,
            version=old.version + 1 if old else 1,
            created_from=created_from,
            timezone=timezone,
            calendar=calendar,
            adjustment=adjustment,
            files=(),
        )
        if old is not None:
            _same_kind(old, draft)
        entries = {entry.symbol: entry for entry in old.files} if old else {}
        for key, bars in frame.partition_by("symbol", as_dict=True, maintain_order=True).items():
            entry = _write_symbol(directory, str(key[0]), bars, files)
            entries[entry.symbol] = entry
        ordered = tuple(entries[name] for name in sorted(entries))
        new = draft.model_copy(update={"files": ordered}).sealed()
        if old is not None and old.sha256 == new.sha256:
            return old
        files.sync_directory(directory)
        write_atomically(files, directory / f"manifest-{new.version}.json", new.to_bytes())
        write_atomically(files, directory / "manifest.json", new.to_bytes())
        files.sync_directory(directory)
        if old is None:
            for folder in directory.parents[:_FOLDERS_ABOVE]:
                files.sync_directory(folder)
        return new


def _current(directory: Path) -> Manifest | None:
    try:
        return read_manifest(directory)
    except DatasetMissing:
        return None


def _same_kind(old: Manifest, new: Manifest) -> None:
    for field in ("interval", "timezone", "calendar", "adjustment"):
        was, is_now = getattr(old, field), getattr(new, field)
        if was != is_now:
            raise DataError(
                f"dataset {old.dataset!r} holds {field} {was!r}, this import declares "
                f"{is_now!r}; declare the same or import under another name"
            )


def _sweep(directory: Path, files: Files, *, current: int) -> None:
    """Remove what a write that did not finish has left behind."""
    kept: set[str] = set()
    for path in directory.glob("manifest-*.json"):
        number = path.stem.removeprefix("manifest-")
        if not number.isdecimal():
            continue  # a copy that somebody made
        version = int(number)
        if version > current:
            files.remove(path)
        else:
            kept |= {entry.path for entry in read_manifest(directory, version).files}
    for path in (*directory.glob("*.partial"), *directory.glob("*.parquet")):
        if path.name not in kept:
            files.remove(path)


def _write_symbol(directory: Path, symbol: str, bars: pl.DataFrame, files: Files) -> FileEntry:
    data = _to_parquet(bars)
    digest = hashlib.sha256(data).hexdigest()
    path = directory / f"{re.sub(r'[^A-Z0-9.-]', '_', symbol)}-{digest[:12]}.parquet"
    if not (path.exists() and path.read_bytes() == data):
        write_atomically(files, path, data)
    stamps = bars["timestamp"]
    return FileEntry(
        path=path.name,
        symbol=Symbol(symbol),
        rows=bars.height,
        sha256=digest,
        first=stamps[0],
        last=stamps[-1],
    )


def _to_parquet(bars: pl.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = pa.string(), pa.float64()
    moment = pa.timestamp("us", tz="UTC")
    kinds = {"symbol": text, "interval": text, "timestamp": moment}
    schema = pa.schema([(name, kinds.get(name, number)) for name in COLUMNS])
    table = bars.select(COLUMNS).to_arrow().cast(schema)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def read_bars(
    directory: Path,
    manifest: Manifest,
    symbols: tuple[str, ...],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Read bars with start <= timestamp <= end, sorted by symbol (as asked), then time.

    :raises DatasetMissing: for a symbol that the dataset does not hold.
    :raises DatasetCorrupt: when a file is gone or is not the one in the manifest.
    """
    import polars as pl

    entries = {str(entry.symbol): entry for entry in manifest.files}
    missing = [symbol for symbol in symbols if symbol not in entries]
    if missing:
        raise DatasetMissing(
            f"dataset {manifest.dataset!r} holds no {', '.join(missing)}; "
            f"it holds {', '.join(entries)}"
        )
    frames = [_read_entry(directory, entries[symbol]) for symbol in symbols]
    bars = pl.concat(frames) if frames else pl.DataFrame()
    if start is not None:
        bars = bars.filter(pl.col("timestamp") >= start)
    if end is not None:
        bars = bars.filter(pl.col("timestamp") <= end)
    return bars


def _read_entry(directory: Path, entry: FileEntry) -> pl.DataFrame:
    import polars as pl

    data = _proven_bytes(directory, entry)
    return pl.read_parquet(io.BytesIO(data), columns=list(COLUMNS))


def _proven_bytes(directory: Path, entry: FileEntry) -> bytes:
    path = directory / entry.path
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DatasetCorrupt(f"{path} is gone; import {entry.symbol} again") from None
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise DatasetCorrupt(
            f"{path} was changed: sha256 {found[:12]}..., its manifest says "
            f"{entry.sha256[:12]}...; import {entry.symbol} again"
        )
    return data


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Hash every file of a dataset.

    :raises DatasetCorrupt: for the first that is gone or differs.
    """
    for entry in manifest.files:
        _proven_bytes(directory, entry)
