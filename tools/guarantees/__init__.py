"""What the system promises, what shows it, and what nothing shows yet; written as one page."""

from tools.guarantees.page import render
from tools.guarantees.promises import PROMISES
from tools.guarantees.scenarios import SCENARIOS
from tools.guarantees.table import Promise, Scenario

__all__ = ["PROMISES", "SCENARIOS", "Promise", "Scenario", "render"]
