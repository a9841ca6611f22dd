"""Soft blocks: raised singly, overridden by two people, once, for a while; hard ones never."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, OrderType, Side, SoftBlock, SoftOverride
from mts1b_foundation.limits import RiskLimits
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing
from mts1b_riskengine.errors import OverrideRefused
from mts1b_riskengine.mandates import MandateTable
from mts1b_riskengine.overrides import sign_override
from pydantic import ValidationError
from riskengine_desk import AT, FUND, Desk, MakeDesk, make_order
from riskengine_limits import make_mandate

D = Decimal
SOFT = RiskLimits(soft_order_usd=D(1000), max_order_usd=D(5000), block_ttl_s=900.0)


def keys_of(desk: Desk) -> KeyRing:
    keys = KeyRing(desk.home / "keys", SeededRng(11))
    for name in ("ann", "bob", "eve"):
        keys.signer(f"operator-{name}")
    return keys


def signed(desk: Desk, block: SoftBlock, **changes: Any) -> SoftOverride:
    values: dict[str, Any] = {
        "block_id": block.block_id,
        "reason": "index rebalance, checked with the desk",
        "requested_by": "operator:ann",
        "approved_by": "operator:bob",
        "requested_at": desk.clock.now(),
        "expires_at": desk.clock.now() + timedelta(minutes=5),
    }
    return sign_override(keys_of(desk), **values | changes)


def big(number: int | str, **changes: Any) -> Any:
    return make_order(number, **{"quantity": D(20)} | changes)


async def blocked(desk: Desk, number: int = 1, **changes: Any) -> SoftBlock:
    """Send an order that is softly denied; return its block."""
    order = big(number, **changes)
    decision = await desk.engine.check(order)
    assert not decision.approved
    found = [block for block in desk.engine.blocks() if block.order.order_id == order.order_id]
    assert [block.code for block in found] == [decision.code]
    return found[0]


async def test_two_people_let_one_order_pass_under_a_new_key(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=SOFT)
    block = await blocked(desk)
    assert (block.gate, block.code) == ("order_value", DenyCode.FAT_FINGER)
    assert (block.limit, block.value) == ("1000", "2000")
    assert block.expires_at == AT + timedelta(seconds=900)
    granted = await desk.engine.override(signed(desk, block), keys_of(desk))
    assert granted.override is not None
    assert (await desk.engine.check(big(1))).code == DenyCode.FAT_FINGER  # its denial is final
    assert (await desk.engine.check(big(2))).approved
    assert (await desk.engine.check(big(3))).code == DenyCode.FAT_FINGER
    assert [one.order.order_id for one in desk.engine.blocks()] == ["o-3"]


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": D(21)},
        {"side": Side.SELL},
        {"symbol": "MSFT"},
        {"strategy_id": "carry"},
        {"order_type": OrderType.LIMIT, "limit_price": D(100)},
        {"account": "other"},
        {"parent_order_id": "p"},
    ],
)
async def test_an_override_fits_only_the_same_economics(
    make_desk: MakeDesk, change: dict[str, Any]
) -> None:
    desk = await make_desk(limits=SOFT)
    await desk.hold("10")
    block = await blocked(desk)
    await desk.engine.override(signed(desk, block), keys_of(desk))
    assert not (await desk.engine.check(big(2, **change))).approved
    assert (await desk.engine.check(big(3))).approved


async def test_an_override_ends_and_is_not_spent_by_a_denial(make_desk: MakeDesk) -> None:
    limits = SOFT.with_(restricted=["MSFT"], duplicate_window_s=60.0)
    desk = await make_desk(limits=limits)
    block = await blocked(desk)
    await desk.engine.override(signed(desk, block), keys_of(desk))
    desk.clock.advance(299.9)
    assert (await desk.engine.check(big(2))).approved
    second = await blocked(desk, 3)
    assert second.code == DenyCode.FAT_FINGER
    await desk.engine.override(signed(desk, second), keys_of(desk))
    # Each block is shown singly: the next one comes when the first is overridden.
    twin = await blocked(desk, 4)
    assert twin.code == DenyCode.DUPLICATE_ECONOMICS
    await desk.engine.override(signed(desk, twin), keys_of(desk))
    assert (await desk.engine.check(big(5))).approved
    third = await blocked(desk, 6)
    await desk.engine.override(signed(desk, third), keys_of(desk))
    desk.clock.advance(300)
    assert (await desk.engine.check(big(7))).code == DenyCode.FAT_FINGER


async def test_a_hard_block_can_not_be_overridden(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=SOFT)
    assert (await desk.engine.check(big(1, quantity=D(51)))).code == DenyCode.MAX_ORDER_VALUE
    assert desk.engine.blocks() == ()
    block = await blocked(desk, 2)
    forged = block.model_copy(update={"block_id": "blk-of-a-hard-denial"})
    with pytest.raises(OverrideRefused, match="can not be overridden"):
        await desk.engine.override(signed(desk, forged), keys_of(desk))


async def test_who_may_not_override(make_desk: MakeDesk) -> None:
    table = MandateTable((make_mandate(operators=["ann", "bob"]),), required=True)
    desk = await make_desk(limits=SOFT, mandates=table)
    block, keys = await blocked(desk), keys_of(desk)
    good = signed(desk, block)
    with pytest.raises(ValidationError, match="two different operators"):
        signed(desk, block, approved_by="operator:ann")
    with pytest.raises(OverrideRefused, match="no operator of mandate m-trend"):
        await desk.engine.override(signed(desk, block, approved_by="operator:eve"), keys)
    with pytest.raises(OverrideRefused, match="no key of operator:zed"):
        signed(desk, block, approved_by="operator:zed")
    stranger = good.requested_by.with_(signed_by="operator:zed")
    with pytest.raises(OverrideRefused, match="no registered operator"):
        await desk.engine.override(good.model_copy(update={"requested_by": stranger}), keys)
    changed = good.model_copy(update={"reason": "another reason than the one signed"})
    with pytest.raises(OverrideRefused, match="not signed by the key"):
        await desk.engine.override(changed, keys)
    twice = good.approved_by.with_(key_id=good.requested_by.key_id)
    with pytest.raises(OverrideRefused, match="two different operators"):
        await desk.engine.override(good.model_copy(update={"approved_by": twice}), keys)
    assert (await desk.engine.check(big(2))).code == DenyCode.FAT_FINGER
    await desk.engine.override(good, keys)
    with pytest.raises(OverrideRefused, match="overridden already"):
        await desk.engine.override(good, keys)


async def test_a_block_and_an_override_expire(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=SOFT)
    block = await blocked(desk)
    early = signed(desk, block, requested_at=desk.clock.now() + timedelta(seconds=1))
    with pytest.raises(OverrideRefused, match="sign a new one"):
        await desk.engine.override(early, keys_of(desk))
    old = signed(desk, block)
    desk.clock.advance(300)
    with pytest.raises(OverrideRefused, match="sign a new one"):
        await desk.engine.override(old, keys_of(desk))
    desk.clock.advance(600)
    with pytest.raises(OverrideRefused, match="expired"):
        await desk.engine.override(signed(desk, block), keys_of(desk))
    assert desk.engine.blocks() == ()
    later = await blocked(desk, 2)
    assert list(desk.book.blocks._open) == [later.block_id]


async def test_a_restart_keeps_blocks_and_overrides(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=SOFT)
    block = await blocked(desk)
    await desk.engine.override(signed(desk, block), keys_of(desk))
    before = desk.engine.blocks(FUND)
    await desk.store.close()
    again = await make_desk(limits=SOFT, prices=False)
    assert again.engine.blocks(FUND) == before
    assert again.engine.blocks("beta") == ()
    assert (await again.engine.check(big(2))).approved
    await again.store.close()
    last = await make_desk(limits=SOFT, prices=False)
    assert (await last.engine.check(big(3))).code == DenyCode.FAT_FINGER


# --- repeated execution


REPEAT = RiskLimits(repeat_max=3, repeat_window_s=60.0)


async def test_a_runaway_strategy_is_disabled_until_people_re_enable_it(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk(limits=REPEAT)
    for number in range(3):
        assert (await desk.engine.check(make_order(number))).approved
    block = await blocked(desk, 3)
    assert block.code == DenyCode.REPEATED_EXECUTION
    desk.clock.advance(4 * 86_400)
    other = make_order("msft", symbol="MSFT")
    assert (await desk.engine.check(other)).code == DenyCode.STRATEGY_DISABLED
    assert len(desk.engine.blocks()) == 1
    free = make_order("carry", strategy_id="carry")
    assert (await desk.engine.check(free)).approved
    await desk.store.close()
    again = await make_desk(limits=REPEAT, prices=False)
    again.clock.advance(4 * 86_400)
    assert (await again.engine.check(make_order("x"))).code == DenyCode.STRATEGY_DISABLED
    await again.engine.override(signed(again, block), keys_of(again))
    assert (await again.engine.check(make_order("y"))).approved


async def test_re_enabling_begins_the_count_anew(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=REPEAT)
    for number in range(3):
        assert (await desk.engine.check(make_order(number))).approved
    block = await blocked(desk, 3)
    await desk.engine.override(signed(desk, block), keys_of(desk))
    for number in range(4, 7):
        assert (await desk.engine.check(make_order(number))).approved
    assert (await desk.engine.check(make_order(7))).code == DenyCode.REPEATED_EXECUTION
    assert (await desk.engine.check(make_order(8))).code == DenyCode.STRATEGY_DISABLED


async def test_the_end_of_an_override_re_enables_nothing_that_was_disabled_since(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk(limits=REPEAT.with_(soft_order_usd=D(1500), max_order_usd=D(9000)))
    for number in range(3):
        assert (await desk.engine.check(make_order(number))).approved
    first = await blocked(desk, 3, quantity=D(10))
    await desk.engine.override(signed(desk, first), keys_of(desk))
    for number in range(4, 7):
        assert (await desk.engine.check(make_order(number, symbol="MSFT"))).approved
    await blocked(desk, 7, quantity=D(10), symbol="MSFT")
    desk.clock.advance(301)
    await blocked(desk, 8, strategy_id="carry")  # what has ended is put away now
    assert [block.order.order_id for block in desk.engine.blocks()] == ["o-7", "o-8"]
    assert (await desk.engine.check(make_order(9))).code == DenyCode.STRATEGY_DISABLED


async def test_orders_that_are_far_apart_are_no_loop(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=REPEAT)
    for number in range(12):
        assert (await desk.engine.check(make_order(number, quantity=D(1)))).approved
        desk.clock.advance(20)
