"""Parts of a sweep on disk: written as they come, taken up again after an interruption."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mts1b_GPUbacktester.blocks import Cut
from mts1b_GPUbacktester.collect import frame_of
from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.semantics import FloatArray

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Store"]

_MANIFEST = "sweep.json"


class Store:
    """A folder of parquet parts, one a block, and what sweep they belong to.

    :raises BadSetting: when the folder holds another sweep.
    """

    def __init__(self, folder: Path, whole: SweepBlock, engine: str) -> None:
        self._folder, self._whole = folder, whole
        mark = {"fingerprint": fingerprint(whole, engine), "n_trials": len(whole.sets)}
        path = folder / _MANIFEST
        if path.exists():
            if json.loads(path.read_text()) != mark:
                raise BadSetting(
                    f"{folder} holds another sweep; name another folder in out=, or remove it"
                )
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(mark))

    def has(self, cut: Cut) -> bool:
        """Return whether a block is there already."""
        return self._path(cut).exists()

    def read(self, cut: Cut) -> dict[str, FloatArray]:
        """Return the metrics of a block that is there, (sets, assets)."""
        import polars as pl

        table = pl.read_parquet(self._path(cut))
        rows, assets, _ = cut
        shape = (rows.stop - rows.start, assets.stop - assets.start)
        return {
            name: table[name].to_numpy().astype(np.float64).reshape(shape)
            for name in self._whole.metrics
        }

    def write(self, cut: Cut, values: dict[str, FloatArray]) -> None:
        """Write a block; it is there whole or not at all."""
        rows, assets, _ = cut
        sets = np.repeat(np.arange(rows.start, rows.stop), assets.stop - assets.start)
        columns = np.tile(np.arange(assets.start, assets.stop), rows.stop - rows.start)
        flat = {name: found.reshape(-1) for name, found in values.items()}
        path = self._path(cut)
        unfinished = path.with_suffix(".unfinished")
        frame_of(self._whole, sets, columns, flat).write_parquet(unfinished)
        unfinished.replace(path)

    def scan(self) -> pl.LazyFrame:
        """Return all parts as one lazy table."""
        import polars as pl

        return pl.scan_parquet(self._folder / "part-*.parquet")

    def _path(self, cut: Cut) -> Path:
        rows, assets, _ = cut
        return self._folder / f"part-{assets.start:07d}-{rows.start:09d}-{rows.stop:09d}.parquet"


def fingerprint(whole: SweepBlock, engine: str) -> str:
    """Return a digest of all that decides the numbers of a sweep and how it is cut."""
    digest = hashlib.sha256()
    said: list[Any] = [
        repr(whole.rule), repr(whole.settings), whole.metrics, whole.sets, whole.prices.symbols,
        whole.budget, engine,
    ]  # fmt: skip
    digest.update(json.dumps(said, default=str).encode())
    for values in (whole.prices.open, whole.prices.high, whole.prices.low, whole.prices.close,
                   whole.prices.volume):  # fmt: skip
        digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
