"""The rules of the engine that no envelope carries, and their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from mts1b_foundation import FrozenModel
from mts1b_foundation.limits import Mandate, RiskLimits
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


def policy_hash(
    policy: RiskPolicy,
    gate_names: Sequence[str],
    *,
    limits: RiskLimits,
    mandates: Sequence[Mandate] = (),
) -> str:
    """Return the SHA-256 (hex) of all rules but the envelopes; approvals are bound to it.

    It covers the policy, the ordered gates, the limits and the mandates.
    """
    parts = [policy.model_dump_json(), *gate_names, limits.model_dump_json()]
    text = "\n".join(parts + [mandate.model_dump_json() for mandate in mandates])
    return hashlib.sha256(text.encode()).hexdigest()
