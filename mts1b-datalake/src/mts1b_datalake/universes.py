"""The lake as a source of named universes, offered to others by entry point ``mts1b.universes``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mts1b_platform.config import mts_home

from mts1b_datalake.lake import Lake
from mts1b_datalake.samples import SAMPLE_DATASET, sample_bars

__all__ = ["LakeUniverses"]


class LakeUniverses:
    """Offer each dataset of a lake as a universe of its name, and the sample tape as ``sample``.

    :param home: the MTS home of the lake; None for the one that ``MTS_HOME`` names.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        self._home = home

    def names(self) -> list[str]:
        """Return the names that :meth:`panel` knows."""
        return sorted({SAMPLE_DATASET, *(item.dataset for item in self._lake().datasets())})

    def panel(self, name: str) -> Any:
        """Return all bars of a universe: its latest version, every symbol, times of any of them.

        The sample tape is there without being imported: then a long table of its bars is returned,
        else a :class:`mts1b_foundation.UniversePanel`.

        :raises DatasetMissing: for an unknown name.
        :raises SamplesMissing: for the sample without the extra ``samples``.
        """
        lake = self._lake()
        if name == SAMPLE_DATASET and name not in {item.dataset for item in lake.datasets()}:
            return sample_bars()
        manifest = lake.manifest(name)
        return lake.build_panel(manifest.symbols, manifest.interval, dataset=name, join="outer")

    def _lake(self) -> Lake:
        return Lake.at_home(mts_home(os.environ) if self._home is None else self._home)
