"""Sweeps on a local dask cluster: the same table, taken up again, workers that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mts1b_GPUbacktester import (
    BadRule,
    BadSetting,
    ExecutorMissing,
    WorkersLost,
    rules,
    run_sweep,
)
from mts1b_GPUbacktester.executors import check_executor, run_blocks

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
pytestmark = [
    # What distributed itself leaves behind when processes end is not ours to mend.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
GRID = {"fast": [2, 3, 5, 8], "slow": [13, 21, 34]}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        # A block that kills its worker is given to one other, not to three.
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


@pytest.fixture
def panel() -> dict[str, Any]:
    rng = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0002, 0.01, (300, 5)), 0))
    return {"close": close, "symbols": list("ABCDE")}


def sweep(panel: Any, **options: Any) -> Any:
    given = {"grid": GRID, "fill": "next_close", "engine": "numba", "memory_budget": "200KiB"}
    return run_sweep(panel, CROSS, **{**given, **options})


def test_no_client_is_refused_with_the_remedy() -> None:
    # The first of the file: the others share a client.
    with pytest.raises(ExecutorMissing, match="connect one first"):
        check_executor("dask")


def test_the_table_is_that_of_one_process_to_the_last_bit(client: Any, panel: Any) -> None:
    here = sweep(panel)
    for executor in (client, "dask"):
        told: list[float] = []
        there = sweep(panel, executor=executor, progress=told.append)
        assert there.table.equals(here.table)
        assert there.by_set.equals(here.by_set)
        assert len(told) > 3
        assert told == sorted(told)
    assert sweep(panel, executor=client, top=4).table.equals(here.best(4))
    assert sweep(panel, executor=client, engine="numpy").engine.name == "numpy"


def test_it_goes_on_where_it_stopped(client: Any, panel: Any, tmp_path: Path) -> None:
    first = sweep(panel, executor=client, out=tmp_path)
    parts = sorted(tmp_path.glob("part-*.parquet"))
    assert len(parts) > 3
    marked = pl.read_parquet(parts[0]).with_columns(sharpe=pl.lit(7.0))
    marked.write_parquet(parts[0])
    parts[1].unlink()
    again = sweep(panel, executor=client, out=tmp_path)
    assert parts[1].exists()
    sevens = (again.table["sharpe"] == 7.0).sum()
    assert sevens == marked.height
    assert again.table.filter(pl.col("sharpe") != 7.0).height == first.table.height - sevens


def test_a_worker_that_dies_costs_no_row(client: Any, panel: Any) -> None:
    here = sweep(panel)
    killed: list[int] = []

    def kill_once(done: float) -> None:
        if not killed:
            killed.append(client.run(os.getpid).popitem()[1])
            os.kill(killed[0], signal.SIGKILL)

    there = sweep(panel, executor=client, progress=kill_once)
    assert killed
    assert there.table.equals(here.table)


def test_errors_of_a_worker_are_those_of_the_sweep(client: Any, panel: Any) -> None:
    deep = r.close > 0
    for _ in range(20):
        deep = (r.close > 0) & deep
    with pytest.raises(BadRule):
        run_sweep(panel, r.long_when(deep), grid=[{}], engine="numba", executor=client)
    with pytest.raises(BadRule, match="whole number of bars"):
        sweep(panel, grid={"fast": [2.5], "slow": [9]}, executor=client)


def test_a_block_that_kills_every_worker_is_named(client: Any) -> None:
    class Deadly:
        @property
        def settings(self) -> Any:
            os._exit(7)

    cut: Any = (slice(0, 1), slice(0, 1), Deadly())
    with pytest.raises(WorkersLost, match="died again and again"):
        list(run_blocks([cut], None, "numpy", client))  # type: ignore[arg-type]


class ClusterWithoutWorkers:
    def nthreads(self) -> dict[str, int]:
        return {}

    def scheduler_info(self) -> dict[str, Any]:
        return {"workers": {}}

    def submit(self, *args: Any, **options: Any) -> Any:
        raise AssertionError("nothing can be sent to a cluster without workers")


def test_an_executor_that_can_not_run_is_refused(panel: Any) -> None:
    with pytest.raises(BadSetting, match="is not None, 'dask'"):
        check_executor("ray")
    with pytest.raises(WorkersLost, match="no worker"):
        sweep(panel, executor=ClusterWithoutWorkers())
