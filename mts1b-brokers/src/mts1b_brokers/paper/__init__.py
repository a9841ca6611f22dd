"""The paper venue: a simulator with the manners of a real one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_foundation.orders import ExecutionMode

from mts1b_brokers.paper.client import PaperClient
from mts1b_brokers.paper.profile import FillPolicy, MaintenanceWindow, VenueProfile
from mts1b_brokers.paper.venue import PaperVenue

if TYPE_CHECKING:
    from mts1b_platform.clock import Clock
    from mts1b_platform.config import Settings
    from mts1b_platform.ids import Ids

__all__ = ["FillPolicy", "MaintenanceWindow", "PaperClient", "PaperVenue", "VenueProfile", "create"]

_CASH = VenueProfile().initial_cash


def create(settings: Settings, *, home: Path, clock: Clock, ids: Ids) -> PaperClient:
    """Return the paper venue that the settings describe, with its record under ``home``.

    Its ids are derived from the orders' keys, so ``ids`` is not used. Without
    ``venue.initial_cash_usd`` it starts with the sum of the funds' capital, and without a fund
    with the default of :class:`VenueProfile`. A backtest's venue is in memory alone.
    """
    venue = settings.venue
    funded = sum((entry.fund.target_nav_usd for entry in settings.funds), Decimal(0))
    cash = venue.initial_cash_usd if venue.initial_cash_usd is not None else funded or _CASH
    kind = VenueProfile.named(venue.profile)
    profile = kind.with_(
        fee_bps_per_side=venue.fee_bps_per_side,
        slippage_bps=venue.slippage_bps,
        latency_ms=Decimal(venue.latency_ms),
        max_participation=venue.max_participation,
        fill=FillPolicy(venue.fill),
        initial_cash=cash,
        dead_man_max_s=kind.dead_man_max_s if venue.dead_man_s is None else venue.dead_man_s,
    )
    if settings.mode is ExecutionMode.BACKTEST:
        return PaperClient(profile=profile, clock=clock)
    template = settings.store.url_template
    url = template.format(name="venue_paper") if template else None
    return PaperClient(profile=profile, home=home, clock=clock, store_url=url)
