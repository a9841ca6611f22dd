"""Loss limits: the marks of day, week and month, the latch, the halt and the resume."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import ActiveHalt, DenyCode, HaltRequest, Side
from mts1b_foundation.commands import HaltReply
from mts1b_platform.eventbus.port import NoResponders
from mts1b_riskengine import EnvelopeLoosened
from mts1b_riskengine.halting import HaltRequester
from mts1b_riskengine.losses import LOSS_RULES, NavMarks, find_breach
from riskengine_desk import (
    AT,
    FUND,
    Desk,
    MakeDesk,
    make_bar,
    make_envelope,
    make_halt,
    make_nav,
    make_order,
)

DAY = timedelta(days=1)
navs = st.lists(st.decimals("1", "1000000", places=2), min_size=1, max_size=80)


@given(navs, st.integers(0, 2000))
@settings(max_examples=50)
def test_a_period_begins_with_the_last_nav_before_it(values: list[Decimal], skip: int) -> None:
    days = [datetime(2020, 1, 1, 21, tzinfo=UTC) + DAY * (skip + i) for i in range(len(values))]
    marks = NavMarks.first(values[0], days[0])
    for value, day in zip(values[1:], days[1:], strict=True):
        marks = marks.observe(value, day)
    assert marks.peak == max(values)
    for rule in LOSS_RULES:
        now = rule.period(days[-1])
        earlier = [v for v, d in zip(values, days, strict=True) if rule.period(d) != now]
        assert getattr(marks, rule.reference) == (earlier[-1] if earlier else values[0])


def test_several_navs_of_one_day_measure_from_the_day_before() -> None:
    marks = NavMarks.first(Decimal(100), AT).observe(Decimal(98), AT + DAY)
    marks = marks.observe(Decimal(97), AT + DAY + timedelta(hours=1))
    assert marks.change(LOSS_RULES[0]) == Decimal("-0.03")


def test_an_old_nav_changes_nothing() -> None:
    marks = NavMarks.first(Decimal(100), AT)
    assert marks.observe(Decimal(50), AT - DAY) is marks


@pytest.mark.parametrize("reference", ["0", "-5"])
def test_a_reference_without_value_is_a_total_loss(reference: str) -> None:
    marks = NavMarks.first(Decimal(reference), AT)
    assert marks.change(LOSS_RULES[0]) == -1


@pytest.mark.parametrize(
    ("nav", "brought", "left"),
    [("0", "500", "500"), ("-20", "520", "500"), ("100", "-100", "0"), ("100", "-150", "-50")],
)
def test_where_no_proportion_has_a_meaning_all_begins_with_the_capital(
    nav: str, brought: str, left: str
) -> None:
    """Nothing was there, or nothing is left: a share of it says nothing."""
    begun = NavMarks.first(Decimal(1000), AT).observe(Decimal(nav), AT + DAY)
    after = begun.with_capital(Decimal(brought))
    assert after == NavMarks.first(Decimal(left), AT + DAY)


def test_a_nav_of_the_same_moment_takes_the_place_of_the_first() -> None:
    marks = NavMarks.first(Decimal(100), AT).observe(Decimal(90), AT)
    assert (marks.nav, marks.day_nav, marks.peak) == (90, 100, 100)


def test_the_shortest_period_is_named_first() -> None:
    marks = NavMarks.first(Decimal(100), AT).observe(Decimal(50), AT + 40 * DAY)
    breach = find_breach(marks, make_envelope())
    assert breach is not None
    assert breach.code is DenyCode.DAILY_LOSS
    assert breach.reason == "daily PL -50.0% breached -3.0%"


class Operations:
    """Operations as the engine sees it: applies halts to the record, or is away."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.away = False
        self.asked: list[str] = []

    async def halt(self, request: HaltRequest) -> HaltReply:
        assert request.halt_id is not None
        assert request.requested_at is not None
        if self.away:
            raise NoResponders("operations")
        self.asked.append(request.halt_id)
        state = self.desk.halts.apply(
            ActiveHalt(
                halt_id=request.halt_id,
                scope=request.scope,
                severity=request.severity,
                reason=request.reason,
                requested_by=request.requested_by,
                requested_at=request.requested_at,
                epoch=1,
                reduce_only_allowed=request.reduce_only_allowed,
            )
        )
        active = state.of(request.scope)
        return HaltReply(active=active, created=active is not None, epoch=state.epoch)


def wired(desk: Desk) -> tuple[HaltRequester, Operations]:
    operations = Operations(desk)
    return HaltRequester(desk.store, desk.book, operations.halt), operations


async def drop(desk: Desk, nav: str, days: int) -> None:
    at = AT + DAY * days
    desk.clock.advance_to(at)
    await desk.feed(make_nav(nav, at), make_bar(at=at))


async def test_a_breach_asks_for_one_halt_and_only_one(desk: Desk) -> None:
    requester, operations = wired(desk)
    await drop(desk, "100000", 0)
    await drop(desk, "96000", 1)
    assert await requester.send_pending() == 1
    await drop(desk, "90000", 2)
    await drop(desk, "80000", 3)
    assert await requester.send_pending() == 0
    assert len(operations.asked) == 1
    halt = desk.halts.state().of("fund:alpha")
    assert halt is not None
    assert halt.reason == "daily PL -4.0% breached -3.0%"
    assert halt.requested_by == "mts1b-riskengine"
    assert halt.reduce_only_allowed


async def test_the_breach_denies_before_and_without_the_halt(desk: Desk) -> None:
    requester, operations = wired(desk)
    operations.away = True
    await drop(desk, "100000", 0)
    await desk.hold("10")
    await drop(desk, "96000", 1)
    with pytest.raises(NoResponders):
        await requester.send_pending()
    assert (await desk.engine.check(make_order(1))).code == DenyCode.DAILY_LOSS
    # The NAV recovers the next day: the breach stays all the same.
    await drop(desk, "100000", 2)
    assert (await desk.engine.check(make_order(2))).code == DenyCode.DAILY_LOSS
    out = make_order(3, side=Side.SELL, reduce_only=True)
    assert (await desk.engine.check(out)).approved
    operations.away = False
    assert await requester.send_pending() == 1


async def test_a_loss_that_grows_before_the_halt_is_confirmed_is_the_same_breach(
    desk: Desk,
) -> None:
    await drop(desk, "100000", 0)
    await drop(desk, "96000", 1)
    first = desk.book.funds.get(FUND).breach
    await drop(desk, "70000", 2)
    assert desk.book.funds.get(FUND).breach == first
    assert first is not None
    assert first.at == AT + DAY


async def test_a_resume_begins_every_period_anew(desk: Desk) -> None:
    requester, operations = wired(desk)
    await drop(desk, "100000", 0)
    await drop(desk, "80000", 1)
    await requester.send_pending()
    desk.halts.lift("fund:alpha")
    assert (await desk.engine.check(make_order(1))).approved
    await drop(desk, "79000", 2)
    assert await requester.send_pending() == 0
    await drop(desk, "76000", 5)
    assert await requester.send_pending() == 1
    assert len(set(operations.asked)) == 2


async def test_the_order_of_check_and_nav_after_a_resume_does_not_matter(
    make_desk: MakeDesk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    references = []
    for check_first in (True, False):
        desk = await make_desk(home=tmp_path_factory.mktemp("home"))
        requester, _ = wired(desk)
        await drop(desk, "100000", 0)
        await drop(desk, "80000", 1)
        await requester.send_pending()
        desk.halts.lift("fund:alpha")
        if check_first:
            await desk.engine.check(make_order())
        await drop(desk, "79000", 2)
        references.append(desk.book.funds.get(FUND).marks)
    assert references[0] == references[1]


async def test_a_halt_lifted_before_the_reply_was_recorded_ends_the_breach(desk: Desk) -> None:
    await drop(desk, "100000", 0)
    await drop(desk, "80000", 1)
    _, operations = wired(desk)
    opened = desk.book.funds.get(FUND).breach
    assert opened is not None
    await operations.halt(opened.request(FUND))  # the reply is lost
    desk.halts.lift("fund:alpha")
    assert (await desk.engine.check(make_order())).approved
    assert desk.book.funds.pending() == []


async def test_a_lost_halt_record_is_no_resume(desk: Desk) -> None:
    requester, _ = wired(desk)
    await drop(desk, "100000", 0)
    await drop(desk, "80000", 1)
    await requester.send_pending()
    (desk.home / "halt" / "halts.json").unlink()
    assert (await desk.engine.check(make_order())).code == DenyCode.HALT_STATE_UNREADABLE
    assert desk.book.funds.get(FUND).breach is not None


async def test_an_operators_halt_keeps_breaches_from_opening(desk: Desk) -> None:
    requester, _ = wired(desk)
    await drop(desk, "100000", 0)
    desk.halts.apply(make_halt("firm"))
    await drop(desk, "80000", 1)
    assert desk.book.funds.get(FUND).breach is None
    assert await requester.send_pending() == 0
    desk.halts.lift("firm")
    await drop(desk, "79900", 2)
    assert await requester.send_pending() == 0


async def test_a_breach_survives_a_restart(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await drop(desk, "100000", 0)
    await drop(desk, "80000", 1)
    before = desk.book.funds.get(FUND)
    await desk.store.close()
    again = await make_desk()
    assert again.book.funds.get(FUND) == before
    requester, operations = wired(again)
    assert await requester.send_pending() == 1
    assert before.breach is not None
    assert operations.asked == [before.breach.halt_id]


async def test_a_fund_is_resumed_while_risk_is_down(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await drop(desk, "100000", 0)
    await drop(desk, "80000", 1)
    requester, _ = wired(desk)
    await requester.send_pending()
    await desk.store.close()
    desk.halts.lift("fund:alpha")
    again = await make_desk(prices=False, at=AT + DAY)
    assert (await again.engine.check(make_order(1))).approved
    await again.store.close()
    third = await make_desk(prices=False, at=AT + DAY)
    assert third.book.funds.get(FUND).breach is None
    await drop(third, "79000", 2)
    assert (await third.engine.check(make_order(2))).approved, "the loss of before the halt is past"


async def test_a_limit_is_not_loosened_between_a_breach_and_its_halt(desk: Desk) -> None:
    await drop(desk, "100000", 0)
    await drop(desk, "96000", 1)
    with pytest.raises(EnvelopeLoosened, match="daily_loss_halt_pct"):
        await desk.engine.update_envelope(make_envelope(version=2, daily_loss_halt_pct=0.5))
    assert (await desk.engine.check(make_order(1))).code == DenyCode.DAILY_LOSS


async def test_every_fund_in_breach_is_halted(desk: Desk) -> None:
    beta = make_envelope(envelope_id="env-beta", fund_id="beta")
    await desk.engine.seed_envelope(beta)
    requester, operations = wired(desk)
    for fund_id in ("beta", FUND):
        await desk.feed(make_nav("100000", fund_id=fund_id))
        await desk.feed(make_nav("50000", AT + DAY, fund_id=fund_id))
    assert [fund.fund_id for fund in desk.book.funds.pending()] == [FUND, "beta"]
    assert await requester.send_pending() == 2
    assert len(set(operations.asked)) == 2
    assert desk.book.funds.pending() == []


async def test_a_strategys_nav_opens_no_breach_of_the_fund(desk: Desk) -> None:
    await desk.engine.check_nav(make_nav("100000", AT))
    low = make_nav("10", AT + DAY, strategy_id="trend")
    assert await desk.engine.check_nav(low) is None
    await desk.feed(low)
    assert desk.book.funds.get(FUND).breach is None
    assert await desk.engine.check_nav(make_nav("96999", AT + DAY)) is not None
