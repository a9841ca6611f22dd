"""Batch files with something wrong: told before the first sweep runs, by the name of the sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_GPUbacktester import BadRule, BadSetting
from mts1b_GPUbacktester.batch import run_batch
from mts1b_GPUbacktester.specification import grid_of

BARS = "\n".join(["timestamp,close,open", *(f"{day},{100 + day % 7},100" for day in range(30))])
SOUND = {"name": "first", "long_when": "close > sma(close, n)", "grid": {"n": [2, 5]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bars.csv").write_text(BARS)
    return tmp_path


def run(folder: Path, *sweeps: Any) -> Any:
    config = folder / "batch.yaml"
    config.write_text(yaml.safe_dump({"panel": "bars.csv", "sweeps": list(sweeps)}))
    return run_batch(config, folder / "results")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None}, {"name": True}, {"name": "a" * 300}, {"where": 5}, {"where": ["n<n"]},
        {"grid": {5: [1]}}, {"metrics": 5}, {"metrics": None}, {"metrics": [["sharpe"]]},
        {"top": "x"}, {"top": True}, {"top": 0}, {"long_when": 5}, {"long_when": ["close > n"]},
        {"engine": "foo"}, {"engine": None}, {"engine": ["numpy"]},
        {"short_when": "close < 1"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_in_a_later_sweep_is_told_before_the_first(
    wrong: dict[str, Any], folder: Path
) -> None:
    assert len(run(folder, SOUND)) == 1
    for file in (folder / "results").iterdir():
        file.unlink()
    with pytest.raises((BadSetting, BadRule)) as told:
        run(folder, SOUND, {**SOUND, "name": "second", **wrong})
    assert not list((folder / "results").iterdir())
    assert "name" in wrong or "second" in str(told.value)


@pytest.mark.parametrize("item", ["first", None, ["first"]])
def test_a_sweep_that_is_no_mapping_is_told(item: Any, folder: Path) -> None:
    with pytest.raises(BadSetting, match="each needs name, grid and a rule"):
        run(folder, item)


def test_a_file_that_is_no_text_is_told(folder: Path) -> None:
    (folder / "batch.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSetting, match="can not be read"):
        run_batch(folder / "batch.yaml", folder / "results")


def test_a_parameter_given_twice_is_told() -> None:
    with pytest.raises(BadSetting, match="parameter 'n' is given twice; write n=5,10"):
        grid_of(["n=5", "m=1", "n=10"])
    assert grid_of(["n=1e1,2.5,-3"]) == {"n": [10.0, 2.5, -3]}
