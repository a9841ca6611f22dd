"""Datasets of the lake as named universes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mts1b_datalake import DatasetMissing, Lake
from mts1b_datalake.universes import LakeUniverses
from mts1b_platform.plugins import load_plugin


def test_the_sample_is_a_universe_imported_or_not(tmp_path: Path) -> None:
    universes = LakeUniverses(tmp_path)
    assert universes.names() == ["sample"]
    table = universes.panel("sample")
    assert {"symbol", "timestamp", "close"} <= set(table.columns)
    assert not (tmp_path / "lake").exists()
    Lake.at_home(tmp_path).import_sample()
    panel = universes.panel("sample")
    assert panel.symbols == ("IXIC", "SPX")
    assert len(panel.dates) == table.filter(symbol="SPX").height
    closes = table.filter(symbol="SPX").sort("timestamp")["close"].to_numpy()
    np.testing.assert_array_equal(np.asarray(panel.close)[:, 1], closes)
    with pytest.raises(DatasetMissing):
        universes.panel("other")


def test_it_is_offered_by_entry_point() -> None:
    assert "sample" in load_plugin("mts1b.universes", "lake")().names()
