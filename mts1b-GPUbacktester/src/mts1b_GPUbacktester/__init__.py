"""Simulate many rules over many assets fast, by one written definition of a trade."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts1b_GPUbacktester import rules
    from mts1b_GPUbacktester.engines import EngineChoice
    from mts1b_GPUbacktester.errors import (
        BadPanel,
        BadRule,
        BadSetting,
        EngineMissing,
        ExecutorMissing,
        NotWritten,
        WorkersLost,
    )
    from mts1b_GPUbacktester.factors import FactorSweep, sweep_factor
    from mts1b_GPUbacktester.forward import WalkForwardResult
    from mts1b_GPUbacktester.forward import run_walk_forward as walk_forward
    from mts1b_GPUbacktester.lookahead import Lookahead, find_lookahead
    from mts1b_GPUbacktester.panels import panel_from
    from mts1b_GPUbacktester.parity import DEFAULT_POLICY, Parity, Tolerance, check_parity
    from mts1b_GPUbacktester.path_sweep import PathSweep, sweep_paths
    from mts1b_GPUbacktester.portfolio import run_portfolio
    from mts1b_GPUbacktester.results import BacktestResult, SweepResult
    from mts1b_GPUbacktester.search import SearchStatistics, search_statistics
    from mts1b_GPUbacktester.single import centred_weights, run_single
    from mts1b_GPUbacktester.sweep import run_sweep

__all__ = [
    "DEFAULT_POLICY",
    "BacktestResult",
    "BadPanel",
    "BadRule",
    "BadSetting",
    "EngineChoice",
    "EngineMissing",
    "ExecutorMissing",
    "FactorSweep",
    "Lookahead",
    "NotWritten",
    "Parity",
    "PathSweep",
    "SearchStatistics",
    "SweepResult",
    "Tolerance",
    "WalkForwardResult",
    "WorkersLost",
    "centred_weights",
    "check_parity",
    "find_lookahead",
    "panel_from",
    "rules",
    "run_portfolio",
    "run_single",
    "run_sweep",
    "search_statistics",
    "sweep_factor",
    "sweep_paths",
    "walk_forward",
]

# Loaded on first use: the command line must not import numpy to print its help.
_HOMES = {
    "BacktestResult": "results",
    "BadPanel": "errors",
    "BadRule": "errors",
    "BadSetting": "errors",
    "EngineChoice": "engines",
    "EngineMissing": "errors",
    "ExecutorMissing": "errors",
    "DEFAULT_POLICY": "parity",
    "FactorSweep": "factors",
    "Lookahead": "lookahead",
    "Parity": "parity",
    "PathSweep": "path_sweep",
    "SearchStatistics": "search",
    "SweepResult": "results",
    "Tolerance": "parity",
    "WalkForwardResult": "forward",
    "NotWritten": "errors",
    "WorkersLost": "errors",
    "centred_weights": "single",
    "check_parity": "parity",
    "find_lookahead": "lookahead",
    "panel_from": "panels",
    "run_portfolio": "portfolio",
    "run_single": "single",
    "run_sweep": "sweep",
    "search_statistics": "search",
    "sweep_factor": "factors",
    "sweep_paths": "path_sweep",
    "walk_forward": "forward",
}
_NAMES = {"walk_forward": "run_walk_forward"}


def __getattr__(name: str) -> Any:
    if name == "rules":
        return import_module(f"{__name__}.rules")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), _NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
