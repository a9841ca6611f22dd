"""The order path in virtual time, under faults that a seed decides."""

from mts1b_oms.simulation.sweep import Shrunk, SweepReport, shrink, sweep
from mts1b_oms.simulation.world import Outcome, World, run_seed

__all__ = ["Outcome", "Shrunk", "SweepReport", "World", "run_seed", "shrink", "sweep"]
