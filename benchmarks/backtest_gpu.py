"""Time a sweep on a GPU and say how near to the machine's limits it comes; skip without one.

    python benchmarks/backtest_gpu.py [--symbols 1000] [--bars 2520] [--fast 5:255] [--slow 260:660]

A dual moving average, long only, 5 bps a side, on a seeded random walk: by default 250 x 400 =
100,000 pairs. Prints seconds of compiling, of copies and of the whole run; the least bytes and
operations the kernel needs; the share of the card's bandwidth and of its float64 rate that they
are; and whether 20 sets agree with numpy. Times are of one warm run after a small one.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from mts1b_GPUbacktester import check_parity, run_sweep
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.engines.cuda_device import cuda_module, cuda_problem, is_simulated

RULE = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
BYTES_A_BAR = 2 * 8
"""An account reads two averages at each bar; fills and marks are shared by all sets of an asset."""

OPERATIONS_A_BAR = 8
"""A comparison, equity, its peak and fall, sums of returns and squares, in float64."""


def span(text: str) -> range:
    """Read FIRST:END."""
    first, end = (int(part) for part in text.split(":"))
    return range(first, end)


def bandwidth(cuda: Any, clock: Any) -> float:
    """Return bytes a second that copies on the card reach, the best of five."""
    size = 2**27
    one, two = cuda.device_array(size, np.float64), cuda.device_array(size, np.float64)
    best = 0.0
    for _ in range(6):
        began = clock()
        two.copy_to_device(one)
        cuda.synchronize()
        best = max(best, 2 * 8 * size / (clock() - began))
    return best


def float64_rate(device: Any) -> float:
    """Return float64 operations a second at the card's clock: multiply-adds of all its units."""
    major, _ = device.compute_capability
    units = {6: 32, 7: 32, 8: 32, 9: 64, 10: 64}.get(major, 2)
    return float(2 * units * device.MULTIPROCESSOR_COUNT * device.CLOCK_RATE * 1000)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=1000)
    parser.add_argument("--bars", type=int, default=2520)
    parser.add_argument("--fast", type=span, default=range(5, 255))
    parser.add_argument("--slow", type=span, default=range(260, 660))
    parser.add_argument("--budget", default="32GiB", help="memory_budget; half is for the card")
    options = parser.parse_args()
    problem = "only the simulator is here" if is_simulated() else cuda_problem()
    if problem is not None:
        print(f"skipped: {problem}")
        return 0
    cuda, clock = cuda_module(), time.perf_counter
    device = cuda.get_current_device()
    rng = np.random.default_rng(20)
    steps = rng.normal(0, 1e-2, (options.bars, options.symbols))
    panel = {"close": 100 * np.exp(np.cumsum(steps, axis=0))}
    pairs = [{"fast": f, "slow": s} for f in options.fast for s in options.slow]
    settings: dict[str, Any] = {"fill": "next_close", "engine": "cuda", "progress": False}
    small = run_sweep(panel, RULE, grid=pairs[:4], **settings)
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    print(f"{name}: {options.symbols} symbols x {options.bars} bars x {len(pairs)}")
    print(f"compile {small.timings['compile']:.2f} s (apart from what follows)")
    began = clock()
    result = run_sweep(panel, RULE, grid=pairs, top=1000, memory_budget=options.budget, **settings)
    whole = clock() - began
    copies = result.timings["transfer"]
    ran = result.timings["run"] - copies
    work = options.symbols * options.bars * len(pairs)
    print(f"whole call {whole:.2f} s: copies {copies:.2f} s, the rest of the run {ran:.2f} s")
    print(f"{work / ran / 1e9:.2f} thousand million bar x parameter steps a second")
    moved, done = BYTES_A_BAR * work, OPERATIONS_A_BAR * work
    speed, rate = bandwidth(cuda, clock), float64_rate(device)
    print(
        f"least bytes {moved / 1e12:.2f} TB, {moved / ran / speed:.0%} of {speed / 1e12:.2f} TB/s "
        "(more than all is read from caches)"
    )
    print(
        f"operations {done / 1e12:.2f} T float64, {done / ran / rate:.0%} of {rate / 1e12:.1f} T/s,"
        f" intensity {done / moved:.2f} a byte"
    )
    some = {"close": panel["close"][:, :20]}
    parity = check_parity(some, RULE, grid=pairs[:: len(pairs) // 20], engine="cuda",
                          fill="next_close")  # fmt: skip
    print(f"against numpy: {'same' if parity.holds else [one.reason for one in parity.metrics]}")
    return 0 if parity.holds else 1


if __name__ == "__main__":
    sys.exit(main())
