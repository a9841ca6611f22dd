"""Atomic publication, versions, proof of bytes, reads and panels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mts1b_datalake import (
    DataError,
    DatasetCorrupt,
    DatasetMissing,
    ImportSpec,
    Lake,
    build_panel,
)
from mts1b_datalake.files import LocalFiles


def frame(closes: dict[str, float], symbol: str = "AAPL") -> pl.DataFrame:
    values = list(closes.values())
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(values),
            "timestamp": list(closes),
            **dict.fromkeys(("open", "high", "low", "close", "volume"), values),
        }
    )


def spec(**changes: Any) -> ImportSpec:
    return ImportSpec(**{"dataset": "prices", "interval": "1d", "timezone": "UTC", **changes})


FIRST = frame({"2020-01-02 21:00": 1.0, "2020-01-03 21:00": 2.0})
SECOND = frame({"2020-01-02 21:00": 3.0, "2020-01-03 21:00": 4.0, "2020-01-06 21:00": 5.0})
THIRD = frame({"2020-01-02 21:00": 7.0})


class Crashing(LocalFiles):
    """Die before the n-th file operation."""

    def __init__(self, after: int) -> None:
        self.left = after

    def _step(self) -> None:
        if self.left == 0:
            raise OSError("power cut")
        self.left -= 1

    def write(self, path: Path, data: bytes) -> None:
        if self.left == 0:
            path.write_bytes(data[: len(data) // 2])
        self._step()
        super().write(path, data)

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)


def crash_points(root: Path) -> Iterator[tuple[Path, bool]]:
    """Import SECOND over FIRST, once for each operation at which it can die."""
    for step in range(50):
        folder = root / str(step)
        Lake(folder).import_frame(FIRST, spec())
        try:
            Lake(folder, files=Crashing(step)).import_frame(SECOND, spec())
        except OSError:
            yield folder, True
        else:
            yield folder, False
            return
    raise AssertionError("the import never succeeded")


def test_a_crash_at_any_operation_leaves_one_whole_version(tmp_path: Path) -> None:
    crashes = 0
    for folder, crashed in crash_points(tmp_path):
        lake = Lake(folder)
        manifest = lake.verify("prices")
        closes = lake.bars(["AAPL"], "1d")["close"].to_list()
        assert closes == ([1.0, 2.0] if manifest.version == 1 else [3.0, 4.0, 5.0])
        crashes += crashed
    assert crashes >= 8
    assert manifest.version == 2


def test_an_import_that_takes_bars_away_says_so(tmp_path: Path) -> None:
    """As that of the newest month over the years before it."""
    lake = Lake(tmp_path)
    assert lake.import_frame(FIRST, spec()).shortened == ()
    assert lake.import_frame(SECOND, spec()).shortened == ()
    (told,) = lake.import_frame(frame({"2020-01-06 21:00": 5.0}), spec()).shortened
    assert "AAPL had 3 bars, 2020-01-02 to 2020-01-06, and has 1 now" in told
    assert "version 2 keeps the old ones" in told
    other = lake.import_frame(frame({"2020-01-02 21:00": 5.0}, "MSFT"), spec())
    assert other.shortened == ()


@pytest.mark.parametrize("name", ["manifest-old.json", "manifest-2 (copy).json"])
def test_a_copy_of_a_manifest_keeps_no_import_from_its_way(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    folder = tmp_path / "bars" / "prices"
    (folder / name).write_bytes((folder / "manifest.json").read_bytes())
    assert lake.import_frame(SECOND, spec()).manifest.version == 2
    assert (folder / name).exists()


class Noting(LocalFiles):
    """Note what was forced to disk, in order."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self.synced.append(target)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self.synced.append(path)


def test_a_new_dataset_is_on_disk_with_the_folders_that_lead_to_it(tmp_path: Path) -> None:
    files, root = Noting(), tmp_path / "home" / "lake"
    Lake(root, files=files).import_frame(FIRST, spec())
    written = files.synced.index(root / "bars" / "prices" / "manifest.json")
    folders = files.synced[written + 1 :]
    assert set(folders) == {root / "bars" / "prices", root / "bars", root, root.parent}


def test_the_next_write_sweeps_what_a_crash_left_behind(tmp_path: Path) -> None:
    for folder, crashed in crash_points(tmp_path):
        if not crashed:
            break
        lake = Lake(folder)
        second = lake.manifest("prices").version == 2  # it died after the last rename
        lake.import_frame(THIRD, spec())
        versions = (1, 2, 3) if second else (1, 2)
        names = {path.name for path in (folder / "bars" / "prices").iterdir()} - {".lock"}
        stored = {entry.path for v in versions for entry in lake.manifest("prices", v).files}
        assert names == stored | {"manifest.json"} | {f"manifest-{v}.json" for v in versions}
        assert lake.bars(["AAPL"], "1d")["close"].to_list() == [7.0]


def test_an_old_version_stays_readable_by_its_number(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    lake.import_frame(SECOND, spec())
    assert lake.manifest("prices").version == 2
    assert lake.bars(["AAPL"], "1d", version=1)["close"].to_list() == [1.0, 2.0]
    with pytest.raises(DatasetMissing, match="version 3"):
        lake.bars(["AAPL"], "1d", dataset="prices", version=3)


def test_the_same_data_makes_no_new_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = lake.import_frame(FIRST, spec()).manifest
    assert lake.import_frame(FIRST, spec()).manifest == first


def test_another_symbol_joins_and_the_first_stays(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    lake.import_frame(frame({"2020-01-02 21:00": 9.0}, "MSFT"), spec())
    assert lake.manifest("prices").symbols == ("AAPL", "MSFT")
    assert lake.bars(["MSFT", "AAPL"], "1d")["close"].to_list() == [9.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "change", [{"interval": "1w"}, {"timezone": "Europe/Paris"}, {"adjustment": "split"}]
)
def test_a_dataset_keeps_its_kind(tmp_path: Path, change: dict[str, str]) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    with pytest.raises(DataError, match="declare the same or import under another name"):
        lake.import_frame(FIRST, spec(**change))
    assert lake.verify("prices").version == 1


def test_a_changed_byte_is_found_and_a_new_import_mends_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    manifest = lake.import_frame(FIRST, spec()).manifest
    path = tmp_path / "bars" / "prices" / manifest.files[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetCorrupt, match="was changed"):
        lake.bars(["AAPL"], "1d")
    lake.import_frame(FIRST, spec())
    assert lake.verify("prices") == manifest
    path.unlink()
    with pytest.raises(DatasetCorrupt, match="is gone"):
        lake.verify("prices")


def test_a_changed_manifest_is_found(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    path = tmp_path / "bars" / "prices" / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "adjustment": "total"}))
    with pytest.raises(DatasetCorrupt, match="its hash is wrong"):
        lake.manifest("prices")
    path.write_text("{")
    with pytest.raises(DatasetCorrupt, match="not a manifest"):
        lake.manifest("prices")


def test_the_manifest_file_has_the_documented_keys(tmp_path: Path) -> None:
    Lake(tmp_path).import_frame(FIRST, spec())
    content = json.loads((tmp_path / "bars" / "prices" / "manifest.json").read_text())
    assert set(content) == {
        "format", "dataset", "interval", "version", "created_from", "timezone", "calendar",
        "adjustment", "files", "sha256",
    }  # fmt: skip
    assert set(content["files"][0]) == {"path", "symbol", "rows", "sha256", "first", "last"}


def test_reads_are_bounded_by_dates_and_by_what_was_known(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(SECOND, spec())

    def closes(*args: Any, **kwargs: Any) -> list[float]:
        return lake.bars(["AAPL"], "1d", *args, **kwargs)["close"].to_list()

    assert closes("2020-01-03", "2020-01-03") == [4.0]
    assert closes(datetime(2020, 1, 3, 21, 1, tzinfo=UTC)) == [5.0]
    assert closes(asof=datetime(2020, 1, 3, 21, tzinfo=UTC)) == [3.0, 4.0]
    assert closes(asof=datetime(2020, 1, 3, 20, 59, tzinfo=UTC)) == [3.0]
    with pytest.raises(DataError, match="has no zone"):
        closes(datetime(2020, 1, 3))  # noqa: DTZ001 - naive on purpose
    with pytest.raises(DataError, match="not an ISO date"):
        closes("3 Jan")


def test_unknown_names_say_what_is_there(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(DatasetMissing, match="mts data import"):
        lake.manifest("prices")
    lake.import_frame(FIRST, spec())
    with pytest.raises(DatasetMissing, match="holds no TSLA; it holds AAPL"):
        lake.bars(["TSLA"], "1d")
    with pytest.raises(DatasetMissing, match="not of 1h"):
        lake.bars(["AAPL"], "1h", dataset="prices")
    lake.import_frame(FIRST, spec(dataset="other"))
    with pytest.raises(DatasetMissing, match="other, prices"):
        lake.bars(["AAPL"], "1d")


def test_panels_join_inner_or_outer_in_the_order_asked(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(SECOND, spec())
    lake.import_frame(frame({"2020-01-03 21:00": 8.0, "2020-01-07 21:00": 9.0}, "MSFT"), spec())
    inner = build_panel(lake, ["MSFT", "AAPL"], "1d", dataset="prices")
    assert inner.shape == (1, 2)
    assert inner.close.tolist() == [[8.0, 4.0]]
    assert inner.dates[0] == datetime(2020, 1, 3, 21, tzinfo=UTC)
    outer = lake.build_panel(["MSFT", "AAPL"], "1d", join="outer")
    assert outer.shape == (4, 2)
    np.testing.assert_array_equal(outer.open[:, 0], [np.nan, 8.0, np.nan, 9.0])
    np.testing.assert_array_equal(outer.volume[:, 1], [3.0, 4.0, 5.0, np.nan])
    known = lake.build_panel(["AAPL"], "1d", asof=datetime(2020, 1, 4, tzinfo=UTC))
    assert known.close[:, 0].tolist() == [3.0, 4.0]


def test_panels_refuse_nothing_left_and_unknown_joins(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    with pytest.raises(DataError, match="no bar of AAPL is left"):
        lake.build_panel(["AAPL"], "1d", "2021-01-01")
    with pytest.raises(DataError, match="not one of inner, outer"):
        lake.build_panel(["AAPL"], "1d", join="left")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (["AAPL", "AAPL"], "asked for twice"),
        ([], "no symbol is asked for"),
        ("AAPL", "give a list"),
    ],
)
def test_bars_and_panels_refuse_symbols_that_are_no_list_of_names(
    tmp_path: Path, symbols: Any, message: str
) -> None:
    """Each bar came twice for a name asked for twice, and no column at all for none."""
    lake = Lake(tmp_path)
    lake.import_frame(FIRST, spec())
    for read in (lake.bars, lake.build_panel):
        with pytest.raises(DataError, match=message):
            read(symbols, "1d")
