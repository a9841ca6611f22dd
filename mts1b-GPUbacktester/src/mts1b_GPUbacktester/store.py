"""Parts of a sweep on disk: written as they come, taken up again after an interruption."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_platform.source_code import source_digest

from mts1b_GPUbacktester.blocks import Cut
from mts1b_GPUbacktester.collect import frame_of
from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.outputs import write_whole
from mts1b_GPUbacktester.semantics import FloatArray

if TYPE_CHECKING:
    import polars as pl

__all__ = ["PACKAGES", "Store"]

_MANIFEST = "sweep.json"
PACKAGES = ("mts1b_GPUbacktester", "mts1b_quantkit")
"""Whose code decides the numbers of a sweep."""


class Store:
    """A folder of parquet parts, one a block, and what sweep they belong to.

    :param code: a digest of the code that computes the numbers; None for the installed one.
    :raises BadSetting: when the folder holds another sweep, or can not be written.
    """

    def __init__(
        self, folder: Path, whole: SweepBlock, engine: str, *, code: str | None = None
    ) -> None:
        self._folder, self._whole = folder, whole
        mark = {
            "fingerprint": fingerprint(whole, engine),
            "code": code or source_digest(*PACKAGES),
            "n_trials": len(whole.sets),
        }
        try:
            _claim(folder, mark)
        except OSError as error:
            raise BadSetting(
                f"{folder} can not be used: {error.strerror}; name another folder in out="
            ) from None

    def has(self, cut: Cut) -> bool:
        """Return whether a block is there already."""
        return self._path(cut).exists()

    def read(self, cut: Cut) -> dict[str, FloatArray]:
        """Return the metrics of a block that is there, (sets, assets).

        :raises BadSetting: for a part that is damaged.
        """
        import polars as pl

        try:
            table = pl.read_parquet(self._path(cut), glob=False)
        except pl.exceptions.PolarsError as error:
            raise BadSetting(
                f"{self._path(cut)} is damaged ({str(error).splitlines()[0]}); remove this file "
                "and run again: its block alone is computed anew"
            ) from None
        rows, assets, _ = cut
        shape = (rows.stop - rows.start, assets.stop - assets.start)
        return {
            name: table[name].to_numpy().astype(np.float64).reshape(shape)
            for name in self._whole.metrics
        }

    def write(self, cut: Cut, values: dict[str, FloatArray]) -> None:
        """Write a block; it is there whole or not at all.

        :raises NotWritten: as on a full disk.
        """
        rows, assets, _ = cut
        sets = np.repeat(np.arange(rows.start, rows.stop), assets.stop - assets.start)
        columns = np.tile(np.arange(assets.start, assets.stop), rows.stop - rows.start)
        flat = {name: found.reshape(-1) for name, found in values.items()}
        frame = frame_of(self._whole, sets, columns, flat)
        write_whole(self._path(cut), frame.write_parquet)

    def scan(self) -> pl.LazyFrame:
        """Return all parts as one lazy table."""
        import polars as pl

        return pl.scan_parquet(sorted(self._folder.glob("part-*.parquet")), glob=False)

    def _path(self, cut: Cut) -> Path:
        rows, assets, _ = cut
        return self._folder / f"part-{assets.start:07d}-{rows.start:09d}-{rows.stop:09d}.parquet"


def _claim(folder: Path, mark: dict[str, Any]) -> None:
    """Make the folder that of a sweep, or find that it is already.

    :raises BadSetting: when it holds anything else.
    """
    path = folder / _MANIFEST
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        if any(folder.glob("part-*.parquet")):
            raise BadSetting(
                f"{folder} holds parts of a sweep, but {_MANIFEST} that says of which is gone; "
                "name another folder in out=, or remove all of it"
            )
        write_whole(path, lambda file: file.write_text(json.dumps(mark)))
        return
    try:
        found = json.loads(path.read_text())
    except ValueError:
        raise BadSetting(
            f"{path} is damaged; name another folder in out=, or remove all of {folder}"
        ) from None
    if found == mark:
        return
    same = isinstance(found, dict) and found.get("fingerprint") == mark["fingerprint"]
    whose = "this sweep, begun by another version of the code" if same else "another sweep"
    raise BadSetting(f"{folder} holds {whose}; name another folder in out=, or remove all of it")


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
