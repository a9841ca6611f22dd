"""Halts and what ends them: requests, halts in force, signed resumes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from mts1b_foundation.model import FrozenModel, Identifier, UtcDatetime, signing_fields_of

__all__ = [
    "ActiveHalt",
    "Cosignature",
    "HaltRequest",
    "HaltScope",
    "HaltSeverity",
    "ResumeRequest",
    "halt_scope",
]

HaltScope = Annotated[str, Field(min_length=1)]
"""What is halted, of any length: it holds a whole identifier, and no halt is refused for a name."""


class HaltSeverity(StrEnum):
    """Say how wide a halt is."""

    FIRM_HALT = "FIRM_HALT"
    FUND_HALT = "FUND_HALT"
    STRATEGY_HALT = "STRATEGY_HALT"
    VENUE_HALT = "VENUE_HALT"
    SYMBOL_HALT = "SYMBOL_HALT"


_SCOPE_FIELD = {
    HaltSeverity.FUND_HALT: ("fund", "fund_id"),
    HaltSeverity.STRATEGY_HALT: ("strategy", "strategy_id"),
    HaltSeverity.VENUE_HALT: ("venue", "venue"),
    HaltSeverity.SYMBOL_HALT: ("symbol", "symbol"),
}


def halt_scope(
    severity: HaltSeverity,
    fund_id: str | None = None,
    strategy_id: str | None = None,
    venue: str | None = None,
    symbol: str | None = None,
) -> str:
    """Return ``firm``, ``fund:ID``, ``strategy:ID``, ``venue:NAME`` or ``symbol:SYMBOL``.

    :raises ValueError: when the severity needs an id that is missing.
    """
    if severity is HaltSeverity.FIRM_HALT:
        return "firm"
    given = {"fund_id": fund_id, "strategy_id": strategy_id, "venue": venue, "symbol": symbol}
    word, need = _SCOPE_FIELD[severity]
    if not given[need]:
        raise ValueError(f"{severity.value} needs a {need}")
    return f"{word}:{given[need]}"


class HaltRequest(FrozenModel):
    """Ask that a scope stops trading.

    ``reduce_only_allowed`` lets reduce-only orders pass, so that a fund can go flat; without it
    nothing leaves at all.
    """

    severity: HaltSeverity
    fund_id: str | None = None
    strategy_id: str | None = None
    venue: str | None = None
    symbol: str | None = None
    reason: str = Field(min_length=1)
    requested_by: Identifier
    requested_at: UtcDatetime | None = None
    halt_id: str | None = None
    reduce_only_allowed: bool = False

    @model_validator(mode="after")
    def _scope_is_complete(self) -> Self:
        self._scope()
        return self

    def _scope(self) -> str:
        return halt_scope(self.severity, self.fund_id, self.strategy_id, self.venue, self.symbol)

    @property
    def scope(self) -> str:
        """Return ``firm``, ``fund:ID``, ``strategy:ID``, ``venue:NAME`` or ``symbol:SYMBOL``."""
        return self._scope()


class ActiveHalt(FrozenModel):
    """A halt in force; ``epoch`` is the halt epoch that it started."""

    halt_id: str = Field(min_length=1)
    scope: HaltScope
    severity: HaltSeverity
    reason: str
    requested_by: Identifier
    requested_at: UtcDatetime
    epoch: int = Field(ge=1)
    reduce_only_allowed: bool = False


class Cosignature(FrozenModel):
    """One operator's signature under an act."""

    signed_by: str = Field(pattern=r"^operator:[A-Za-z0-9_.-]+$")
    key_id: str = ""
    signature: str = ""


class ResumeRequest(FrozenModel):
    """An operator's signed act that ends the halts of one scope.

    The signature covers domain ``mts/resume/v1`` and ``signing_fields``; ``epoch`` is the halt
    epoch that the operator saw. A resume of the firm needs a ``second`` operator, who signs the
    same fields; neither signature covers the other.
    """

    scope: HaltScope
    reason: str = Field(min_length=1)
    cosigned_by: str = Field(pattern=r"^operator:[A-Za-z0-9_.-]+$")
    requested_at: UtcDatetime
    epoch: int = Field(ge=0)
    key_id: str = ""
    signature: str = ""
    second: Cosignature | None = None

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every bound field in the order of declaration."""
        return signing_fields_of(self, besides=frozenset({"second"}))
