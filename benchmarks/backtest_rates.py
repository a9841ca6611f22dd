"""Measure sweeps and portfolios: rates, memory, compile time, scaling, and peers in the same run.

    python benchmarks/backtest_rates.py [cold] [sweep] [wide] [weights] [scaling]
        [--peers PYTHON] [--json FILE] [--write PAGE]

Without names all but ``wide`` run. Each figure is the median of ``--repeats`` calls of the public
function after one warm-up, with the least and the most; compile time is a figure of its own. Wall
time depends on what else the machine does, so the seconds of processor time stand beside it, and a
``calib`` line says how many cores two busy threads really get.

- ``cold``: import, first sweep of a fresh process with an empty cache, and with a filled one.
- ``sweep``: dual moving average, 100 pairs, all other arguments as they are by default (fills at
  the next open, 5 bps a side, four metrics): 1 x 1,000,000 bars and 500 x 2,520 bars; results
  against the numpy engine on a part.
- ``wide``: 100,170 pairs x 1,000 symbols x 2,520 bars (``--symbols`` for fewer).
- ``weights``: target weights, 5,000 bars x 1,000 assets, daily and every 21 bars, 5 bps.
- ``scaling``: the second sweep over 1 and 2 threads, and over symbols, bars and pairs.

``--peers`` is the Python of an environment with ``benchmarks/peers.txt``: vectorbt runs the same
sweeps on ten of the pairs, ten a call as its documentation shows and one a call with its garbage
frozen (its best set-up), and both peers run the weights; results are held against ours in their
convention (fills at the close of the signal). Without it the rates that were measured elsewhere (2
cores of another machine) are printed as stated references only. ``--write`` puts the tables into a
page of Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from backtest_page import write_page
from mts1b_GPUbacktester import panel_from, run_portfolio, run_sweep
from mts1b_GPUbacktester import rules as r

PAIRS = [{"fast": f, "slow": s} for f in range(5, 55, 5) for s in range(60, 260, 20)]
RULE = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
STATED = {
    "sweep 1 x 1,000,000": ("vectorbt 1.2.0, one pair a call", 8.8e6, "10 pairs a call", 3.1e6),
    "sweep 500 x 2,520": ("vectorbt 1.2.0, one pair a call", 5.6e6, "10 pairs a call", 2.7e6),
}
STATED_SECONDS = {
    "weights daily": (("vectorbt 1.2.0", 3.34), ("bt 1.4.1, extrapolated", 285.0)),
    "weights every 21": (("vectorbt 1.2.0", 2.79), ("bt 1.4.1", 25.1)),
}
FIGURES: dict[str, Any] = {}
ROWS: dict[str, list[tuple[str, ...]]] = {}
SOME_PAIRS = PAIRS[::11]
FAST, SLOW = (r.sma(r.close, r.param(name)) for name in ("fast", "slow"))
CROSSINGS = r.enter_long(r.crosses_above(FAST, SLOW)).exit_long(r.crosses_below(FAST, SLOW))
WAYS = {
    "ten": "10 pairs a call",
    "one-numba": "numba, one pair a call",
    "one-rust": "rust, one pair a call",
}


def walk(bars: int, assets: int, volatility: float) -> Any:
    """Return a panel of seeded random walks."""
    rng = np.random.default_rng(20)
    steps = rng.normal(0.0, volatility, (bars, assets))
    close = 100 * np.exp(np.cumsum(steps, axis=0))
    opens = np.concatenate((close[:1], close[:-1])) * (1 + 0.1 * steps[::-1])
    return panel_from({"open": opens, "close": close})


def row_of(table: str, *cells: str) -> None:
    """Keep a row of a table of the page."""
    ROWS.setdefault(table, []).append(cells)


def spread(seconds: dict[str, float]) -> str:
    """Return seconds as text, with the least and the most."""
    return f"{seconds['wall']:.4f} [{seconds['least']:.4f}-{seconds['most']:.4f}]"


def run_peers(python: Path, what: list[str], **arrays: Any) -> list[dict[str, Any]]:
    """Run the peers on arrays in their own environment and return what they measured."""
    with tempfile.TemporaryDirectory() as folder:
        for name, values in arrays.items():
            np.save(Path(folder) / f"{name}.npy", values)
        (Path(folder) / "pairs.json").write_text(json.dumps(SOME_PAIRS))
        script = Path(__file__).with_name("backtest_peers.py")
        done = subprocess.run(
            [str(python), str(script), folder, *what], stdout=subprocess.PIPE, text=True, check=True
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def timed(call: Callable[[], Any], repeats: int) -> tuple[dict[str, float], Any]:
    """Return seconds (wall median, least, most; processor, least) and the last result."""
    result = call()
    walls, processor = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        result = call()
        walls.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    median = statistics.median(walls)
    return {"wall": median, "least": min(walls), "most": max(walls), "cpu": min(processor)}, result


def say(name: str, seconds: dict[str, float], work: float | None = None) -> None:
    """Print and keep one figure."""
    FIGURES[name] = {**seconds, **({} if work is None else {"work": work})}
    rate = "" if work is None else f"  {work / seconds['wall'] / 1e6:8.0f} M bar-params/s wall"
    both = "" if work is None else f", {work / seconds['cpu'] / 1e6:6.0f} M/s of processor time"
    print(
        f"{name:<34} {seconds['wall']:8.4f} s [{seconds['least']:.4f}-{seconds['most']:.4f}]"
        f" cpu {seconds['cpu']:.4f}{rate}{both}"
    )


def calibrate() -> None:
    """Print how much two busy threads get of what one gets: 2.0 is both cores."""
    block = np.random.default_rng(0).normal(size=2_000_000)

    def work() -> None:
        for _ in range(20):
            np.sqrt(np.abs(block))

    def run(count: int) -> float:
        began = time.perf_counter()
        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    one, two = run(1), run(2)
    load = os.getloadavg()[0]
    FIGURES["calib"] = {"scaling": 2 * one / two, "load": load}
    print(f"calib: two threads get {2 * one / two:.2f} of one; load average {load:.1f}")


def sweep(panel: Any, pairs: list[dict[str, int]] = PAIRS, **options: Any) -> Any:
    """Run one sweep as it is by default."""
    return run_sweep(panel, RULE, grid=pairs, **options)


def measure_sweeps(repeats: int, peers: Path | None) -> None:
    """Time the two sweeps and hold a part of each against the numpy engine and the peers."""
    for bars, assets, volatility in ((1_000_000, 1, 1e-3), (2_520, 500, 1e-2)):
        panel = walk(bars, assets, volatility)
        name = f"sweep {assets} x {bars:,}"
        work = bars * assets * len(PAIRS)
        seconds, _ = timed(lambda panel=panel: sweep(panel), repeats)  # type: ignore[misc]
        say(name, seconds, work)
        row_of("sweeps", name, "ours", spread(seconds), f"{work / seconds['wall'] / 1e6:,.0f}", "")
        plain = run_sweep(panel, RULE, grid=PAIRS[::9], engine="numpy")
        some = sweep(panel, PAIRS[::9], engine="numba")
        same = plain.table["n_trades"].equals(some.table["n_trades"])
        gap = np.abs(plain.table["total_return"] - some.table["total_return"]).max()
        print(f"  numpy engine on 12 of the pairs: same trades {same}, returns within {gap:.1e}")
        got = work / seconds["wall"]
        best, rate, usual, slow = STATED[name]
        print(
            f"  stated elsewhere, not run here: {best} {rate / 1e6} M/s (ratio {got / rate:.0f}), "
            f"{usual} {slow / 1e6} M/s (ratio {got / slow:.0f})"
        )
        if peers is not None:
            against_peers(name, panel, peers, got)


def against_peers(name: str, panel: Any, peers: Path, got: float) -> None:
    """Time vectorbt on some of the pairs and compare rates and results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = run_sweep(
            panel, CROSSINGS, grid=SOME_PAIRS, fill="signal_close", engine="numba"
        ).table
    for found in run_peers(peers, list(WAYS), close=panel.close):
        rate = found["work"] / found["seconds"]
        tool = f"{found['tool']}, {WAYS[found['what']]}"
        FIGURES[f"{name}: {tool}"] = {"wall": found["seconds"], "work": found["work"]}
        print(f"  {tool}: {found['seconds']:.2f} s, {rate / 1e6:.2f} M/s, ratio {got / rate:.0f}")
        row_of(
            "sweeps", name, tool, f"{found['seconds']:.2f}", f"{rate / 1e6:.2f}",
            f"{got / rate:.0f}",
        )  # fmt: skip
    returns, _, falls, trades = (np.array(values) for values in found["found"])
    gap = np.abs((1 + returns) / (1 + ours["total_return"].to_numpy()) - 1).max()
    deep = np.abs(falls - ours["max_drawdown"].to_numpy()).max()
    other = int((trades != ours["n_trades"].to_numpy()).sum())
    print(f"  same convention: equity within {gap:.1e}, drawdown {deep:.1e}, {other} other trades")
    row_of("agreement", name, f"{gap:.1e}", f"{deep:.1e}", f"{other} of {len(trades)}")


def measure_wide(symbols: int) -> None:
    """Time one sweep of 100,170 pairs, keeping the best 1,000 rows and the mean of each pair."""
    pairs = [{"fast": f, "slow": s} for f in range(2, 320) for s in range(320, 635)]
    panel = walk(2_520, symbols, 1e-2)
    sweep(walk(100, 2, 1e-2))
    began, used = time.perf_counter(), time.process_time()
    result = sweep(panel, pairs, top=1000, memory_budget="1GiB")
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    work = 2_520.0 * symbols * len(pairs)
    name = f"wide {len(pairs):,} x {symbols:,} x 2,520"
    say(name, {"wall": wall, "least": wall, "most": wall, "cpu": cpu}, work)
    FIGURES[name]["peak_mib"] = peak
    print(f"  peak memory of the process {peak:.0f} MiB; best {result.table.row(0)}")


def measure_weights(repeats: int, peers: Path | None) -> None:
    """Time portfolios of target weights and hold them against the numpy engine and the peers."""
    panel = walk(5_000, 1_000, 1e-2)
    weights = np.random.default_rng(1).random((5_000, 1_000))
    # Some cash is left, since peers do not let it go below zero to pay costs.
    weights *= 0.95 / weights.sum(axis=1, keepdims=True)
    for name, step in (("weights daily", 1), ("weights every 21", 21)):

        def run(engine: str, step: int = step, fill: str = "next_close") -> Any:
            return run_portfolio(
                panel,
                weights,
                rebalance=step,
                fill=fill,  # type: ignore[arg-type]
                fees_bps=5.0,
                engine=engine,  # type: ignore[arg-type]
            )

        seconds, fast = timed(lambda run=run: run("auto"), repeats)  # type: ignore[misc]
        say(name, seconds)
        row_of("weights", name, "ours", spread(seconds), "")
        gap = np.abs(fast.equity / run("numpy").equity - 1.0).max()
        print(f"  numpy engine: equity within {gap:.1e} of it")
        for tool, slow in STATED_SECONDS[name]:
            print(
                f"  stated elsewhere, not run here: {tool} {slow} s "
                f"(ratio {slow / seconds['wall']:.0f})"
            )
        if peers is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours = float(run("auto", fill="signal_close").equity[-1])
        what = [f"weights-{step}", *(["bt"] if step == 1 else [])]
        for found in run_peers(peers, what, close=panel.close, weights=weights):
            slow = found["seconds"] * (5_000 / found.get("bars", 5_000))
            tool = found["tool"] + (", from 100 bars" if "bars" in found else "")
            FIGURES[f"{name}: {tool}"] = {"wall": slow}
            print(f"  {tool}: {slow:.2f} s, ratio {slow / seconds['wall']:.0f}")
            for equity in found["found"]:
                print(f"    final equity {equity:.10f}, ours at the same fills {ours:.10f}")
            row_of("weights", name, tool, f"{slow:.2f}", f"{slow / seconds['wall']:.0f}")


def measure_scaling(repeats: int) -> None:
    """Time sweeps over threads, symbols, bars and pairs."""
    import numba

    most = numba.get_num_threads()

    def scaled(symbols: int, bars: int, count: int, threads: int) -> None:
        wide = range(60, 60 + 2 * (count // 10), 2)
        pairs = [{"fast": f, "slow": s} for f in range(5, 55, 5) for s in wide]
        panel = walk(bars, symbols, 1e-2)
        numba.set_num_threads(threads)
        seconds, _ = timed(lambda: sweep(panel, pairs, engine="numba"), repeats)
        name = f"{symbols:,} x {bars:,} x {count:,}"
        work = float(symbols * bars * count)
        say(f"{name}, {threads} thread(s)", seconds, work)
        row_of(
            "scaling", name, str(threads), spread(seconds), f"{work / seconds['wall'] / 1e6:,.0f}"
        )

    for threads in range(1, most + 1):
        scaled(500, 2_520, 100, threads)
        scaled(1, 1_000_000, 100, threads)
    for symbols in (10, 100, 1_000, 3_000):
        scaled(symbols, 2_520, 100, most)
    for bars in (252, 25_200, 252_000):
        scaled(50, bars, 100, most)
    for count in (10, 1_000, 10_000):
        scaled(50, 2_520, count, most)


_FRESH = """
import time
began = time.perf_counter()
import mts1b_GPUbacktester
imported = time.perf_counter()
import numpy as np
from mts1b_GPUbacktester import rules as r, run_sweep
rule = r.long_when(r.sma(r.close, r.param("n")) > r.close)
ready = time.perf_counter()
close = 100 + np.arange(500.0)
result = run_sweep({"close": close}, rule, grid={"n": [3, 5]}, fill="next_close", engine="numba")
print(imported - began, result.timings["compile"], time.perf_counter() - ready)
"""


def measure_cold() -> None:
    """Time import and the first sweep of fresh processes: cache empty, then filled."""
    with tempfile.TemporaryDirectory() as folder:
        for state in ("empty cache", "filled cache"):
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            done = subprocess.run(
                [sys.executable, "-c", _FRESH], env=environment, capture_output=True, check=True
            )
            imported, compiling, first = map(float, done.stdout.split())
            FIGURES[f"cold, {state}"] = {"import": imported, "compile": compiling, "first": first}
            row_of("cold", state, f"{imported:.3f}", f"{compiling:.2f}", f"{first:.2f}")
            print(
                f"cold, {state:<13} import {imported:.3f} s, compile or load {compiling:.2f} s, "
                f"first sweep in all {first:.2f} s"
            )


def main() -> None:
    """Run what was named and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["cold", "sweep", "weights", "scaling"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--symbols", type=int, default=1_000)
    parser.add_argument("--peers", type=Path, help="the Python that has the peers")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", type=Path, help="write a page of tables there")
    options = parser.parse_args()
    calibrate()
    calib = FIGURES["calib"]
    runs: dict[str, Callable[[], None]] = {
        "cold": measure_cold,
        "sweep": lambda: measure_sweeps(options.repeats, options.peers),
        "wide": lambda: measure_wide(options.symbols),
        "weights": lambda: measure_weights(options.repeats, options.peers),
        "scaling": lambda: measure_scaling(options.repeats),
    }
    for name in options.what:
        if name not in runs:
            parser.error(f"{name!r} is not one of {', '.join(runs)}")
        runs[name]()
    calibrate()
    if options.json is not None:
        options.json.write_text(json.dumps(FIGURES, indent=2) + "\n")
    if options.write is not None:
        write_page(options.write, ROWS, calib)


if __name__ == "__main__":
    main()
