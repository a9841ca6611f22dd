"""What a folder of ``out=`` is taken for when it is damaged, old, or not the sweep's own."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mts1b_GPUbacktester import BadSetting, NotWritten, panel_from, rules, run_sweep
from mts1b_GPUbacktester.engines import SweepBlock
from mts1b_GPUbacktester.panels import Prices
from mts1b_GPUbacktester.semantics import Settings
from mts1b_GPUbacktester.store import PACKAGES, Store
from mts1b_platform.source_code import source_digest

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
GRID = {"fast": [2, 3, 5], "slow": [13, 21]}
CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(11).normal(0.0, 0.01, (200, 2)), 0))


def sweep(close: Any, out: Path | None) -> Any:
    return run_sweep(
        {"close": close}, CROSS, grid=GRID, fill="next_close", engine="numba",
        memory_budget="64KiB", top=12, out=out, progress=False,
    )  # fmt: skip


def test_parts_that_say_not_of_what_sweep_they_are_are_never_read(tmp_path: Path) -> None:
    sweep(CLOSE, tmp_path)
    (tmp_path / "sweep.json").unlink()
    with pytest.raises(BadSetting, match="remove all of it"):
        sweep(CLOSE[::-1].copy(), tmp_path)
    for part in tmp_path.iterdir():
        part.unlink()
    other = CLOSE[::-1].copy()
    assert sweep(other, tmp_path).table.equals(sweep(other, None).table)


def test_a_sweep_does_not_go_on_where_other_code_stopped(tmp_path: Path) -> None:
    sweep(CLOSE, tmp_path)
    prices = Prices.of(panel_from({"close": CLOSE}))
    sets = [{"fast": 2, "slow": 13}]
    block = SweepBlock(prices, CROSS, sets, Settings(fill="next_close"), ("sharpe",), 2**20)
    folder = tmp_path / "one"
    Store(folder, block, "numba")
    Store(folder, block, "numba", code=source_digest(*PACKAGES))
    with pytest.raises(BadSetting, match="another version of the code"):
        Store(folder, block, "numba", code="of another day")


@pytest.mark.parametrize("text", ['{"finger', "[]", "7"])
def test_a_damaged_manifest_is_refused(text: str, tmp_path: Path) -> None:
    sweep(CLOSE, tmp_path)
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(BadSetting, match=r"damaged|another sweep"):
        sweep(CLOSE, tmp_path)


def test_a_damaged_part_is_named_and_costs_its_block_alone(tmp_path: Path) -> None:
    first = sweep(CLOSE, tmp_path)
    part = min(tmp_path.glob("part-*.parquet"))
    part.write_bytes(b"PAR1")
    with pytest.raises(BadSetting, match=part.name):
        sweep(CLOSE, tmp_path)
    part.unlink()
    assert sweep(CLOSE, tmp_path).table.equals(first.table)


def test_a_folder_that_can_not_be_made_is_refused_before_the_sweep(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for out in (file, file / "below"):
        with pytest.raises(BadSetting, match="can not be used"):
            sweep(CLOSE, out)


def test_the_digest_knows_the_code(tmp_path: Path) -> None:
    sweep(CLOSE, tmp_path)
    assert json.loads((tmp_path / "sweep.json").read_text())["code"] == source_digest(*PACKAGES)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Let no file grow beyond ``room`` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_the_sweep_goes_on_later(tmp_path: Path) -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, (200, 4)), 0))
    whole = sweep(close, None)
    with full_disk(500), pytest.raises(NotWritten, match=r"can not be written: .*out="):
        sweep(close, tmp_path / "parts")
    assert not [file for file in (tmp_path / "parts").iterdir() if file.name != "sweep.json"]
    assert sweep(close, tmp_path / "parts").table.equals(whole.table)
    for write in (whole.to_parquet, whole.report):
        target = tmp_path / "written"
        target.write_text("of before")
        with full_disk(500), pytest.raises(NotWritten, match="written can not be written"):
            write(target)
        assert target.read_text() == "of before"
        assert not list(tmp_path.glob("*.unfinished"))
        write(target)
        assert target.stat().st_size > 500


def test_names_are_read_as_they_are_written(tmp_path: Path) -> None:
    """``p[1].csv`` was a pattern, and the prices of ``p1.csv`` came in its place."""
    (tmp_path / "p1.csv").write_text("timestamp,close\n2020-01-01,1.0\n2020-01-02,1.0\n")
    (tmp_path / "p[1].csv").write_text("timestamp,close\n2020-01-01,7.0\n2020-01-02,8.0\n")
    panel = panel_from(tmp_path / "p[1].csv")
    assert panel.close.ravel().tolist() == [7.0, 8.0]

    folder = tmp_path / "sweep[1]"
    first = sweep(CLOSE, folder).table
    assert sweep(CLOSE, folder).table.equals(first)
    assert len(first) == 12
