"""Simulate many rules over many assets fast, by one written definition of a trade."""

from mts1b_GPUbacktester import rules
from mts1b_GPUbacktester.engines import EngineChoice
from mts1b_GPUbacktester.errors import BadPanel, BadRule, BadSetting, EngineMissing
from mts1b_GPUbacktester.panels import panel_from
from mts1b_GPUbacktester.portfolio import run_portfolio
from mts1b_GPUbacktester.results import BacktestResult, SweepResult
from mts1b_GPUbacktester.single import centred_weights, run_single
from mts1b_GPUbacktester.sweep import run_sweep

__all__ = [
    "BacktestResult",
    "BadPanel",
    "BadRule",
    "BadSetting",
    "EngineChoice",
    "EngineMissing",
    "SweepResult",
    "centred_weights",
    "panel_from",
    "rules",
    "run_portfolio",
    "run_single",
    "run_sweep",
]
