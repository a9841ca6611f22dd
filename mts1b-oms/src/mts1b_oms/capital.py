"""The capital that each strategy starts with: the fund's target NAV, split over its strategies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from mts1b_foundation.funds import FundConfig
from mts1b_platform.config import ConfigError, Settings

from mts1b_oms.ledger import Owner, quantise

__all__ = ["UNALLOCATED", "StrategyShare", "check_settings", "split_capital"]

FRACTION = "capital_fraction"
UNALLOCATED = "unallocated"
"""The sub-book that holds what no strategy of a fund was given."""


class StrategyShare(Protocol):
    """What this module needs to know of a configured strategy."""

    @property
    def strategy_id(self) -> str:
        """Return its id."""
        ...

    @property
    def fund_id(self) -> str:
        """Return the fund that it trades for."""
        ...

    @property
    def enabled(self) -> bool:
        """Return whether it trades at all."""
        ...

    @property
    def params(self) -> dict[str, Any]:
        """Return its parameters; ``capital_fraction`` is its share of the fund."""
        ...


def split_capital(
    funds: Iterable[FundConfig], strategies: Iterable[StrategyShare]
) -> dict[Owner, Decimal]:
    """Return the USD that every (fund, strategy) starts with; per fund they sum to its NAV.

    Strategies with a ``capital_fraction`` get it; the others share the rest equally, the last
    of them takes the rounding. What is left to nobody stays in the sub-book ``unallocated``.

    :raises ConfigError: for a fraction that is none, and when those of a fund exceed 1.
    """
    wanted = list(strategies)
    capital: dict[Owner, Decimal] = {}
    for fund in funds:
        mine = [s for s in wanted if s.fund_id == fund.fund_id and s.enabled]
        capital.update(_split(fund, mine))
    return capital


def check_settings(settings: Settings) -> None:
    """Refuse shares of a fund that could not be given; part of ``mts config check``.

    :raises ConfigError: as :func:`split_capital`.
    """
    split_capital([entry.fund for entry in settings.funds], settings.strategies)


def _fraction(strategy: StrategyShare) -> Decimal:
    """Return the share that a strategy asks for.

    :raises ConfigError: for anything but a number above 0 and up to 1.
    """
    given = strategy.params[FRACTION]
    try:
        fraction = Decimal(str(given))
    except InvalidOperation:
        fraction = Decimal("NaN")
    if isinstance(given, bool) or not 0 < (fraction if fraction.is_finite() else 0) <= 1:
        raise ConfigError(
            "",
            f"strategies[].params.{FRACTION}",
            f"strategy {strategy.strategy_id}: {given!r} is no share of its fund; use a number "
            "above 0 and up to 1",
        )
    return fraction


def _split(fund: FundConfig, strategies: Sequence[StrategyShare]) -> dict[Owner, Decimal]:
    shares: dict[Owner, Decimal] = {}
    for strategy in strategies:
        if strategy.params.get(FRACTION) is not None:
            part = quantise(fund.target_nav_usd * _fraction(strategy))
            shares[(fund.fund_id, strategy.strategy_id)] = part
    rest = fund.target_nav_usd - sum(shares.values(), Decimal(0))
    if rest < 0:
        total = 1 - rest / fund.target_nav_usd
        raise ConfigError(
            "",
            f"strategies[].params.{FRACTION}",
            f"in fund {fund.fund_id} they sum to {total.normalize():f}, the limit is 1; lower some",
        )
    others = [s for s in strategies if (fund.fund_id, s.strategy_id) not in shares]
    for count, strategy in zip(range(len(others), 0, -1), others, strict=True):
        part = quantise(rest / count)
        shares[(fund.fund_id, strategy.strategy_id)] = part
        rest -= part
    if rest:
        shares[(fund.fund_id, UNALLOCATED)] = rest
    return shares
