"""Time vectorbt and bt on the work of backtest_rates.py; runs under the peers' own Python.

    PEERS_PYTHON benchmarks/backtest_peers.py FOLDER WHAT...

``FOLDER`` holds ``close.npy`` (T, A), ``weights.npy`` and ``pairs.json``; one line of JSON is
printed for each measurement. Nothing of this repository is imported. ``WHAT``: ``one`` and ``ten``
(pairs a call), with ``-rust`` for vectorbt's other engine; ``weights-1`` and ``weights-21``;
``bt`` for bt on the first 100 bars of the weights.

vectorbt's objects sit in reference cycles, so ``one`` collects after each call and freezes what was
there at the start: its best set-up. ``ten`` is a call as its documentation shows it. ``init_cash``
is large because an absolute tolerance drops small orders.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")


def frame(values: Any, step: str) -> Any:
    """Return a frame with times, a series where there is one asset."""
    index = pd.date_range("2000-01-03", periods=len(values), freq=step)
    table = pd.DataFrame(values, index=index)
    return table[0] if table.shape[1] == 1 else table


def sweep(vbt: Any, prices: Any, pairs: list[dict[str, int]], step: str) -> list[Any]:
    """Run pairs in one call with the metrics of the other side."""
    fast = vbt.MA.run(prices, window=[pair["fast"] for pair in pairs], short_name="fast")
    slow = vbt.MA.run(prices, window=[pair["slow"] for pair in pairs], short_name="slow")
    account = vbt.Portfolio.from_signals(
        prices,
        fast.ma_crossed_above(slow),
        fast.ma_crossed_below(slow),
        fees=5e-4,
        init_cash=1e9,
        freq=step,
    )
    found = (
        account.total_return(),
        account.sharpe_ratio(),
        account.max_drawdown(),
        account.trades.count(),
    )
    return [np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in found]


def measure_sweeps(folder: Path, what: str) -> None:
    """Time calls of one or ten pairs after one call that compiles."""
    import vectorbt as vbt

    name, _, engine = what.partition("-")
    if engine:
        vbt.settings["engine"] = engine
    close = np.load(folder / "close.npy")
    pairs = json.loads((folder / "pairs.json").read_text())
    step = "1min" if close.shape[1] == 1 else "1D"
    prices, at_once = frame(close, step), 1 if name == "one" else 10
    sweep(vbt, prices.iloc[:1000], pairs[:at_once], step)
    sweep(vbt, prices, pairs[:1], step)
    gc.collect()
    if at_once == 1:
        gc.freeze()
    seconds: list[float] = []
    rows: list[np.ndarray] = []
    for first in range(0, len(pairs), at_once):
        some = pairs[first : first + at_once]
        began = time.perf_counter()
        found = sweep(vbt, prices, some, step)
        if at_once == 1:
            gc.collect()
        seconds.append(time.perf_counter() - began)
        rows.append(np.stack(found).reshape(4, len(some), -1))
    table = np.concatenate(rows, axis=1).reshape(4, -1)
    print(json.dumps({
        "tool": f"vectorbt {vbt.__version__}", "what": what, "seconds": sum(seconds),
        "pairs": len(pairs), "work": close.size * len(pairs), "found": table.tolist(),
    }))  # fmt: skip


def measure_weights(folder: Path, every: int) -> None:
    """Time one portfolio of target weights."""
    import vectorbt as vbt

    close, weights = np.load(folder / "close.npy"), np.load(folder / "weights.npy")
    prices = frame(close, "1D")
    size = np.full(weights.shape, np.nan)
    size[::every] = weights[::every]

    def run(bars: int) -> Any:
        account = vbt.Portfolio.from_orders(
            prices.iloc[:bars], size[:bars], size_type="targetpercent", group_by=True,
            cash_sharing=True, call_seq="auto", fees=5e-4, init_cash=1e9, freq="1D",
        )  # fmt: skip
        return np.asarray(account.value())

    run(20)
    began = time.perf_counter()
    value = run(len(close))
    seconds = time.perf_counter() - began
    print(json.dumps({
        "tool": f"vectorbt {vbt.__version__}", "what": f"weights-{every}", "seconds": seconds,
        "found": [float(value[-1]) / 1e9],
    }))  # fmt: skip


def measure_bt(folder: Path, bars: int = 100) -> None:
    """Time bt on the first bars of the weights, every bar."""
    import bt

    close, weights = np.load(folder / "close.npy")[:bars], np.load(folder / "weights.npy")[:bars]
    prices = frame(close, "1D")
    prices.columns = [f"A{place}" for place in range(close.shape[1])]
    target = pd.DataFrame(weights, index=prices.index, columns=prices.columns)
    strategy = bt.Strategy(
        "weights", [bt.algos.RunDaily(), bt.algos.WeighTarget(target), bt.algos.Rebalance()]
    )
    test = bt.Backtest(
        strategy, prices, initial_capital=1e9, integer_positions=False, progress_bar=False,
        commissions=lambda quantity, price: abs(quantity) * price * 5e-4,
    )  # fmt: skip
    began = time.perf_counter()
    bt.run(test)
    seconds = time.perf_counter() - began
    print(json.dumps({
        "tool": f"bt {bt.__version__}", "what": "bt", "seconds": seconds, "bars": bars,
        "found": [],
    }))  # fmt: skip


def main() -> None:
    """Measure what is named."""
    folder = Path(sys.argv[1])
    for what in sys.argv[2:]:
        if what == "bt":
            measure_bt(folder)
        elif what.startswith("weights-"):
            measure_weights(folder, int(what.partition("-")[2]))
        else:
            measure_sweeps(folder, what)


if __name__ == "__main__":
    main()
