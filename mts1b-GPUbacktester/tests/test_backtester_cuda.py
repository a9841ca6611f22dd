"""The CUDA engine in numba's simulator against the numpy engine; what happens without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mts1b_GPUbacktester import BadSetting, EngineMissing, rules, run_portfolio, run_sweep
from mts1b_GPUbacktester.blocks import blocks
from mts1b_GPUbacktester.engines import SweepBlock, choose_engine
from mts1b_GPUbacktester.engines.cuda_device import cuda_problem
from mts1b_GPUbacktester.panels import Prices, panel_from
from mts1b_GPUbacktester.semantics import Settings

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))


@pytest.fixture(scope="module")
def simulated() -> Any:
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    script = Path(__file__).with_name("cuda_parity.py")
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_account_and_metric_is_that_of_numpy(simulated: Any) -> None:
    assert simulated["differences"] == {name: [] for name in simulated["trades"]}
    assert min(simulated["trades"].values()) > 0


def test_a_small_budget_cuts_the_sweep_and_changes_nothing(simulated: Any) -> None:
    assert simulated["same in parts"]
    assert simulated["parts"] > 2
    assert simulated["timings"] == ["compile", "run", "transfer"]


def test_the_simulator_is_never_chosen_by_itself(simulated: Any) -> None:
    assert "simulator is not for work" in simulated["reason"]


def test_a_gpu_that_is_not_there_is_refused_with_the_remedy() -> None:
    def nothing(name: str) -> None:
        return None

    with pytest.raises(EngineMissing, match=r"mts1b-GPUbacktester\[gpu\]"):
        choose_engine("cuda", 1, find=nothing)
    panel = {"close": np.ones((3, 1))}
    with pytest.raises(BadSetting, match="engine 'cuda' runs rules"):
        run_portfolio(panel, np.ones((3, 1)), fill="next_close", engine="cuda")


@pytest.mark.skipif(cuda_problem() is None, reason="there is a GPU here")
def test_without_a_gpu_auto_falls_back_and_says_why() -> None:
    with pytest.raises(EngineMissing, match="engine 'cuda' can not run"):
        run_sweep({"close": [1.0, 2.0]}, CROSS, grid=[{"fast": 1, "slow": 2}], engine="cuda")
    chosen = choose_engine("auto", 10**12)[1]
    assert chosen.name == "numba"
    assert "no CUDA device was found" in chosen.reason


def test_a_gpu_gets_blocks_as_large_as_the_budget() -> None:
    rng = np.random.default_rng(1)
    prices = Prices.of(panel_from({"close": 100 + rng.random((2000, 40))}))
    sets = [{"fast": f, "slow": s} for f in range(2, 6) for s in range(20, 200)]
    rule = r.long_when(r.ema(r.close, r.param("fast")) > r.ema(r.close, r.param("slow")))
    whole = SweepBlock(prices, rule, sets, Settings(fill="next_close"), ("sharpe",), 2**28)
    near = blocks(whole, compiled=True)
    far = blocks(whole, compiled=True, on_device=True)
    assert len(far) < len(near)
    small = SweepBlock(prices, rule, sets, Settings(fill="next_close"), ("sharpe",), 2**22)
    for _, _, part in blocks(small, compiled=True, on_device=True):
        assert part.compiled is not None
        assert part.compiled.width * part.prices.close.size * 8 <= 2**22
