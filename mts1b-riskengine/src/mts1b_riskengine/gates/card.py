"""The card of a gate: what it asks, how it denies. The table of all is documentation and test."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode

__all__ = ["GateCard"]


@dataclass(frozen=True, slots=True)
class GateCard:
    """One row of ``mts risk gates``.

    ``codes``: every code that the gate itself denies with. ``inputs``: what it reads.
    ``on_failure``: what missing input means. ``source``: why a professional desk has it.
    """

    gate: str
    asks: str
    codes: tuple[DenyCode | str, ...]
    inputs: str
    on_failure: str
    source: str
