"""The few modules that may do what no other module may."""

from __future__ import annotations

__all__ = ["EXCEPT_BOUNDARIES", "SEAM_MODULES", "VENUE_DOOR"]

EXCEPT_BOUNDARIES = frozenset(
    {
        "mts1b_platform.supervision",  # the task supervisor: hands every failure on, or answers it
        "mts1b_platform.cli",  # the command line's main: turns a failure into one line and a code
        "mts1b_platform.plugins",  # the plugin loader: names the plugin that can not be loaded
    }
)
"""The modules that may catch Exception."""

SEAM_MODULES = frozenset({"mts1b_platform.clock", "mts1b_platform.ids", "mts1b_platform.rng"})
"""The modules that read the machine's clock, ids and randomness for all others."""

VENUE_DOOR = "mts1b_oms.gateway"
"""The one module that may hand an order to a venue."""
