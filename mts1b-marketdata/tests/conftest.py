"""A lake as the contract describes it, written by the tests themselves."""

import hashlib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

START = datetime(2008, 10, 6, 20, 0, tzinfo=UTC)


def frame_of(symbol: str, closes: list[float], *, first: int = 0, **changed: Any) -> pl.DataFrame:
    """Return daily bars that open at the close before and stay within 1 % of both."""
    opens = [closes[0], *closes[:-1]]
    columns: dict[str, Any] = {
        "symbol": [symbol] * len(closes),
        "interval": ["1d"] * len(closes),
        "timestamp": [START + timedelta(days=first + n) for n in range(len(closes))],
        "open": opens,
        "high": [max(a, b) * 1.01 for a, b in zip(opens, closes, strict=True)],
        "low": [min(a, b) * 0.99 for a, b in zip(opens, closes, strict=True)],
        "close": closes,
        "volume": [1e6] * len(closes),
    }
    return pl.DataFrame(columns | changed).cast({"timestamp": pl.Datetime("us", "UTC")})


def write_dataset(home: Path, frames: dict[str, pl.DataFrame], *, name: str = "sample") -> Path:
    """Write one file a symbol and the manifest that proves them."""
    folder = home / "lake" / "bars" / name
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for symbol, frame in sorted(frames.items()):
        path = folder / f"{symbol}.parquet"
        frame.write_parquet(path)
        files.append(
            {
                "path": path.name,
                "symbol": symbol,
                "rows": frame.height,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "first": frame["timestamp"][0].isoformat(),
                "last": frame["timestamp"][-1].isoformat(),
            }
        )
    content = {"format": 1, "dataset": name, "interval": "1d", "files": files}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    manifest = content | {"version": 1, "sha256": digest}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def lake() -> Callable[..., Path]:
    return write_dataset


@pytest.fixture
def bars_frame() -> Callable[..., pl.DataFrame]:
    return frame_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An MTS_HOME with 30 bars of SPX and, ten days later, 20 of IXIC."""
    spx = frame_of("SPX", [1000 + 3.25 * n for n in range(30)])
    ixic = frame_of("IXIC", [1800.1 - n for n in range(20)], first=10)
    write_dataset(tmp_path, {"SPX": spx, "IXIC": ixic})
    return tmp_path
