"""The architecture as checks on the source: who may import, define, call and read what.

``python -m tools.contracts`` runs them all. A broken contract is a result (exit code 1); a contract
that can not be read is an error (exit code 2).
"""

from tools.contracts.checks import CHECKS
from tools.contracts.outcome import Malformed, Report, Violation
from tools.contracts.policy import Policy, default_policy
from tools.contracts.project import Project, read_plugin, read_project
from tools.contracts.run import run_checks

__all__ = [
    "CHECKS",
    "Malformed",
    "Policy",
    "Project",
    "Report",
    "Violation",
    "default_policy",
    "read_plugin",
    "read_project",
    "run_checks",
]
