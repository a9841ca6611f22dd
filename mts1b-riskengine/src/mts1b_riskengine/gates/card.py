"""The card of a gate: what it asks, how it denies. The table of all is documentation and test."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation import DenyCode
from mts1b_foundation.limits import RiskLimits

__all__ = ["GateCard"]

_OFF = RiskLimits()


@dataclass(frozen=True, slots=True)
class GateCard:
    """One row of ``mts risk gates``.

    ``codes``: every code that the gate itself denies with; those in ``soft`` two operators may
    override. ``inputs``: what it reads, in words; ``facts``: by name in the context. ``limits``:
    the settings of which one switches it on; without any it is always on. ``on_failure``: what
    missing input means. ``source``: why a professional desk has it. ``controls``: its numbers in
    the list of controls. ``reducing``: whether it also binds an order that can only reduce.
    """

    gate: str
    asks: str
    codes: tuple[DenyCode | str, ...]
    inputs: str
    on_failure: str
    source: str
    controls: tuple[int, ...] = ()
    facts: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    soft: tuple[DenyCode, ...] = ()
    reducing: bool = True

    @property
    def kind(self) -> str:
        """Return ``hard``, ``soft`` or ``hard and soft``."""
        if not self.soft:
            return "hard"
        return "soft" if set(self.soft) == set(self.codes) else "hard and soft"

    def is_on(self, limits: RiskLimits) -> bool:
        """Return whether any limit that the gate enforces is set."""
        return not self.limits or any(_is_set(limits, path) for path in self.limits)


def _is_set(limits: RiskLimits, path: str) -> bool:
    """Return whether ``name``, ``group.name`` or, of any symbol, ``symbols.name`` is set."""
    head, _, rest = path.partition(".")
    value = getattr(limits, head)
    if not rest:
        return bool(value != getattr(_OFF, head))
    rows = value.values() if isinstance(value, dict) else (value,)
    return any(getattr(row, rest) not in (None, False) for row in rows)
