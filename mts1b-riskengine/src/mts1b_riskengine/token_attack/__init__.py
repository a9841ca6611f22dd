"""Attack the verification of approvals with forged, changed, replayed and misplaced ones."""

from mts1b_riskengine.token_attack.attacks import ATTACKS
from mts1b_riskengine.token_attack.campaign import Report, attack

__all__ = ["ATTACKS", "Report", "attack"]
