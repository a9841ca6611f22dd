"""Envelopes: versions, history, and no loosening during a halt."""

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from mts1b_foundation import AssetClass, OrderType, RiskEnvelope
from mts1b_foundation.nats import RISK_ENVELOPE_UPDATED, with_fund
from mts1b_platform.store import tables as platform_tables
from mts1b_riskengine import EnvelopeLoosened, EnvelopeMissing, EnvelopeVersion
from mts1b_riskengine.envelopes import LOOSER, Looser, loosened
from riskengine_desk import AT, FUND, Desk, MakeDesk, make_envelope, make_halt, make_nav

LOOSER_VALUES: dict[str, tuple[Any, Any]] = {
    "nav_usd": (Decimal(100_000), Decimal(100_001)),
    "max_gross_exposure_pct": (1.0, 1.1),
    "max_net_exposure_pct": (1.0, 1.1),
    "max_position_pct": (0.5, 0.6),
    "max_position_usd": (Decimal(10), None),
    "max_sector_pct": (0.3, 0.4),
    "max_asset_class_pct": (0.9, 1.0),
    "max_country_pct": (0.9, 1.0),
    "daily_loss_halt_pct": (0.03, 0.04),
    "weekly_loss_halt_pct": (0.08, 0.09),
    "monthly_loss_halt_pct": (0.15, 0.16),
    "max_order_notional_usd": (Decimal(100_000), Decimal(100_001)),
    "max_order_qty": (Decimal(5), Decimal(6)),
    "allowed_brokers": (["paper"], ["paper", "ibkr"]),
    "allowed_order_types": ([OrderType.MARKET], [OrderType.MARKET, OrderType.STOP]),
    "allowed_asset_classes": ([AssetClass.FX], [AssetClass.CRYPTO]),
    "enable_shorting": (False, True),
    "max_short_fee_bps": (200.0, 201.0),
    "require_borrow_locate": (True, False),
    "enable_synthetic_stop": (True, False),
    "synthetic_stop_pct": (0.1, 0.2),
    "cro_veto_enabled": (True, False),
    "cro_veto_confidence_threshold": (0.8, 0.9),
}


def test_the_table_of_directions_covers_every_field() -> None:
    assert set(LOOSER) == set(RiskEnvelope.model_fields)
    limits = {name for name, way in LOOSER.items() if way is not Looser.NEUTRAL}
    assert limits == set(LOOSER_VALUES)


@pytest.mark.parametrize("name", sorted(LOOSER_VALUES))
async def test_each_limit_can_be_tightened_in_a_halt_and_not_loosened(
    make_desk: MakeDesk, name: str
) -> None:
    tight, loose = LOOSER_VALUES[name]
    desk = await make_desk(envelope=make_envelope(**{name: tight}))
    desk.halts.apply(make_halt())
    with pytest.raises(EnvelopeLoosened, match=name):
        await desk.engine.update_envelope(make_envelope(**{name: loose}, version=2))
    assert desk.book.envelopes.get(FUND).version == 1
    desk.halts.lift("fund:alpha")
    await desk.engine.update_envelope(make_envelope(**{name: loose}, version=2))
    desk.halts.apply(make_halt("firm"))
    if name != "allowed_asset_classes":  # an exchange of members loosens both ways
        await desk.engine.update_envelope(make_envelope(**{name: tight}, version=3))
        assert desk.book.envelopes.get(FUND).version == 3
        with pytest.raises(EnvelopeLoosened, match=name):
            await desk.engine.update_envelope(make_envelope(**{name: loose}, version=4))


async def test_one_loosened_limit_among_tightened_ones_is_found() -> None:
    old = make_envelope(max_sector_pct=0.3)
    new = make_envelope(max_position_pct=0.1, max_sector_pct=0.31)
    assert loosened(old, new) == ["max_sector_pct: 0.3 -> 0.31"]


@pytest.mark.parametrize("scope", ["strategy:trend", "fund:beta"])
async def test_a_halt_of_less_than_the_fund_forbids_nothing(desk: Desk, scope: str) -> None:
    desk.halts.apply(make_halt(scope))
    updated = await desk.engine.update_envelope(make_envelope(version=2, max_position_pct=0.9))
    assert (updated.version, updated.max_position_pct) == (2, 0.9)


async def test_a_breach_and_an_unreadable_record_forbid_loosening_too(desk: Desk) -> None:
    loose = make_envelope(version=2, max_position_pct=0.9)
    desk.halts.apply(make_halt("fund:beta"))
    (desk.home / "halt" / "halts.json").write_text("")
    with pytest.raises(EnvelopeLoosened):
        await desk.engine.update_envelope(loose)
    (desk.home / "halt" / "halts.json").unlink()
    await desk.engine.check_nav(make_nav("100000"))
    await desk.engine.check_nav(make_nav("90000", AT.replace(day=8)))
    with pytest.raises(EnvelopeLoosened):
        await desk.engine.update_envelope(loose)


@pytest.mark.parametrize("version", [1, 3, 9])
async def test_an_update_is_the_next_version(desk: Desk, version: int) -> None:
    with pytest.raises(EnvelopeVersion, match="send version 2"):
        await desk.engine.update_envelope(make_envelope(version=version, max_position_pct=0.2))


async def test_an_update_sent_twice_counts_once(desk: Desk) -> None:
    second = make_envelope(version=2, max_position_pct=0.2)
    assert await desk.engine.update_envelope(second) == second
    assert await desk.engine.update_envelope(second) == second
    assert await desk.book.envelopes.history(FUND) == [make_envelope(), second]


async def test_a_fund_without_envelope_can_not_be_updated(desk: Desk) -> None:
    with pytest.raises(EnvelopeMissing, match="alpha"):
        await desk.engine.update_envelope(make_envelope(fund_id="gamma", version=2))


async def test_every_version_is_published_with_its_fund(desk: Desk) -> None:
    await desk.engine.update_envelope(make_envelope(version=2))
    outbox = platform_tables.outbox
    async with desk.store.read() as connection:
        rows = (await connection.execute(sa.select(outbox).order_by(outbox.c.position))).all()
    assert [row.subject for row in rows] == [with_fund(RISK_ENVELOPE_UPDATED, FUND)] * 2
    assert RiskEnvelope.model_validate_json(rows[-1].payload).version == 2


async def test_configuration_is_taken_once_and_then_by_version(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(version=4))
    await desk.engine.seed_envelope(make_envelope(version=3, max_position_pct=0.9))
    assert desk.book.envelopes.get(FUND) == make_envelope(version=4)
    await desk.engine.seed_envelope(make_envelope(version=4))
    with pytest.raises(EnvelopeVersion):
        await desk.engine.seed_envelope(make_envelope(version=4, max_position_pct=0.9))
    await desk.engine.seed_envelope(make_envelope(version=5, max_position_pct=0.9))
    assert desk.book.envelopes.get(FUND).version == 5


async def test_envelopes_survive_a_restart(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.engine.update_envelope(make_envelope(version=2, max_position_pct=0.2))
    await desk.store.close()
    again = await make_desk()
    assert again.book.envelopes.get(FUND).max_position_pct == 0.2
