"""The engines: the same simulation, from the readable one to the fast one."""

from mts1b_GPUbacktester.engines.choose import EngineChoice, EngineName, choose_engine
from mts1b_GPUbacktester.engines.port import Engine, Market, Paths, SweepBlock, SweepSummary

__all__ = [
    "Engine",
    "EngineChoice",
    "EngineName",
    "Market",
    "Paths",
    "SweepBlock",
    "SweepSummary",
    "choose_engine",
]
