"""The 99 scenarios of the fault catalogue, and what plays them."""

from __future__ import annotations

from tools.guarantees.scenarios_orders import ORDER_SCENARIOS
from tools.guarantees.scenarios_system import SYSTEM_SCENARIOS

__all__ = ["SCENARIOS"]

SCENARIOS = (*ORDER_SCENARIOS, *SYSTEM_SCENARIOS)
"""In the order of the catalogue."""
