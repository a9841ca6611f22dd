"""Limits with every control on, none of which a small plain order reaches."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from mts1b_foundation import (
    AssetClass,
    Bar,
    Instrument,
    Order,
    OrderType,
    Quote,
    Symbol,
    TimeInForce,
)
from mts1b_foundation.limits import (
    Mandate,
    MessageLimits,
    Permission,
    RiskLimits,
    SymbolLimits,
)
from mts1b_riskengine import InstrumentTable
from mts1b_riskengine.mandates import MandateTable
from riskengine_desk import AT, FUND, Desk, MakeDesk, make_bar, make_envelope, make_nav, make_order

AAPL, MSFT, GOOG = Symbol("AAPL"), Symbol("MSFT"), Symbol("GOOG")
OPEN = AT - timedelta(hours=1)
"""An hour before the close of the session, a Wednesday."""


def make_mandate(**changes: Any) -> Mandate:
    values: dict[str, Any] = {
        "mandate_id": "m-trend",
        "strategy_id": "trend",
        "fund_id": FUND,
        "symbols": ["AAPL", "MSFT"],
        "max_gross_usd": Decimal(50_000),
        "max_position_usd": Decimal(30_000),
        "max_order_usd": Decimal(25_000),
        "max_orders_per_day": 1000,
        "venues": ["paper"],
        "order_types": [OrderType.MARKET, OrderType.LIMIT],
        "owner": "ann",
    }
    return Mandate(**values | changes)


def mandates(**changes: Any) -> MandateTable:
    return MandateTable((make_mandate(**changes),), required=True)


def listed() -> InstrumentTable:
    rows = {
        symbol: Instrument(symbol=symbol, asset_class=AssetClass.EQUITIES, currency="EUR")
        for symbol in (AAPL, MSFT)
    }
    return InstrumentTable(rows)


def all_on(**changes: Any) -> RiskLimits:
    """Return limits that switch on every gate of the table."""
    values: dict[str, Any] = {
        "reducing_strategies": ["nobody"],
        "collar_pct": Decimal("0.05"),
        "collar_soft_pct": Decimal("0.03"),
        "collar_period_pct": Decimal("0.08"),
        "max_reference_age_s": 7200.0,
        "require_quote": True,
        "max_quote_age_s": 60.0,
        "max_spread_pct": Decimal("0.02"),
        "max_order_usd": Decimal(20_000),
        "soft_order_usd": Decimal(15_000),
        "max_adv_pct": Decimal("0.1"),
        "adv_days": 3,
        "max_displayed_pct": Decimal(2),
        "check_increments": True,
        "messages": MessageLimits(
            strategy_new=50,
            strategy_amend=50,
            venue_new=60,
            venue_amend=60,
            firm_new=70,
            firm_amend=70,
        ),
        "repeat_max": 40,
        "repeat_window_s": 60.0,
        "duplicate_window_s": 10.0,
        "self_match": True,
        "max_currency_pct": Decimal("0.9"),
        "firm_max_gross_usd": Decimal(90_000),
        "firm_max_net_usd": Decimal(90_000),
        "buying_power_multiple": Decimal(1),
        "buying_power_fee_bps": Decimal(5),
        "sessions_only": True,
        "session_open_margin_s": 60.0,
        "session_close_margin_s": 60.0,
        "expiry_days": 5,
        "allowed_tifs": [TimeInForce.DAY, TimeInForce.GTD],
        "max_order_age_s": 3600.0,
        "max_gtd_days": 30,
        "max_parent_usd": Decimal(20_000),
        "children_within_parent": True,
        "unit_tolerance_pct": Decimal("0.2"),
        "bind_mode": True,
        "permissions": {"trend": Permission(brokers=["paper"], asset_classes=["equities"])},
        "restricted": [GOOG],
        "symbols": {
            AAPL: SymbolLimits(
                max_order_quantity=Decimal(500),
                max_order_usd=Decimal(20_000),
                max_position_quantity=Decimal(500),
                max_position_usd=Decimal(50_000),
                collar_pct=Decimal("0.05"),
                max_adv_pct=Decimal("0.2"),
                tick_size=Decimal("0.01"),
                lot_size=Decimal(1),
                minimum_notional=Decimal(50),
            )
        },
    }
    return RiskLimits(**values | changes)


def make_quote(bid: str = "99.9", ask: str = "100.1", **changes: Any) -> Quote:
    values: dict[str, Any] = {
        "symbol": AAPL,
        "bid": Decimal(bid),
        "ask": Decimal(ask),
        "bid_size": 1000,
        "ask_size": 1000,
        "venue": "paper",
        "timestamp": OPEN,
    }
    return Quote(**values | changes)


def day_bar(days_ago: int, volume: str = "10000", symbol: str = "AAPL") -> Bar:
    bar = make_bar(symbol, at=AT - timedelta(days=days_ago))
    return bar.with_(volume=Decimal(volume))


def child(number: int | str = 1, **changes: Any) -> Order:
    """Return an order that every control lets pass; a child of a parent of 100 units."""
    values: dict[str, Any] = {
        "order_type": OrderType.LIMIT,
        "limit_price": Decimal("100.00"),
        "reference_price": Decimal("100.00"),
        "created_at": OPEN,
        "parent_order_id": "p-1",
    }
    return make_order(number, **values | changes)


def plain(number: int | str = 1, **changes: Any) -> Order:
    """Return such an order without a parent."""
    return child(number, **{"parent_order_id": None} | changes)


async def open_market(desk: Desk) -> None:
    """Let the market and the parent be known, an hour before the close."""
    await desk.feed(*(day_bar(days) for days in (5, 4, 3, 2, 1)))
    minute = make_bar("AAPL", at=OPEN).with_(interval="1m", volume=Decimal(7))
    other = make_bar("MSFT", at=OPEN).with_(interval="1m")
    parent = make_order(
        "parent", order_id="p-1", quantity=Decimal(100), created_at=OPEN, accepted_at=OPEN
    )
    await desk.feed(minute, other, make_quote(), parent, make_nav("100000", OPEN, cash_usd=100_000))


async def market(make_desk: MakeDesk, **more: Any) -> Desk:
    """Return a desk an hour before the close, with every control on unless ``more`` says so."""
    values: dict[str, Any] = {
        "limits": all_on(),
        "mandates": mandates(),
        "instruments": listed(),
        "at": OPEN,
        "prices": False,
    }
    desk = await make_desk(**values | more)
    await open_market(desk)
    return desk


def simple(number: int, **changes: Any) -> Order:
    """Return a market order of one unit, for limits that need no market."""
    return plain(
        number, order_type=OrderType.MARKET, limit_price=None, quantity=Decimal(1), **changes
    )


def limits_of(**changes: Any) -> RiskLimits:
    """Return limits with only some controls on."""
    return RiskLimits(**changes)


__all__ = [
    "AAPL",
    "GOOG",
    "MSFT",
    "OPEN",
    "all_on",
    "child",
    "day_bar",
    "limits_of",
    "listed",
    "make_envelope",
    "make_mandate",
    "make_quote",
    "mandates",
    "market",
    "open_market",
    "plain",
    "simple",
]
