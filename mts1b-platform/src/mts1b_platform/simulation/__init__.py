"""Run a whole system in virtual time, with an order of events that the seed decides."""

from mts1b_platform.simulation.loop import (
    Deadlock,
    DeterministicLoop,
    LoopClock,
    RealWorldTouched,
    run,
)

__all__ = ["Deadlock", "DeterministicLoop", "LoopClock", "RealWorldTouched", "run"]
