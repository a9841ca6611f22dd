"""What one side of a comparison did, in the same terms whoever did it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mts1b_GPUbacktester.desk import DeskRun

__all__ = ["Record", "Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order decided at the close of ``bar`` that risk or the OMS refused."""

    bar: int
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """Orders, fills and NAV of each account, by the name of the account.

    ``side`` names who did it: an engine, ``event-driven`` or ``paper``.
    """

    side: str
    accounts: Mapping[str, DeskRun]
    refusals: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)
