"""Lockstep replay: the step that moves every service one tick, and what each answers."""

from __future__ import annotations

from pydantic import Field

from mts1b_foundation.model import FrozenModel, Identifier, UtcDatetime

__all__ = ["ReplayPosition", "ReplayStep", "ReplayStepDone", "StateDigest"]


class ReplayStep(FrozenModel):
    """Ask a service to process one tick.

    ``upto`` names, for each stream, the last sequence that must be consumed first.
    """

    run_id: Identifier
    tick: int = Field(ge=0)
    as_of: UtcDatetime
    upto: dict[str, int] = Field(default_factory=dict)
    final: bool = False


class ReplayStepDone(FrozenModel):
    """Say that a service has finished a tick; ``heads`` are the last sequences it published."""

    service: Identifier
    tick: int
    heads: dict[str, int] = Field(default_factory=dict)


class ReplayPosition(FrozenModel):
    """The last tick that a service has finished; -1 before the first."""

    service: Identifier
    run_id: str = ""
    last_tick: int = -1


class StateDigest(FrozenModel):
    """SHA-256 over the canonical economic state of one service."""

    service: Identifier
    digest: str
    counts: dict[str, int] = Field(default_factory=dict)
    last_tick: int = -1
