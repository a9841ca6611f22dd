"""How a strategy is sized in each part of the trading day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mts1b_foundation.symbology import AssetClass
from mts1b_foundation.time import SessionPhase
from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.errors import BadInput

from mts1b_portfolio import sizers
from mts1b_portfolio.inputs import read_number

__all__ = ["DEFAULT_GROSS_CAPS", "SessionMatrix", "SessionRule", "us_equity_phase"]

Sizer = Callable[..., Any]

DEFAULT_GROSS_CAPS: Mapping[SessionPhase, float] = {
    SessionPhase.RTH: 1.0,
    SessionPhase.PRE: 0.3,
    SessionPhase.POST: 0.3,
    SessionPhase.IBEOS: 0.1,
    SessionPhase.ALL_DAY: 1.0,
}
"""Largest sum of absolute weights in each part of the day, as fractions of NAV."""

_ALL_DAY = frozenset({AssetClass.CRYPTO, AssetClass.FX, AssetClass.PREDICTION, AssetClass.SPORTS})
_OF_A_RULE = {"sizer", "gross_cap"}
_NEW_YORK = ZoneInfo("America/New_York")
_PHASES = (
    (4 * 60, SessionPhase.IBEOS),
    (9 * 60 + 30, SessionPhase.PRE),
    (16 * 60, SessionPhase.RTH),
    (20 * 60, SessionPhase.POST),
    (24 * 60, SessionPhase.IBEOS),
)
"""End of each part in minutes after midnight in New York."""


@dataclass(frozen=True, slots=True)
class SessionRule:
    """A sizer with the gross cap of one part of the day. Call it as the sizer."""

    phase: SessionPhase
    sizer: Sizer
    gross_cap: float

    def __call__(self, signal: Any, /, **params: Any) -> Any:
        """Return the sizer's weights, scaled down where their gross exceeds the cap."""
        weights = self.sizer(signal, **params)
        table = as_table(weights, what="weights")
        rows = table.values[None, :] if table.is_vector else table.values
        gross = abs(rows).sum(axis=1)
        scale = [self.gross_cap / g if g > self.gross_cap else 1.0 for g in gross.tolist()]
        return table.rows((rows.T * scale).T)


class SessionMatrix:
    """Which sizer counts when.

    :param rules: by phase (``RTH pre post IBEOS 24h``): ``{"sizer": name or callable, "gross_cap":
        fraction}``; a missing cap is the documented one.
    :param phase_of: tells the phase of equities and their kin at a time; None for New York's hours
        on any weekday. Give a calendar's own to know its holidays.
    :raises BadInput: for an unknown phase or sizer, or a cap below zero.
    """

    def __init__(
        self,
        rules: Mapping[str, Mapping[str, Any]],
        *,
        phase_of: Callable[[datetime], SessionPhase | None] | None = None,
    ) -> None:
        if not isinstance(rules, Mapping) or not rules:
            raise BadInput(
                "a session matrix needs a rule for one part of the day or more; give them by phase"
            )
        self._rules = {rule.phase: rule for rule in map(_rule, rules.items())}
        self._phase_of = phase_of or us_equity_phase

    def phase(self, *, asset_class: AssetClass | str, asof: datetime) -> SessionPhase | None:
        """Return the part of the day, ``24h`` for what trades all day; None when it is closed.

        :raises BadInput: for a time without a zone, or an unknown asset class.
        """
        if not isinstance(asof, datetime) or asof.tzinfo is None:
            raise BadInput(f"asof is {asof}; give an aware time")
        try:
            kind = AssetClass(asset_class)
        except ValueError:
            known = ", ".join(item.value for item in AssetClass)
            raise BadInput(f"asset_class is {asset_class!r}; use one of {known}") from None
        if kind in _ALL_DAY:
            return SessionPhase.ALL_DAY
        try:
            return self._phase_of(asof.astimezone(UTC))
        except OverflowError:
            raise BadInput(f"asof is {asof}; no zone has such a time") from None

    def resolve(self, *, asset_class: AssetClass | str, asof: datetime) -> SessionRule | None:
        """Return the rule in force; None when the market is closed or no rule covers the time.

        No rule means no trading: the sizer of another part of the day never stands in.
        """
        phase = self.phase(asset_class=asset_class, asof=asof)
        return None if phase is None else self._rules.get(phase)


def us_equity_phase(at: datetime) -> SessionPhase | None:
    """Return the part of the day in New York on a weekday; None at the weekend.

    04:00 to 09:30 ``pre``, to 16:00 ``RTH``, to 20:00 ``post``, else ``IBEOS`` (overnight).
    """
    local = at.astimezone(_NEW_YORK)
    if local.weekday() >= 5:
        return None
    minute = local.hour * 60 + local.minute
    return next(phase for end, phase in _PHASES if minute < end)


def _rule(item: tuple[str, Mapping[str, Any]]) -> SessionRule:
    name, given = item
    try:
        phase = SessionPhase(name)
    except ValueError:
        known = ", ".join(phase.value for phase in SessionPhase)
        raise BadInput(f"{name!r} is no part of the day; use {known}") from None
    if not isinstance(given, Mapping) or "sizer" not in given or set(given) - _OF_A_RULE:
        raise BadInput(f"the rule of {name!r} has a sizer and a gross_cap; it is {given!r}")
    cap = read_number(
        f"the gross_cap of {name!r}",
        given.get("gross_cap", DEFAULT_GROSS_CAPS[phase]),
        least=0.0,
        wanted="zero or more",
    )
    return SessionRule(phase, _sizer(given["sizer"]), cap)


def _sizer(sizer: Any) -> Sizer:
    if callable(sizer):
        found: Sizer = sizer
        return found
    if isinstance(sizer, str) and sizer in sizers.__all__:
        named: Sizer = getattr(sizers, sizer)
        return named
    raise BadInput(f"{sizer!r} is no sizer; known: {', '.join(sizers.__all__)}")
