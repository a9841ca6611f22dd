"""The page of Markdown that backtest_rates.py --write makes of its figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["write_page"]

_TITLE = """# How fast backtests are

`benchmarks/backtest_rates.py --write` measures what is below and writes this page; the peers
(`benchmarks/peers.txt`, an environment of their own) run in the same call. A bar-param is one bar
of one symbol with one set of parameters. Seconds are the median of calls of the public function,
from panel to table, after one warm-up; the least and the most are in brackets. Compiling is apart,
under *cold*.
"""
_SECTIONS = {
    "sweeps": (
        "## Sweeps",
        "Dual moving average, 100 pairs (fast 5 to 50, slow 60 to 240), four metrics, every other "
        "argument of `run_sweep` as it is by default. A peer runs ten of the pairs, or one where "
        "its name says so; *ratio* is our rate over its.",
        ("work", "tool", "seconds", "M bar-params/s", "ratio"),
    ),
    "agreement": (
        "### The same results",
        "Ours in the convention of the peer: entries and exits at crossings, filled at the close "
        "of the signal. The largest differences of any account.",
        ("work", "final equity, relative", "drawdown", "accounts with another number of trades"),
    ),
    "weights": (
        "## Portfolios of target weights",
        "5,000 bars x 1,000 assets, 5 basis points a side.",
        ("rebalance", "tool", "seconds", "ratio"),
    ),
    "scaling": (
        "## Scaling",
        "",
        ("symbols x bars x pairs", "threads", "seconds", "M bar-params/s"),
    ),
    "cold": (
        "## Cold",
        "A fresh process: import, compiling (or loading what was compiled before), and the first "
        "sweep in all.",
        ("cache", "import, s", "compile or load, s", "first sweep in all, s"),
    ),
}  # fmt: skip


def write_page(path: Path, rows: dict[str, list[tuple[str, ...]]], calib: dict[str, Any]) -> None:
    """Write the sections that were measured."""
    machine = (
        f"Measured on {_processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; two busy threads get {calib['scaling']:.2f} of one, load "
        f"average {calib['load']:.1f} when it began.\n"
    )
    parts = [_TITLE, machine]
    for name, (heading, text, columns) in _SECTIONS.items():
        if rows.get(name):
            table = [columns, tuple("---" for _ in columns), *rows[name]]
            lines = ["| " + " | ".join(row) + " |" for row in table]
            parts.append(
                "\n\n".join(part for part in (heading, text, "\n".join(lines)) if part) + "\n"
            )
    path.write_text("\n".join(parts))


def _processor() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    where = f"family {found.get('cpu family', '?')}, model {found.get('model', '?')}"
    return f"{found.get('model name', platform.machine())} ({where})"
