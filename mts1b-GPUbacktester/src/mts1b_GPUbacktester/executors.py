"""Where the blocks of a sweep run: in this process, or on the workers of a dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any, Literal

from mts1b_platform.errors import PlatformError

from mts1b_GPUbacktester.blocks import Cut
from mts1b_GPUbacktester.engines import EngineName, SweepBlock, choose_engine
from mts1b_GPUbacktester.engines.port import Engine
from mts1b_GPUbacktester.errors import BadSetting, ExecutorMissing, WorkersLost
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["Executor", "check_executor", "run_blocks"]

Executor = Literal["dask"] | Any
"""None for this process, "dask" for the current dask client, or a ``distributed.Client``."""

Values = dict[str, FloatArray]

_AHEAD = 3
"""Blocks that are under way or waiting for each thread of the cluster; bounds what is sent."""


def check_executor(executor: Executor) -> Any | None:
    """Return the dask client that is meant, None for this process.

    :raises ExecutorMissing: where distributed is not installed, or no client is connected.
    :raises BadSetting: for anything that is no client.
    """
    if executor is None:
        return None
    if executor != "dask":
        if callable(getattr(executor, "submit", None)) and hasattr(executor, "scheduler_info"):
            return executor
        raise BadSetting(f"executor {executor!r} is not None, 'dask' or a distributed.Client")
    if find_spec("distributed") is None:
        raise ExecutorMissing(
            "executor 'dask' needs the package distributed; install mts1b-GPUbacktester[dask]"
        )
    import distributed

    try:
        return distributed.get_client()
    except ValueError:
        raise ExecutorMissing(
            "executor 'dask' found no client; connect one first, distributed.Client(address), or "
            "give it as executor="
        ) from None


def run_blocks(
    cuts: Iterable[Cut], engine: Engine, name: EngineName, client: Any | None
) -> Iterator[Values]:
    """Yield the metrics of each block, in the order of the blocks.

    :raises WorkersLost: when a block could not be finished on the cluster.
    """
    if client is None:
        for cut in cuts:
            yield engine.sweep(cut[2]).values
        return
    yield from _on_cluster(cuts, name, client)


def _on_cluster(cuts: Iterable[Cut], name: EngineName, client: Any) -> Iterator[Values]:
    """Send blocks a few at a time; each carries its own prices, so that any worker can take it."""
    ahead = _AHEAD * _threads(client)
    waiting: deque[Any] = deque()
    try:
        for cut in cuts:
            waiting.append(client.submit(simulate, cut[2], name, pure=False))
            if len(waiting) >= ahead:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


def _threads(client: Any) -> int:
    """Return how many threads the workers have together.

    :raises WorkersLost: when there is no worker.
    """
    count = sum(client.nthreads().values())
    if not count:
        raise WorkersLost("the dask cluster has no worker; start one, then run the sweep again")
    return int(count)


def _result(future: Any) -> Values:
    """Return what a worker found; its own errors are raised as they are.

    dask itself gives a block to another worker when one dies, a few times.

    :raises WorkersLost: when it could not be finished.
    """
    from concurrent.futures import CancelledError

    error = future.exception()
    if error is None:
        values: Values = future.result()
        return values
    if isinstance(error, PlatformError):
        raise error
    kind = type(error).__name__
    if kind == "KilledWorker":
        raise WorkersLost(
            "workers died again and again over one block; give memory_budget= less than a worker "
            "has, and go on with out= where the sweep stopped"
        ) from error
    if isinstance(error, CancelledError):
        raise WorkersLost("the dask client or scheduler went away; connect again") from error
    raise WorkersLost(
        f"a dask worker failed with {kind}: {error}; it needs the same packages as this process"
    ) from error


def simulate(block: SweepBlock, name: EngineName) -> Values:
    """Run one block on a worker.

    One at a time in a process: compiled kernels use all of its cores by themselves, and must not
    run side by side.
    """
    import distributed

    lock: Any = distributed.Lock
    with lock(f"mts1b-backtest {distributed.get_worker().address}"):
        engine, _ = choose_engine(name, 0)
        return dict(engine.sweep(block).values)
