"""Run a whole system in virtual time, with an order of events that the seed decides."""

from mts1b_platform.simulation.clock import SkewedClock
from mts1b_platform.simulation.faults import Counters, Faults, Trace
from mts1b_platform.simulation.loop import (
    Deadlock,
    DeterministicLoop,
    LoopClock,
    RealWorldTouched,
    run,
)
from mts1b_platform.simulation.net import SimBus, SimNet
from mts1b_platform.simulation.process import SimProcess

__all__ = [
    "Counters",
    "Deadlock",
    "DeterministicLoop",
    "Faults",
    "LoopClock",
    "RealWorldTouched",
    "SimBus",
    "SimNet",
    "SimProcess",
    "SkewedClock",
    "Trace",
    "run",
]
