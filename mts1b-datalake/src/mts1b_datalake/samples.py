"""The sample tape: daily S&P 500 and NASDAQ Composite, 1999 to 2018, from the ``arch`` package."""

from __future__ import annotations

import gzip
from datetime import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_datalake.errors import SamplesMissing
from mts1b_datalake.ingest import clean_frame
from mts1b_datalake.mapping import ColumnMapping, ImportSpec

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SAMPLE_DATASET", "SAMPLE_SYMBOLS", "sample_bars", "sample_spec"]

SAMPLE_DATASET = "sample"
SAMPLE_SYMBOLS = ("IXIC", "SPX")
SAMPLE_SOURCE = "arch.data.sp500 and arch.data.nasdaq"
SAMPLE_CALENDAR = "XNYS"


def sample_spec(symbol: str) -> ImportSpec:
    """Return the declaration of one symbol of the tape.

    Every bar ends at 16:00 New York time. On the few early closes of the exchange (13:00) that
    is three hours late, never early, so nothing is known before it was.
    """
    return ImportSpec(
        dataset=SAMPLE_DATASET,
        interval="1d",
        timezone="America/New_York",
        symbol=symbol,
        timestamp_format="%m/%d/%Y",
        session_close=time(16),
        mapping=ColumnMapping(
            timestamp="Date", open="Open", high="High", low="Low", close="Close", volume="Volume"
        ),
    )


def sample_bars() -> pl.DataFrame:
    """Return the tape as a bar table, the same bytes every time.

    :raises SamplesMissing: when the extra ``samples`` is not installed.
    """
    import polars as pl

    frames = []
    for symbol, name in zip(SAMPLE_SYMBOLS, ("nasdaq", "sp500"), strict=True):
        table = pl.read_csv(gzip.decompress(_packaged(name)), infer_schema=False)
        frames.append(clean_frame(table, sample_spec(symbol), source=name).bars)
    return pl.concat(frames)


def _packaged(name: str) -> bytes:
    """Read a data file of ``arch`` without importing it: that alone would take seconds."""
    try:
        path = distribution("arch").locate_file(f"arch/data/{name}/{name}.csv.gz")
        return Path(str(path)).read_bytes()
    except (PackageNotFoundError, FileNotFoundError):
        raise SamplesMissing(
            f"the sample tape (arch.data.{name}) ships with the package arch, which is not "
            "installed; install mts1b-datalake[samples]"
        ) from None
