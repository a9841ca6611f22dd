"""What moves the account without an order, booked by an operator's signed word."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mts1b_brokers.paper import VenueProfile
from mts1b_foundation import Order, OrderType, Symbol, TimeInForce
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_foundation.positions import Position
from mts1b_foundation.protocols import AccountSnapshot
from mts1b_oms import by_hand
from mts1b_oms.adjuster import Adjuster, sign_adjustment
from mts1b_oms.corrections import take_corrections
from mts1b_oms.errors import AdjustmentRefused, OrderRefused
from mts1b_oms.manual import BadOrder
from mts1b_oms.reconcile import TheirBooks
from mts1b_oms.tables.books import read_fills
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing
from mts1b_riskengine.service import RiskEngineService
from oms_system import PRICES, replay, running, settings_of

SPX, NDX = Symbol("SPX"), Symbol("NDX")
OWNER = ("alpha", "trend")
MONEY = {"fund_id": "alpha", "strategy_id": "trend"}


class Account:
    """What the venue shows: what was traded, and what came or went besides."""

    def __init__(self, desk: Any) -> None:
        self._traded = desk.venue.account_snapshot
        self.cash = Decimal(0)
        self.units: dict[Symbol, Decimal] = {}
        desk.venue.account_snapshot = self.show

    async def show(self) -> AccountSnapshot:
        traded: AccountSnapshot = await self._traded()
        held = {position.symbol: position.quantity for position in traded.positions}
        for symbol, units in self.units.items():
            held[symbol] = held.get(symbol, Decimal(0)) + units
        rows = tuple(_position(symbol, units) for symbol, units in held.items() if units)
        return traded.with_(cash_usd=traded.cash_usd + self.cash, positions=rows)


def _position(symbol: Symbol, quantity: Decimal) -> Position:
    return Position(
        symbol=symbol,
        quantity=quantity,
        average_price=Decimal(100),
        last_price=Decimal(100),
        market_value_usd=quantity * 100,
        as_of=datetime(2020, 1, 2, tzinfo=UTC),
    )


class Office:
    """A desk with ten SPX bought at 100, an account, an operator."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.account = Account(desk)
        self.ring = KeyRing(desk.home / "keys", SeededRng(5))
        self.ring.create("operator-ann")

    def word(self, kind: str, **said: Any) -> AdjustBooks:
        terms = {
            "adjustment_id": "a-1",
            "kind": kind,
            "reason": "statement of the 2nd",
            "signed_by": "operator:ann",
            "requested_at": self.desk.clock.now(),
        }
        return sign_adjustment(self.ring, AdjustBooks.model_validate(terms | said))

    async def book(self, kind: str, **said: Any) -> Any:
        adjuster = Adjuster(self.desk.record, self.desk.reconciler, self.ring)
        return await adjuster.adjust(self.word(kind, **said))

    def nav(self, strategy: str | None = None) -> Any:
        return self.desk.record.navs["alpha", strategy]

    def held(self, symbol: Symbol = SPX) -> Any:
        return self.desk.record.ledger.book(*OWNER).holdings[symbol]

    async def is_shut(self) -> bool:
        await self.desk.reconciler.reconcile()
        return not self.desk.gate.is_open


@pytest.fixture
async def office(new_desk: Any, order: Any) -> Office:
    profile = VenueProfile(fee_bps_per_side=Decimal(0), initial_cash=Decimal(1_000_000))
    desk = await new_desk(profile=profile)
    await desk.orders.submit(order("k-1"))
    await desk.tick(1, {SPX: ("100", "100")})
    return Office(desk)


@pytest.mark.parametrize(
    ("kind", "cash", "symbol"),
    [
        ("dividend", "12.34", SPX),
        ("interest", "3", None),
        ("fee", "-7.5", None),
        ("tax", "-1", SPX),
    ],
)
async def test_d9_income_opens_the_gate_again_and_counts_as_profit(
    office: Office, kind: str, cash: str, symbol: Symbol | None
) -> None:
    before, amount = office.nav(), Decimal(cash)
    office.account.cash = amount
    assert await office.is_shut()

    reply = await office.book(kind, cash_usd=amount, symbol=symbol, **MONEY)

    assert not reply.again
    assert office.desk.gate.is_open
    nav = office.nav()
    assert nav.nav_usd - before.nav_usd == amount
    assert nav.realized_pnl_usd - before.realized_pnl_usd == amount
    assert nav.capital_usd == before.capital_usd
    assert nav.gain_since(before) == amount
    assert "books.adjusted" in await office.desk.verbs()


@pytest.mark.parametrize(("kind", "cash"), [("deposit", "60000"), ("withdrawal", "-240000")])
async def test_d9_capital_is_no_gain_and_moves_no_drawdown(
    office: Office, kind: str, cash: str
) -> None:
    desk, amount = office.desk, Decimal(cash)
    await desk.tick(2, {SPX: ("100", "50")})
    before, strategy = office.nav(), office.nav("trend")
    assert max(before.drawdown, strategy.drawdown) < 0
    office.account.cash = amount

    await office.book(kind, cash_usd=amount, **MONEY)

    assert desk.gate.is_open
    nav = office.nav()
    assert nav.nav_usd == before.nav_usd + amount
    assert nav.capital_usd == before.capital_usd + amount
    assert nav.gain_since(before) == 0
    assert nav.drawdown == pytest.approx(before.drawdown, abs=Decimal("1e-8"))
    assert nav.realized_pnl_usd == before.realized_pnl_usd
    assert office.nav("trend").drawdown == pytest.approx(strategy.drawdown, abs=Decimal("1e-8"))
    await desk.tick(3, {SPX: ("50", "50")})
    assert office.nav().drawdown == pytest.approx(before.drawdown, abs=Decimal("1e-8"))


async def test_d9_a_split_leaves_the_value_and_the_cost_what_they_were(office: Office) -> None:
    before, cost = office.nav(), office.held().paid
    office.account.units[SPX] = Decimal(10)
    assert await office.is_shut()

    await office.book("split", symbol=SPX, ratio="2", price="50")

    assert office.desk.gate.is_open
    assert (office.held().quantity, office.held().paid) == (20, cost)
    assert office.held().average_price == 50
    assert office.nav().nav_usd == before.nav_usd
    await office.desk.tick(2, {SPX: ("50", "55")})
    assert office.nav().nav_usd - before.nav_usd == 20 * 5


async def test_d9_stock_that_comes_is_capital_at_its_price(office: Office) -> None:
    before = office.nav()
    office.account.units[NDX] = Decimal(7)

    await office.book("transfer", symbol=NDX, quantity="7", price="30", **MONEY)

    assert office.desk.gate.is_open
    assert office.held(NDX).quantity == 7
    assert office.nav().nav_usd - before.nav_usd == 210
    assert office.nav().gain_since(before) == 0


async def test_what_is_held_is_reduced_though_nobody_lists_it_any_more(
    office: Office, order: Any
) -> None:
    gone = Symbol("GONE")
    office.account.units[gone] = Decimal(7)
    words = {"symbol": gone, "side": "sell", "quantity": Decimal(7), "reduce_only": True}
    with pytest.raises(OrderRefused, match="unknown symbol GONE"):
        await office.desk.orders.submit(order("k-2", **words))
    await office.book("transfer", symbol=gone, quantity="7", price="30", **MONEY)
    with pytest.raises(OrderRefused, match="unknown symbol GONE"):
        await office.desk.orders.submit(order("k-3", **words | {"reduce_only": False}))
    assert (await office.desk.orders.submit(order("k-4", **words))).status.value != "rejected"


async def test_cash_in_lieu_of_half_a_unit_is_a_sale(office: Office) -> None:
    before = office.nav()
    office.account.units[SPX], office.account.cash = Decimal("-0.5"), Decimal(60)

    await office.book("transfer", symbol=SPX, quantity="-0.5", price="120", cash_usd="60", **MONEY)

    assert office.desk.gate.is_open
    assert office.held().quantity == Decimal("9.5")
    assert office.nav().realized_pnl_usd - before.realized_pnl_usd == 10
    assert office.nav().capital_usd == before.capital_usd


async def test_the_same_words_are_booked_once(office: Office) -> None:
    office.account.cash = Decimal(5)
    await office.book("dividend", cash_usd="5", **MONEY)
    cash = office.desk.record.ledger.cash()

    assert (await office.book("dividend", cash_usd="5.00", **MONEY)).again
    assert office.desk.record.ledger.cash() == cash
    with pytest.raises(AdjustmentRefused, match="says something else"):
        await office.book("dividend", cash_usd="6", **MONEY)


async def test_it_outlives_a_restart(office: Office) -> None:
    desk = office.desk
    office.account.cash = Decimal(1_005)
    await office.book("dividend", cash_usd="5", **MONEY)
    await office.book("deposit", cash_usd="1000", adjustment_id="a-2", **MONEY)
    nav, books = office.nav(), desk.record.ledger.books

    again = await desk.reopen(recover=False)

    assert again.record.ledger.books == books
    assert again.record.navs["alpha", None] == nav
    assert again.record.peaks["alpha", None] == nav.peak_nav_usd


async def test_a_later_bust_is_of_units_of_before_the_split(office: Office, order: Any) -> None:
    desk = office.desk
    await desk.orders.submit(order("k-2"))
    await desk.tick(2, {SPX: ("100", "100")})
    async with desk.record.store.read() as tx:
        second = (await read_fills(tx))[-1].fill
    office.account.units[SPX] = Decimal(20)
    await office.book("split", symbol=SPX, ratio="2", price="50")
    assert office.held().quantity == 40

    bust = FillCorrection(
        correction_id="c-1",
        fill_id=second.fill_id,
        order_id=second.order_id,
        kind=CorrectionKind.BUST,
        venue="paper",
        timestamp=desk.clock.now(),
    )
    async with desk.record.unit() as unit:
        await take_corrections(unit, [bust])

    assert (office.held().quantity, office.held().paid) == (20, 1000)


@pytest.mark.parametrize(
    ("kind", "said", "why"),
    [
        ("deposit", {"cash_usd": "50000", **MONEY}, "venue does not show it: cash"),
        ("dividend", {"cash_usd": "-5", **MONEY}, "venue does not show it"),
        ("dividend", {"cash_usd": "5", "fund_id": "alpha", "strategy_id": "x"}, "no book alpha/x"),
        ("split", {"symbol": SPX, "ratio": "3", "price": "33"}, "venue does not show it: SPX"),
        ("split", {"symbol": SPX, "ratio": "2", "price": "5"}, "far from its last price"),
        ("transfer", {"symbol": NDX, "quantity": "7", "price": "30", **MONEY}, "show it: NDX"),
    ],
)
async def test_what_the_venue_does_not_show_is_refused(
    office: Office, kind: str, said: dict[str, Any], why: str
) -> None:
    office.account.cash = Decimal(5)
    books = office.desk.record.ledger.books
    with pytest.raises(AdjustmentRefused, match=why):
        await office.book(kind, **said)
    assert office.desk.record.ledger.books == books


async def test_a_slip_of_the_pen_is_refused(office: Office) -> None:
    """50 for 5.0: it would leave the books further from the venue's than they are."""
    office.account.cash = Decimal(5)
    with pytest.raises(AdjustmentRefused, match="would be"):
        await office.book("dividend", cash_usd="50", **MONEY)
    await office.book("dividend", cash_usd="5", **MONEY)


async def test_of_two_that_undo_each_other_the_first_is_booked_as_a_part(office: Office) -> None:
    """A dividend of 100 and a fee of 90 show as 10: neither alone comes nearer."""
    office.account.cash = Decimal(10)
    with pytest.raises(AdjustmentRefused, match="--in-part"):
        await office.book("dividend", cash_usd="100", **MONEY)
    await office.book("dividend", cash_usd="100", in_part=True, **MONEY)
    await office.book("fee", cash_usd="-90", adjustment_id="a-2", **MONEY)
    assert office.desk.gate.is_open
    with pytest.raises(AdjustmentRefused, match="--in-part"):
        await office.book("fee", cash_usd="-1", adjustment_id="a-3", in_part=True, **MONEY)


async def test_a_split_waits_until_no_order_is_open(office: Office, order: Any) -> None:
    desk = office.desk
    patient: Order = order(
        "k-2", order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.GTC
    )
    sent = await desk.orders.submit(patient)
    office.account.units[SPX] = Decimal(10)
    with pytest.raises(AdjustmentRefused, match=f"{sent.order_id}; cancel them first"):
        await office.book("split", symbol=SPX, ratio="2", price="50")


async def test_who_has_not_signed_books_nothing(office: Office) -> None:
    office.account.cash = Decimal(5)
    good = office.word("dividend", cash_usd="5", **MONEY)
    adjuster = Adjuster(office.desk.record, office.desk.reconciler, office.ring)
    for bad in (
        good.with_(signature=""),
        good.with_(cash_usd=Decimal("4.99")),
        good.with_(strategy_id="other"),
        good.with_(signed_by="operator:bob"),
    ):
        with pytest.raises(AdjustmentRefused, match=r"signed by|registered"):
            await adjuster.adjust(bad)


async def test_a_venue_that_can_not_be_read_shows_nothing(office: Office) -> None:
    async def silent() -> AccountSnapshot:
        raise ConnectionError("reset")

    office.desk.venue.account_snapshot = silent
    with pytest.raises(AdjustmentRefused, match="could not be read"):
        await office.book("dividend", cash_usd="5", **MONEY)


async def test_over_the_bus_risk_follows_and_the_audit_can(
    tmp_path: Path, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    KeyRing(tmp_path / "keys", SeededRng(5)).create("operator-ann")
    async with running(tmp_path, settings_of()) as (system, oms):

        async def connect(*_: Any, **__: Any) -> Any:
            return SimpleNamespace(request=system.bus.request, close=_nothing)

        monkeypatch.setattr(by_hand, "connect", connect)
        await replay(system, order)
        before = (await oms._venue.account_snapshot()).cash_usd
        words = {"kind": "withdrawal", "reason": "statement", "cash_usd": "-400000", **MONEY}

        first = await by_hand.adjust_by_hand(tmp_path, words, operator="ann")
        again = await by_hand.adjust_by_hand(tmp_path, words, operator="ann")
        await system.tick(3, PRICES[2])

        assert (first.again, again.again) == (False, True)
        risk = system.services[0]
        assert isinstance(risk, RiskEngineService)
        marks = risk.engine.book.funds.get("alpha").marks
        assert marks is not None
        assert marks.nav == oms.record.navs["alpha", None].nav_usd
        assert abs(marks.changes()[0]) < Decimal("0.01"), "capital that went is no loss"
        account = await oms._venue.account_snapshot()
        assert account.cash_usd == before - 400_000, "the paper venue's account moved, and once"
        assert oms.gate.is_open
        with pytest.raises(AdjustmentRefused, match="can not be withdrawn"):
            await by_hand.adjust_by_hand(tmp_path, words | {"cash_usd": "-9000000"}, operator="ann")
        with pytest.raises(AdjustmentRefused, match="mts cmd operator-key bob"):
            await by_hand.adjust_by_hand(tmp_path, words, operator="bob")
        with pytest.raises(BadOrder, match=r"no adjustment: .*negative amount"):
            await by_hand.adjust_by_hand(tmp_path, words | {"cash_usd": "4"}, operator="ann")


async def _nothing() -> None:
    """A bus that others still use is not closed."""


async def test_a_paper_account_is_funded_and_split_by_the_operators_word(
    new_desk: Any, order: Any
) -> None:
    """Every deposit was refused: a simulated venue has no bank that could show one."""
    profile = VenueProfile(fee_bps_per_side=Decimal(0), initial_cash=Decimal(1_000_000))
    desk = await new_desk(profile=profile)
    await desk.orders.submit(order("k-1"))
    await desk.tick(1, {SPX: ("100", "100")})
    office = Office(desk)
    adjuster = Adjuster(desk.record, desk.reconciler, office.ring, desk.venue.paper)

    for said in (
        office.word("deposit", cash_usd=Decimal(5_000), **MONEY),
        office.word("split", adjustment_id="a-2", symbol=SPX, ratio="2", price="50"),
        office.word("dividend", adjustment_id="a-3", cash_usd=Decimal(7), symbol=SPX, **MONEY),
    ):
        await adjuster.adjust(said)
        assert (await adjuster.adjust(said)).again
        assert desk.gate.is_open, desk.gate.reason

    account = await desk.venue.paper.account_snapshot()
    assert (account.cash_usd, desk.record.ledger.cash()) == (1_004_007, 1_004_007)
    assert [p.quantity for p in account.positions] == [20]
    assert desk.record.ledger.quantities() == {SPX: 20}
    with pytest.raises(AdjustmentRefused, match="can not be withdrawn"):
        await adjuster.adjust(
            office.word("withdrawal", adjustment_id="a-4", cash_usd=Decimal(-9_000_000), **MONEY)
        )
    assert desk.gate.is_open


async def test_what_the_paper_venue_has_moved_and_nobody_booked_is_booked_by_the_same_word(
    new_desk: Any,
) -> None:
    """The OMS died between the two."""
    desk = await new_desk()
    office = Office(desk)
    word = office.word("deposit", cash_usd=Decimal(5_000), **MONEY)
    await desk.venue.paper.play_adjustment(word)
    assert await office.is_shut()
    await Adjuster(desk.record, desk.reconciler, office.ring, desk.venue.paper).adjust(word)
    assert desk.gate.is_open
    assert (await desk.venue.paper.account_snapshot()).cash_usd == 1_005_000


async def test_money_is_not_booked_where_a_venue_states_none(office: Office) -> None:
    """It was booked unchecked, whatever the amount."""

    async def silent() -> TheirBooks:
        return TheirBooks({SPX: Decimal(10)}, None)

    office.desk.reconciler.their_books = silent
    with pytest.raises(AdjustmentRefused, match="states no cash"):
        await office.book("deposit", cash_usd=Decimal(5_000), **MONEY)
    assert office.desk.record.ledger.cash() == 999_000
