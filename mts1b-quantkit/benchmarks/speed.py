"""How fast quantkit is, beside other libraries on the same data in the same run.

    python mts1b-quantkit/benchmarks/speed.py            # what is installed
    python mts1b-quantkit/benchmarks/speed.py --quick    # small sizes, for a look
    python mts1b-quantkit/benchmarks/speed.py --only imports optimisers
    python mts1b-quantkit/benchmarks/speed.py --write    # and renew its rows of figures.md here

Calls of the two sides alternate; the figures are medians. Beside the wall clock stands the time
that the processors worked, which others on the machine lengthen less; the ratio is that of the
latter.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from mts1b_foundation.market_data import UniversePanel
from mts1b_quantkit import allocators as a
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m

FIGURES = Path(__file__).with_name("figures.md")
SHARED = (
    *("sharpe", "sortino", "annual_volatility", "downside_deviation", "cagr", "total_return"),
    *("max_drawdown", "calmar", "omega", "tail_ratio", "stability", "value_at_risk"),
    "expected_shortfall",
)
"""The metrics of one series that empyrical has too."""


class Time(NamedTuple):
    """Seconds by the wall, and seconds that the processors worked."""

    wall: float
    work: float

    def __str__(self) -> str:
        """Show both."""
        return f"{_duration(self.wall)} ({_duration(self.work)})"

    def times(self, factor: float) -> Time:
        """Return the time of ``factor`` such calls."""
        return Time(self.wall * factor, self.work * factor)


@dataclass(frozen=True)
class Figure:
    """One line: what was timed, ours, the peer's where there is one, and the target."""

    what: str
    ours: Time
    target: str
    peer: str = ""
    theirs: Time | None = None
    note: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        ratio = "" if self.theirs is None else f"{self.theirs.work / self.ours.work:.1f}x"
        theirs = "" if self.theirs is None else str(self.theirs)
        return (
            f"| {self.what} | {self.ours} | {self.peer} | {theirs} | {ratio} | {self.target} | "
            f"{self.note} |"
        )


def medians(*calls: Callable[[], Any], repeats: int) -> list[Time]:
    """Time calls in turn, after one call each to warm up."""
    for call in calls:
        call()
    seen: list[list[Time]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, times in zip(calls, seen, strict=True):
            wall, work = time.perf_counter(), time.process_time()
            call()
            times.append(Time(time.perf_counter() - wall, time.process_time() - work))
    return [
        Time(*(statistics.median(column) for column in zip(*times, strict=True))) for times in seen
    ]


@contextmanager
def every_core() -> Iterator[int]:
    """Let the linear algebra take every core for a while, where threadpoolctl is installed."""
    if not find_spec("threadpoolctl"):
        yield 1
        return
    from threadpoolctl import threadpool_limits

    cores = os.cpu_count() or 1
    with threadpool_limits(cores):
        yield cores


def returns(rows: int, assets: int, factors: int = 5) -> np.ndarray:
    """Return daily returns with common factors."""
    rng = np.random.default_rng(assets)
    common = rng.normal(size=(rows, factors)) @ rng.normal(size=(factors, assets)) * 0.3
    result: np.ndarray = 0.01 * (common + rng.normal(size=(rows, assets))) + 0.0003
    return result


def hierarchical(quick: bool) -> Iterator[Figure]:
    """Time HRP beside PyPortfolioOpt and skfolio, and alone where they take minutes."""
    rows = returns(600, 500)
    windows = [rows[k : k + 252] for k in range(0, 340, 20)]

    def roll() -> None:
        for window in windows:
            a.hrp_weights(window, distance="condensed")

    (one,) = medians(roll, repeats=7)
    yield Figure("rolling HRP, N = 500, a window", one.times(1 / len(windows)), "10 ms")
    size = 200 if quick else 1000
    values = returns(756, size)
    frame = pd.DataFrame(values, columns=[f"A{k:05d}" for k in range(size)])
    own = partial(a.hrp_weights, values, distance="condensed")
    what = f"HRP, condensed, N = {size}"
    if find_spec("pypfopt"):
        from pypfopt import HRPOpt

        one, other = medians(own, lambda: HRPOpt(frame).optimize(), repeats=3)
        yield Figure(what, one, "50x", "PyPortfolioOpt", other)
    if find_spec("skfolio"):
        from skfolio.cluster import HierarchicalClustering, LinkageMethod
        from skfolio.optimization import HierarchicalRiskParity

        tree = HierarchicalClustering(linkage_method=LinkageMethod.SINGLE)
        model = HierarchicalRiskParity(hierarchical_clustering_estimator=tree)
        one, other = medians(own, lambda: model.fit(values), repeats=1)
        yield Figure(what, one, "50x", "skfolio (single linkage)", other)
    (one,) = medians(lambda: a.hrp_weights(values), repeats=3)
    yield Figure(f"HRP, paper form, N = {size}", one, "")
    if not quick:
        wide = returns(756, 5000)
        with every_core() as cores:
            note = f"{cores} threads"
            (one,) = medians(lambda: a.hrp_weights(wide, distance="condensed"), repeats=3)
            yield Figure("HRP, condensed, N = 5,000", one, "1.2 s on two cores", note=note)
            (one,) = medians(lambda: a.hrp_weights(wide), repeats=1)
            yield Figure("HRP, paper form, N = 5,000", one, "6 s on two cores", note=note)


def optimisers(quick: bool) -> Iterator[Figure]:
    """Time risk parity, and the two quadratic optimisers beside Clarabel called directly."""
    size = 300 if quick else 2000
    rng = np.random.default_rng(1)
    loadings = rng.normal(size=(size, 20))
    signed = loadings @ loadings.T + np.diag(rng.uniform(0.5, 2.0, size))
    (one,) = medians(lambda: a.risk_parity(None, covariance=signed), repeats=1 if quick else 3)
    yield Figure(f"risk parity, N = {size:,}, 20 signed factors", one, "1 s on two cores")
    size = 100 if quick else 500
    covariance = np.cov(returns(756, size).T)
    mean = rng.normal(0.0005, 0.0005, size)
    least = partial(a.min_variance, None, covariance=covariance)
    steepest = partial(a.max_sharpe, None, covariance=covariance, expected_returns=mean)
    if not find_spec("clarabel"):
        one, other = medians(least, steepest, repeats=5)
        yield Figure(f"minimum variance, N = {size}", one, "faster than Clarabel")
        yield Figure(f"maximum Sharpe ratio, N = {size}", other, "faster than Clarabel")
        return
    one, other = medians(least, clarabel(covariance, None), repeats=5)
    residual = least().diagnostics["kkt_residual"]
    note = f"KKT residual {residual:.0e}"
    yield Figure(
        f"minimum variance, N = {size}", one, "faster", "Clarabel, called directly", other, note
    )
    one, other = medians(steepest, clarabel(covariance, mean), repeats=5)
    note = f"KKT residual {steepest().diagnostics['kkt_residual']:.0e}"
    yield Figure(
        f"maximum Sharpe ratio, N = {size}", one, "faster", "Clarabel, called directly", other, note
    )


def clarabel(covariance: np.ndarray, mean: np.ndarray | None) -> Callable[[], Any]:
    """Return a call that solves min w'Sw / 2 over the simplex, or over mean'w = 1, w >= 0."""
    import clarabel as solver
    from scipy import sparse

    size = len(covariance)
    row = np.ones(size) if mean is None else mean
    programme = (
        sparse.triu(sparse.csc_matrix(covariance), format="csc"),
        np.zeros(size),
        sparse.vstack([sparse.csc_matrix(row), -sparse.eye(size)], format="csc"),
        np.concatenate(([1.0], np.zeros(size))),
        [solver.ZeroConeT(1), solver.NonnegativeConeT(size)],
    )
    settings = solver.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    return lambda: solver.DefaultSolver(*programme, settings).solve()


def measures(quick: bool) -> Iterator[Figure]:
    """Time the metrics that empyrical has too, and the probability of overfitting."""
    rows, columns = (500, 50) if quick else (2520, 1000)
    values = returns(rows, columns)
    frame = pd.DataFrame(values, pd.date_range("2014-01-01", periods=rows, freq="B"))

    own = partial(m.summary, frame, SHARED)
    what = f"{len(SHARED)} metrics on {rows:,} x {columns:,} returns"
    few = 20
    for peer, call in (
        ("empyrical-reloaded", empyrical(frame, few)),
        ("quantstats", quantstats(frame, few)),
    ):
        if call is None:
            continue
        one, other = medians(own, call, repeats=3)
        target = "20x" if peer.startswith("e") else "100x"
        scaled = other.times(columns / few)
        yield Figure(what, one, target, peer, scaled, f"they: {few} columns, scaled up")
    (one,) = medians(lambda: m.summary(frame), repeats=3)
    what = f"all {len(m.SUMMARY_METRICS)} metrics of a summary, {rows:,} x {columns:,} returns"
    yield Figure(what, one, "")
    (one,) = medians(
        lambda: m.probability_of_backtest_overfitting(values), repeats=1 if quick else 3
    )
    yield Figure(f"overfitting, 16 blocks, {columns:,} strategies", one, "2 s on two cores")


def empyrical(frame: pd.DataFrame, columns: int) -> Callable[[], Any] | None:
    """Return a call of the same metrics of empyrical on the first columns, or None."""
    if not find_spec("empyrical"):
        return None
    import empyrical as e

    named = (
        *(e.sharpe_ratio, e.sortino_ratio, e.annual_volatility, e.downside_risk, e.annual_return),
        *(e.cum_returns_final, e.max_drawdown, e.calmar_ratio, e.omega_ratio, e.tail_ratio),
        *(e.stability_of_timeseries, e.value_at_risk, e.conditional_value_at_risk),
    )
    return lambda: [metric(frame[c]) for c in frame.columns[:columns] for metric in named]


def quantstats(frame: pd.DataFrame, columns: int) -> Callable[[], Any] | None:
    """Return a call of the metrics that quantstats has on the first columns, or None."""
    if not find_spec("quantstats"):
        return None
    import quantstats.stats as q

    named = (
        *(q.sharpe, q.sortino, q.volatility, q.cagr, q.comp, q.max_drawdown, q.calmar, q.omega),
        *(q.tail_ratio, q.value_at_risk, q.cvar, q.win_rate, q.profit_factor),
    )
    return lambda: [metric(frame[c]) for c in frame.columns[:columns] for metric in named]


def scores(quick: bool) -> Iterator[Figure]:
    """Time thirty factors, as a share of the memory's bandwidth."""
    rows, assets = (600, 50) if quick else (2520, 1000)
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, assets)), axis=0))
    wide = np.abs(rng.normal(0, 0.005, (rows, assets)))
    panel = UniversePanel(
        close=close,
        high=close * (1 + wide),
        low=close * (1 - wide),
        volume=rng.uniform(1e4, 1e6, (rows, assets)),
        open=close,
        dates=[date(2014, 1, 1) + timedelta(days=k) for k in range(rows)],
        symbols=[f"A{k}" for k in range(assets)],
    )
    bandwidth = _bandwidth()
    names = sorted(f.FACTOR_REGISTRY)[:30]

    def every() -> None:
        for name in names:
            f.get(name)(panel)

    (one,) = medians(every, repeats=1)
    total = one.wall
    touched = 2 * close.nbytes * len(names)
    yield Figure(
        f"{len(names)} factors on a {rows:,} x {assets:,} panel",
        one,
        "",
        note=f"{touched / total / 1e9:.2f} GB/s of one field in and one out, "
        f"{touched / total / bandwidth:.1%} of the {bandwidth / 1e9:.1f} GB/s of a copy",
    )


def imports(quick: bool) -> Iterator[Figure]:
    """Time the imports in processes of their own."""
    for room in ("", ".metrics", ".allocators", ".risk", ".factors"):
        code = (
            "import time; wall, work = time.perf_counter(), time.process_time()\n"
            f"import mts1b_quantkit{room}\n"
            "print(time.perf_counter() - wall, time.process_time() - work)"
        )
        seen: list[list[float]] = []
        for _ in range(3 if quick else 7):
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            seen.append([float(word) for word in done.stdout.split()])
        wall, work = (statistics.median(column) for column in zip(*seen, strict=True))
        yield Figure(f"import mts1b_quantkit{room}", Time(wall, work), "0.35 s")


def _bandwidth() -> float:
    source = np.ones(16_000_000)
    target = np.empty_like(source)
    (seconds,) = medians(lambda: np.copyto(target, source), repeats=5)
    return 2 * source.nbytes / seconds.wall


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1.0 else f"{seconds * 1e3:.1f} ms"


def table(lines: list[str]) -> str:
    """Return the page of these rows, with what they were measured on."""
    return (
        "# Speed\n\n"
        "Written by `python mts1b-quantkit/benchmarks/speed.py --write`: medians of alternating\n"
        "calls in one run, by the wall and, in brackets, the time that the processors worked; the\n"
        "ratio is that of the latter. One thread, unless the row (or OPENBLAS_NUM_THREADS) says\n"
        "more. Where the wall is longer than the processors' time, others used the machine.\n\n"
        f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}.\n\n"
        "| what | time | peer | its time | ratio | target | note |\n|---|---|---|---|---|---|---|\n"
        + "\n".join(lines)
        + "\n"
    )


def merged(old: list[str], new: list[str]) -> list[str]:
    """Return the rows with those of the same function and peer replaced."""
    rows = {_key(line): line for line in old}
    rows.update({_key(line): line for line in new})
    return list(rows.values())


def _key(line: str) -> tuple[str, str]:
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return cells[0], cells[2]


def main() -> None:
    """Run the command line."""
    parts = {part.__name__: part for part in (imports, hierarchical, optimisers, measures, scores)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), metavar="PART")
    parser.add_argument("--write", action="store_true", help=f"renew rows of {FIGURES.name}")
    options = parser.parse_args()
    if "OPENBLAS_NUM_THREADS" not in os.environ:  # it counts when numpy is imported: start again
        one = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **one})
    warnings.simplefilter("ignore")  # the peers' own
    for name in options.only:
        for figure in parts[name](options.quick):
            print(figure.line(), flush=True)
            if options.write:
                text = FIGURES.read_text(encoding="utf-8") if FIGURES.exists() else ""
                old = [line for line in text.splitlines() if line.startswith("| ")][1:]
                FIGURES.write_text(table(merged(old, [figure.line()])), encoding="utf-8")


if __name__ == "__main__":
    main()
