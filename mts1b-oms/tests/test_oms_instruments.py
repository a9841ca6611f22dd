"""What the settings say of instruments and funds binds: in memory, and in the services."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import AssetClass, FundConfig, Instrument, OrderStatus, RiskEnvelope
from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.risk import DenyCode
from mts1b_oms.backtest import EventBacktest
from mts1b_oms.client import OmsClient
from mts1b_oms.errors import OrderRefused
from mts1b_platform.config import ConfigError, FundSettings, Settings
from mts1b_platform.rng import SeededRng
from oms_system import NDX, PRICES, on, running, settings_of
from test_oms_backtest import BBB, NAV, START, bar, configured, order


def listed(symbol: str, **more: Any) -> Instrument:
    return Instrument(symbol=symbol, asset_class=AssetClass.EQUITIES, **more)


def with_instruments(settings: Settings, *instruments: Instrument, **more: Any) -> Settings:
    """Return settings that list instruments, and check increments."""
    given = {name: getattr(settings, name) for name in Settings.model_fields}
    return Settings(**given | {"instruments": instruments} | more)


async def begun(settings: Settings) -> EventBacktest:
    run = EventBacktest(settings, start=START, rng=SeededRng(1))
    await run.start()
    await run.on_bars([bar(1, 100), bar(1, 50, BBB)])
    return run


async def test_a_sector_cap_of_the_settings_binds_over_symbols() -> None:
    one, two = listed("AAA", sector="tech"), listed("BBB", sector="tech")
    run = await begun(with_instruments(configured(max_sector_pct=0.3), one, two))
    assert (await run.submit(order(1, 200))).status is OrderStatus.ACCEPTED
    over = await run.submit(order(2, 201, 50, symbol=BBB))
    assert (over.status, over.rejected_code) == (OrderStatus.REJECTED, DenyCode.MAX_SECTOR)
    assert (await run.submit(order(3, 200, 50, symbol=BBB))).status is OrderStatus.ACCEPTED


async def test_another_sector_has_room_of_its_own() -> None:
    one, two = listed("AAA", sector="tech"), listed("BBB", sector="energy")
    run = await begun(with_instruments(configured(max_sector_pct=0.3), one, two))
    assert (await run.submit(order(1, 200))).status is OrderStatus.ACCEPTED
    assert (await run.submit(order(2, 600, 50, symbol=BBB))).status is OrderStatus.ACCEPTED


async def test_a_sector_that_nobody_knows_has_none() -> None:
    run = await begun(configured(max_sector_pct=0.3))
    assert (await run.submit(order(1, 200))).status is OrderStatus.ACCEPTED
    over = await run.submit(order(2, 201, 50, symbol=BBB))
    assert over.rejected_code == DenyCode.MAX_SECTOR
    assert "list it in `instruments`" in over.rejected_reason


async def test_a_country_cap_of_the_settings_binds() -> None:
    one, two = listed("AAA", country="JP"), listed("BBB", country="JP")
    run = await begun(with_instruments(configured(max_country_pct=0.3), one, two))
    over = await run.submit(order(1, 301))
    assert over.rejected_code == DenyCode.MAX_COUNTRY
    assert (await run.submit(order(2, 300))).status is OrderStatus.ACCEPTED


@pytest.mark.parametrize(
    ("entry", "quantity", "changes", "code"),
    [
        ({"lot_size": 10}, 15, {}, DenyCode.LOT_SIZE),
        ({"lot_size": 10}, 20, {}, ""),
        ({"minimum_notional": 1001}, 10, {}, DenyCode.MIN_NOTIONAL),
        ({"minimum_notional": 1000}, 10, {}, ""),
        ({"tick_size": "0.5"}, 10, {"limit_price": Decimal("99.75")}, DenyCode.TICK_SIZE),
        ({"tick_size": "0.5"}, 10, {"limit_price": Decimal("99.5")}, ""),
    ],
)
async def test_increments_of_the_settings_bind(
    entry: dict[str, Any], quantity: int, changes: dict[str, Any], code: str
) -> None:
    run = await begun(
        with_instruments(
            configured(), listed("AAA", **entry), limits=RiskLimits(check_increments=True)
        )
    )
    kind = {"order_type": "limit"} if changes else {}
    taken = await run.submit(order(1, quantity, **kind, **changes))
    assert (taken.rejected_code or "") == code


@pytest.mark.parametrize(("session", "code"), [("XNYS", DenyCode.OUTSIDE_SESSION), ("24/7", "")])
async def test_the_calendar_of_the_settings_binds(session: str, code: str) -> None:
    closed_at_night = RiskLimits(sessions_only=True)
    run = await begun(
        with_instruments(configured(), listed("AAA", session=session), limits=closed_at_night)
    )
    assert ((await run.submit(order(1, 1))).rejected_code or "") == code


async def test_the_services_hold_to_the_instruments_of_the_settings(
    tmp_path: Path, order: Any
) -> None:
    funds = [
        entry.model_copy(update={"envelope": entry.envelope.with_(max_sector_pct=0.3)})
        for entry in settings_of().funds
    ]
    settings = with_instruments(
        settings_of(),
        listed("SPX", sector="broad", lot_size=100),
        listed("NDX", sector="broad", lot_size=1),
        limits=RiskLimits(check_increments=True),
        funds=funds,
    )
    async with running(tmp_path, settings) as (system, _):
        client = OmsClient(bus=system.bus)
        await system.tick(0, PRICES[0])
        odd = await client.submit(on(0, order, "odd", quantity=Decimal(150)))
        assert odd.rejected_code == DenyCode.LOT_SIZE
        first = await client.submit(on(0, order, "first", quantity=Decimal(2000)))
        assert first.status is OrderStatus.ACCEPTED
        over = await client.submit(on(0, order, "over", quantity=Decimal(500), symbol=NDX))
        assert over.rejected_code == DenyCode.MAX_SECTOR
        fits = await client.submit(on(0, order, "fits", quantity=Decimal(400), symbol=NDX))
        assert fits.status is OrderStatus.ACCEPTED


def fund(**changes: Any) -> FundSettings:
    limits = RiskEnvelope(
        envelope_id="env",
        fund_id="alpha",
        nav_usd=NAV,
        max_position_pct=1.0,
        max_sector_pct=1.0,
        allowed_brokers=["paper"],
        allowed_asset_classes=list(AssetClass),
    )
    values = {"fund_id": "alpha", "name": "alpha", "target_nav_usd": NAV}
    return FundSettings(fund=FundConfig(**values | changes), envelope=limits)


async def test_a_fund_trades_the_classes_that_it_lists() -> None:
    """Without a strategy or a mandate, the replay's symbols are all that is known."""
    settings = with_instruments(
        configured(),
        Instrument(symbol="AAA", asset_class=AssetClass.FX),
        funds=[fund()],
        strategies=[],
        replay={"symbols": ["AAA"]},
    )
    run = EventBacktest(settings, start=START, rng=SeededRng(1))
    await run.start()
    await run.on_bars([bar(1, 100)])
    book = run.risk.book
    assert book.mandates.classes == {"alpha": frozenset({AssetClass.EQUITIES})}
    decision = await run.risk.check(order(1, 1))
    assert (decision.rejecting_gate, decision.code) == ("mandate", DenyCode.MANDATE_SCOPE)


def test_a_strategy_of_a_class_that_its_fund_does_not_trade_is_refused() -> None:
    coins = Instrument(symbol="AAA", asset_class=AssetClass.CRYPTO)
    settings = with_instruments(configured(), coins)
    with pytest.raises(ConfigError, match=r"strategies\.0\.symbols\.0.*of class crypto"):
        EventBacktest(settings, start=START, rng=SeededRng(1))
    both = fund(asset_classes=["crypto", "equities"])
    EventBacktest(with_instruments(settings, coins, funds=[both]), start=START, rng=SeededRng(1))


async def test_an_inactive_fund_only_reduces_in_memory_too() -> None:
    run = await begun(with_instruments(configured(), funds=[fund(active=False)]))
    with pytest.raises(OrderRefused, match="not active"):
        await run.submit(order(1, 1))
