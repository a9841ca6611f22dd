"""The engines: the same simulation, from the readable one to the fast one."""

from mts1b_GPUbacktester.engines.choose import EngineChoice, EngineName, choose_engine
from mts1b_GPUbacktester.engines.port import Engine, Market, Paths, SweepSummary

__all__ = [
    "Engine",
    "EngineChoice",
    "EngineName",
    "Market",
    "Paths",
    "SweepSummary",
    "choose_engine",
]
