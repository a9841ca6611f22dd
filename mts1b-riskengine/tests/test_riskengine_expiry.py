"""Near its end a contract takes no new risk; what is held is closed, and shares never end."""

from datetime import UTC, datetime

import pytest
from mts1b_foundation import AssetClass, DenyCode, Instrument, Side, Symbol
from mts1b_foundation.limits import RiskLimits
from mts1b_riskengine import InstrumentTable
from riskengine_desk import MakeDesk, make_bar, make_envelope, make_order, outcome

FUTURE, SHARE = Symbol("ES@202602"), Symbol("AAPL")
LIMITS = RiskLimits(expiry_days=5)
"""The contract ends on the first of February at the latest."""


@pytest.mark.parametrize(("day", "ends"), [(26, False), (27, True), (31, True)])
async def test_five_days_before_its_end_a_contract_takes_no_new_risk(
    make_desk: MakeDesk, day: int, ends: bool
) -> None:
    listed = {
        symbol: Instrument(symbol=symbol, asset_class=kind, session="24/7")
        for symbol, kind in ((FUTURE, AssetClass.FUTURES), (SHARE, AssetClass.EQUITIES))
    }
    at = datetime(2026, 1, day, 12, tzinfo=UTC)
    desk = await make_desk(
        limits=LIMITS,
        at=at,
        prices=False,
        instruments=InstrumentTable(listed),
        envelope=make_envelope(
            allowed_asset_classes=list(AssetClass), max_country_pct=1.0, max_sector_pct=1.0
        ),
    )
    await desk.feed(make_bar(FUTURE, at=at), make_bar(SHARE, at=at))
    await desk.hold("10", FUTURE)
    more = await desk.engine.check(make_order(1, symbol=FUTURE, created_at=at))
    denied = ("session", DenyCode.CONTRACT_EXPIRY)
    assert outcome(more) == (denied if ends else ("", ""))
    out = make_order(2, symbol=FUTURE, side=Side.SELL, created_at=at)
    assert (await desk.engine.check(out)).approved
    assert (await desk.engine.check(make_order(3, symbol=SHARE, created_at=at))).approved
