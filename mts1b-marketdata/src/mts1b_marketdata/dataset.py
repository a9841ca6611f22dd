"""Read a dataset of the lake by its manifest, and prove every file that is read.

The layout is the contract with the lake: ``<home>/lake/bars/<dataset>/manifest.json`` lists one
parquet file a symbol with its SHA-256; the columns are ``symbol interval timestamp open high low
close volume``, prices as float64, ``timestamp`` the END of the bar in UTC.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mts1b_foundation import FrozenModel, Symbol, UtcDatetime
from pydantic import ConfigDict, ValidationError

from mts1b_marketdata.errors import DatasetChanged, DatasetMissing

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BarDataset", "BarFile", "open_dataset"]

COLUMNS = ("symbol", "interval", "timestamp", "open", "high", "low", "close", "volume")


class BarFile(FrozenModel):
    """One file of a dataset: the bars of one symbol, sorted by time."""

    model_config = ConfigDict(extra="ignore")

    path: str
    symbol: Symbol
    rows: int
    sha256: str
    first: UtcDatetime
    last: UtcDatetime


class _Manifest(FrozenModel):
    model_config = ConfigDict(extra="ignore")

    dataset: str
    interval: str
    version: int
    files: tuple[BarFile, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class BarDataset:
    """One version of a dataset. ``sha256`` names its content: equal data has an equal hash."""

    directory: Path
    name: str
    interval: str
    version: int
    sha256: str
    files: tuple[BarFile, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols, sorted."""
        return tuple(sorted(str(file.symbol) for file in self.files))

    def select(self, symbols: tuple[str, ...]) -> tuple[BarFile, ...]:
        """Return the files of ``symbols`` (none named: all), sorted by symbol.

        :raises DatasetMissing: for a symbol that the dataset does not hold.
        """
        by_symbol = {str(file.symbol): file for file in self.files}
        missing = sorted(set(symbols) - set(by_symbol))
        if missing:
            raise DatasetMissing(
                f"dataset {self.name!r} holds no {', '.join(missing)}; it holds "
                f"{', '.join(self.symbols)}; import it with `mts data import`"
            )
        return tuple(by_symbol[symbol] for symbol in sorted(set(symbols) or set(by_symbol)))

    def read(
        self, file: BarFile, *, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """Return the bars of one file that end in [start, end], oldest first.

        :raises DatasetChanged: when the file is gone, or is not the one in the manifest.
        """
        import polars as pl

        data = self._proven(file)
        try:
            frame = pl.read_parquet(io.BytesIO(data), columns=list(COLUMNS))
        except pl.exceptions.PolarsError as error:
            raise DatasetChanged(
                f"{self.directory / file.path} lacks a column of {', '.join(COLUMNS)}: {error}"
            ) from error
        if start is not None:
            frame = frame.filter(pl.col("timestamp") >= start)
        if end is not None:
            frame = frame.filter(pl.col("timestamp") <= end)
        return frame

    def _proven(self, file: BarFile) -> bytes:
        path = self.directory / file.path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise DatasetChanged(
                f"{path} is gone, its manifest lists it; import {file.symbol} again"
            ) from None
        found = hashlib.sha256(data).hexdigest()
        if found != file.sha256:
            raise DatasetChanged(
                f"{path} was changed: its SHA-256 is {found[:12]}..., its manifest says "
                f"{file.sha256[:12]}...; import {file.symbol} again"
            )
        return data


def open_dataset(home: Path, name: str) -> BarDataset:
    """Read the manifest of a dataset of this MTS_HOME.

    :raises DatasetMissing: when there is none.
    :raises DatasetChanged: when it can not be read, or its hash is not that of its content.
    """
    directory = home / "lake" / "bars" / name
    path = directory / "manifest.json"
    try:
        raw = json.loads(path.read_bytes())
        manifest = _Manifest.model_validate(raw)
    except FileNotFoundError:
        raise DatasetMissing(
            f"no dataset {name!r} under {directory.parent}; see `mts data ls`, "
            f"add one with `mts data import {'--sample' if name == 'sample' else 'FILE'}`"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise DatasetChanged(f"{path} is no manifest: {error}; import the data again") from error
    if _content_hash(raw) != manifest.sha256:
        raise DatasetChanged(f"{path} was changed: its hash is wrong; import the data again")
    return BarDataset(
        directory=directory,
        name=manifest.dataset,
        interval=manifest.interval,
        version=manifest.version,
        sha256=manifest.sha256,
        files=manifest.files,
    )


def _content_hash(raw: dict[str, Any]) -> str:
    """Hash everything but the hash itself and the version, as canonical JSON."""
    content = {key: value for key, value in raw.items() if key not in ("sha256", "version")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
