"""Time the two engines on one sweep, in one run, and check that they agree.

    python benchmarks/sweep_engines.py [--bars 1000000] [--assets 1] [--repeats 3]

A dual moving average with 100 pairs (fast 5..50, slow 60..240), long only, 5 bps a side, on a
seeded random walk. Prints seconds (median, least, most), bar-params per second and the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from mts1b_GPUbacktester import SweepResult, run_sweep
from mts1b_GPUbacktester import rules as r

PAIRS = [{"fast": f, "slow": s} for f in range(5, 55, 5) for s in range(60, 260, 20)]


def sweep(close: np.ndarray, engine: str) -> tuple[float, SweepResult]:
    """Return the seconds of one whole call and its result."""
    rule = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
    began = time.perf_counter()
    result = run_sweep({"close": close}, rule, grid=PAIRS, fill="next_close", engine=engine)  # type: ignore[arg-type]
    return time.perf_counter() - began, result


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--assets", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(20)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, (options.bars, options.assets)), axis=0))
    work = close.size * len(PAIRS)
    first, _ = sweep(close[:1000], "numba")
    print(
        f"{options.bars} bars x {options.assets} assets x {len(PAIRS)} pairs"
        f" = {work:.3g} bar-params"
    )
    print(f"numba, first call with compiling: {first:.2f} s")
    medians, tables = {}, {}
    for engine in ("numpy", "numba"):
        runs = [sweep(close, engine) for _ in range(options.repeats)]
        seconds = [duration for duration, _ in runs]
        medians[engine], tables[engine] = statistics.median(seconds), runs[0][1].table
        print(
            f"{engine:<6} {medians[engine]:8.3f} s [{min(seconds):.3f}-{max(seconds):.3f}]"
            f"  {work / medians[engine] / 1e6:8.1f} M bar-params/s"
        )
    same = (tables["numpy"]["n_trades"] == tables["numba"]["n_trades"]).all()
    returns = [np.asarray(tables[engine]["total_return"]) for engine in ("numpy", "numba")]
    gap = float(np.nanmax(np.abs(returns[0] - returns[1])))
    print(
        f"ratio {medians['numpy'] / medians['numba']:.1f}; same trades: {same}; "
        f"return differs by {gap:.1e}"
    )


if __name__ == "__main__":
    main()
