"""What the fields of a fund and of its limits mean; the other settings say it themselves."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MEANINGS", "TITLES"]

_UNREAD = "for your own records: nothing reads it"

TITLES: Mapping[str, str] = {
    "mode": "Mode",
    "bus": "Bus",
    "store": "Stores",
    "replay": "Replay",
    "venue": "The paper venue",
    "instruments": "Instruments",
    "funds": "Funds and their limits",
    "strategies": "Strategies",
    "orders": "Orders",
    "risk": "Risk engine",
    "halt": "Halts",
    "limits": "Limits beyond a fund's own",
    "mandates": "Mandates",
    "operator": "Scripted operator of a replay",
    "watchdogs": "Watchdogs",
    "api": "API",
    "service": "Services",
    "log": "Logs",
}

_FUND: Mapping[str, str] = {
    "fund_id": "name of this fund, unique",
    "name": _UNREAD,
    "description": _UNREAD,
    "base_currency": "USD: prices, fees and NAV are counted in it, and nothing is converted",
    "target_nav_usd": "capital with which it starts",
    "broker": "the adapter; every fund names the same one",
    "broker_account_id": "for venues that have accounts; a simulated one has none and refuses it",
    "active": "false: it only reduces what it holds",
    "asset_classes": "default equities; what it trades, if the envelope allows it too",
    "strategies": "who may trade for it; empty: every strategy that names it",
    "created_at": _UNREAD,
    "notes": _UNREAD,
}

_ENVELOPE: Mapping[str, str] = {
    "envelope_id": "name of these limits",
    "fund_id": "the fund that they bind",
    "nav_usd": "NAV that limits are taken of, until the OMS has published one",
    "max_gross_exposure_pct": "long plus short, of NAV",
    "max_net_exposure_pct": "long less short, of NAV",
    "max_position_pct": "most in one symbol, of NAV",
    "max_position_usd": "most in one symbol; null: no such cap",
    "max_sector_pct": "most in one sector, of NAV; an unknown one counts in each, at 1 in none",
    "max_asset_class_pct": "most in one asset class, of NAV",
    "max_country_pct": "most in one country, of NAV; an unknown one counts in each, at 1 in none",
    "daily_loss_halt_pct": "loss since the last NAV before this UTC day that halts the fund",
    "weekly_loss_halt_pct": "the same since the last NAV before this ISO week",
    "monthly_loss_halt_pct": "the same since the last NAV before this month",
    "max_order_notional_usd": "most in one order",
    "max_order_qty": "most units in one order; null: no such cap",
    "allowed_brokers": "default empty, and an empty list allows nothing",
    "allowed_order_types": "default market and limit; an empty list allows nothing",
    "allowed_asset_classes": "default equities; an empty list allows nothing",
    "enable_shorting": "false: no sale below zero",
    "max_short_fee_bps": "highest borrow fee a year of a short sale",
    "require_borrow_locate": "true: shares must be located before a short sale",
    "enable_synthetic_stop": "not built yet: no stop is placed for you",
    "synthetic_stop_pct": "not built yet, so no other value is taken",
    "cro_veto_enabled": "ask for an opinion before each order; none is a denial",
    "cro_veto_confidence_threshold": "confidence from which an objection denies",
    "cro_veto_timeout_s": "how long to wait for the opinion",
    "version": "rises by one with each change",
    "created_at": "when they were set, as the audit log tells it",
    "notes": _UNREAD,
}

MEANINGS: Mapping[str, str] = {
    **{f"funds[].fund.{name}": text for name, text in _FUND.items()},
    **{f"funds[].envelope.{name}": text for name, text in _ENVELOPE.items()},
}
