"""The rules of the engine that no envelope carries, and their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from mts1b_foundation import FrozenModel
from pydantic import Field

__all__ = ["Absence", "RiskPolicy", "policy_hash"]


class Absence(StrEnum):
    """Say what the absence of an optional opinion means."""

    DENY = "deny"
    PASS = "pass"


class RiskPolicy(FrozenModel):
    """Set how the engine judges.

    ``approval_ttl_s``: life of an approval. ``gate_budget_s``: time that a custom gate has.
    ``stale_after_intervals``: a bar's close serves as reference price for this many lengths of
    its interval after its end. ``cro_absence``: what an unavailable CRO opinion means for an
    envelope that enables the veto; ``pass`` is the documented fail-open, by explicit choice only.
    """

    approval_ttl_s: float = Field(default=2.0, gt=0.0, le=300.0)
    gate_budget_s: float = Field(default=0.05, gt=0.0)
    stale_after_intervals: int = Field(default=5, ge=1)
    cro_absence: Absence = Absence.DENY


def policy_hash(policy: RiskPolicy, gate_names: Sequence[str]) -> str:
    """Return the SHA-256 (hex) of the policy and the ordered gates; approvals are bound to it."""
    text = policy.model_dump_json() + "\n" + "\n".join(gate_names)
    return hashlib.sha256(text.encode()).hexdigest()
