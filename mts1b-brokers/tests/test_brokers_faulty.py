"""Every fault of a faulty venue really happens, is counted, and leaves the venue's books true."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from mts1b_brokers import BrokerConfigError, BrokerError, PaperClient, VenueProfile
from mts1b_brokers.faulty import FaultyVenue, VenueFaults
from mts1b_brokers.remote_client import RemoteVenue
from mts1b_foundation import OrderStatus, OrderType, Quote, Side, TimeInForce
from mts1b_foundation.orders import CorrectionKind
from mts1b_foundation.protocols import (
    AccountQuery,
    BrokerProtocol,
    CancelAllOrders,
    CapabilityCard,
    CorrectionHistory,
    DeadManTimer,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
    SimulatedVenue,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng
from mts1b_platform.simulation import run

D = Decimal
START = datetime(2008, 10, 6, 20, tzinfo=UTC)
CASH = D(1_000_000)
NO_EVIDENCE = (BrokerError, OSError, ValueError)
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": D(100), "tif": TimeInForce.GTC}
PROFILE = VenueProfile(
    fill="quote", initial_cash=CASH, replace_changes_id=True, dead_man_max_s=3600
)


class Floor:
    """A venue, a faulty connection to it and the hours that pass."""

    def __init__(self, make_order, seed=0, clock=None, **faults):
        self.clock = clock or VirtualClock(START)
        self.truth = PaperClient(profile=PROFILE, clock=self.clock)
        self.counts = Counter()
        self.rng = SeededRng(seed)
        self.faults = VenueFaults(**{"answer_s": 0.0} | faults)
        self.venue = FaultyVenue(
            self.truth,
            rng=self.rng,
            clock=self.clock,
            faults=self.faults,
            counters=lambda name: self.counts.update([name]),
        )
        self.make_order = make_order
        self.cursors = {}
        self.told = []
        self.corrections = {}
        self.quotes = 0

    async def quote(self, price, size=0):
        self.quotes += 1
        self.clock.advance(1)
        await self.truth.on_quote(
            Quote(
                symbol="SPX",
                bid=D(price),
                ask=D(price),
                bid_size=size,
                ask_size=size,
                venue="test",
                timestamp=START + timedelta(seconds=self.quotes),
            )
        )

    async def poll(self):
        """Read everything once, as a careful client does; silence is survived."""
        try:
            fills, self.cursors["fills"] = await self.venue.fills_since(self.cursors.get("fills"))
            self.told += fills
            found, self.cursors["fixes"] = await self.venue.corrections_since(
                self.cursors.get("fixes")
            )
            self.corrections |= {one.correction_id: one for one in found}
        except NO_EVIDENCE:
            pass

    async def act(self, what, *values, **more):
        """Do one thing; return its answer or the exception."""
        try:
            return await getattr(self.venue, what)(*values, **more)
        except NO_EVIDENCE as error:
            return error

    async def session(self, rounds=12):
        """Trade, change one's mind, look; the same for every fault."""
        for n in range(rounds):
            order = self.make_order(f"k{n}", [Side.BUY, Side.SELL][n % 2], 8, **LIMIT)
            await self.act("submit", order)
            await self.act("get_open_orders")
            await self.poll()
            if n % 3 == 1:
                await self.act("replace", order.order_id, quantity=D(6), limit_price=D(99))
                await self.act("get_open_orders")
            if n % 4 == 2:
                await self.act("cancel", order.order_id)
            if n == rounds // 2:
                await self.act("cancel_all")
                await self.act("cancel_all_after", 3600.0)
            await self.quote(100 + n % 3, size=5)
            await self.poll()
            for query in ("get_positions", "account_snapshot"):
                await self.act(query)
            await self.act("get_order_by_key", order.idempotency_key)

    async def require_true_books(self):
        """The told executions and corrections, each once, are the venue's cash and position."""
        executed, _ = await self.truth.fills_since(None)
        stands = {fill.fill_id: fill for fill in executed}
        fixes, _ = await self.truth.corrections_since(None)
        for one in fixes:
            fill = stands[one.fill_id]
            match one.kind:
                case CorrectionKind.BUST:
                    fill = None
                case CorrectionKind.AMEND:
                    fill = fill.with_(quantity=one.quantity, price=one.price)
                case CorrectionKind.FEE:
                    fill = fill.with_(fees=one.fees)
            stands[one.fill_id] = fill
        done = [fill for fill in stands.values() if fill is not None]
        account = await self.truth.account_snapshot()
        assert account.cash_usd == CASH - sum(f.signed_quantity * f.price + f.fees for f in done)
        held = sum((p.quantity for p in account.positions), D(0))
        assert held == sum((f.signed_quantity for f in done), D(0))


EXPECTED = {
    "timeout": {"A3 executed", "A4 not executed"},
    "reset": {"A11 reset executed", "A11 reset not executed"},
    "malformed": {"A14 malformed"},
    "cancel_lost": {
        "C2 cancel executed",
        "C2 cancel not executed",
    },
    "replace_lost": {"C2 replace executed", "C2 replace not executed"},
    "query_lost": {"D5 query failed"},
    "deaf": {"venue.maintenance"},
    "reject_later": {"A12 rejected after accept"},
    "fill_before_ack": {"B3 fill before ack"},
    "cancel_crosses_fill": {"C1 cancel crossed a fill"},
    "replace_crosses_fill": {"C5 replace crossed a partial fill"},
    "replace_kills": {"C7 refused and gone"},
    "fill_on_new_id": {"C6 fill on the new id first"},
    "old_half": {"C8 old half shown"},
    "late_fill": {"B9 told late", "B7 out of order"},
    "repeat": {"B1 told again"},
    "two_ids": {"B2 second id"},
    "uncharged": {"B11 fee missing", "B11 fee stated later"},
    "overfill": {"B6 overfill"},
    "late_execution": {"B4 fill after the end"},
    "bust": {"B8 bust"},
    "amend": {"B8 amend"},
    "bust_unseen": {"B8 bust before the fill"},
    "external": {"B12 external order"},
    "page_missing": {"D6 page missing"},
    "duplicate_rows": {"D6 duplicate rows"},
    "stale": {"D6 stale cache"},
}


def test_every_fault_has_a_count_that_is_looked_for():
    assert set(EXPECTED) == set(VenueFaults.names())


@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_a_fault_that_is_on_happens_and_no_other(make_order, name):
    seen = Counter()
    for seed in range(6):
        floor = Floor(make_order, seed, **{name: 0.6, "late_fill_s": 8.0})
        await floor.session()
        await floor.require_true_books()
        seen += floor.counts
    assert EXPECTED[name] <= set(seen)
    extra = {
        "repeat": {"B8 correction told again"},
        "cancel_lost": _REST,
        "bust_unseen": {"B7 out of order"},
    }
    assert set(seen) <= EXPECTED[name] | extra.get(name, set())


_REST = {
    f"{what} {how}"
    for what in ("C2 cancel-all", "H7 timer")
    for how in ("executed", "not executed")
}


async def test_without_faults_it_is_the_venue_itself(make_order):
    floor = Floor(make_order)
    await floor.session()
    assert floor.counts == {}
    plain = PaperClient(profile=PROFILE, clock=floor.clock)
    for protocol in (
        BrokerProtocol,
        OrderQuery,
        FillHistory,
        AccountQuery,
        CancelAllOrders,
        CapabilityCard,
        ReplaceOrders,
        CorrectionHistory,
        DeadManTimer,
        SimulatedVenue,
    ):
        assert isinstance(floor.venue, protocol)
    assert floor.venue.capabilities() == plain.capabilities()
    assert floor.told == (await floor.truth.fills_since(None))[0]
    assert await floor.venue.account_snapshot() == await floor.truth.account_snapshot()


async def _swarm(make_order, seed):
    faults = VenueFaults.swarm(SeededRng(seed))
    floor = Floor(make_order, seed, **dict(faults.active()))
    await floor.session(20)
    await floor.require_true_books()
    return floor


async def test_nothing_that_was_executed_stays_untold(make_order):
    hit = Counter()
    for seed in range(40):
        floor = await _swarm(make_order, seed)
        hit += floor.counts
        floor.clock.advance(3600)
        truth = {fill.fill_id for fill in (await floor.truth.fills_since(None))[0]}
        for _ in range(60):
            floor.clock.advance(60)
            await floor.poll()
            told = {fill.fill_id for fill in floor.told}
            if truth <= told:
                break
        assert truth <= told
        executed = {fill.fill_id for fill in (await floor.truth.fills_since(None))[0]}
        assert told <= executed or floor.faults.two_ids > 0.0
    missing = set().union(*EXPECTED.values()) - set(hit)
    assert missing == set()


async def test_a_seed_gives_the_same_faults_again(make_order):
    for seed in range(5):
        one, two = [await _swarm(make_order, seed) for _ in range(2)]
        assert one.counts == two.counts
        assert one.told == two.told
        assert one.corrections == two.corrections


async def _crowd(make_order, loop, seed):
    """Let four clients use one connection at once while the market moves."""
    swarm = VenueFaults.swarm(SeededRng(seed))
    faults = dict(swarm.active()) | {"answer_s": 0.5, "late_fill_s": 5.0}
    floor = Floor(make_order, seed, loop.clock, **faults)

    async def trade(who):
        for n in range(6):
            order = make_order(f"{who}-{n}", [Side.BUY, Side.SELL][n % 2], 8, **LIMIT)
            await floor.act("submit", order)
            await floor.poll()
            if n % 2:
                await floor.act("replace", order.order_id, quantity=D(6), limit_price=D(99))
            await asyncio.sleep(0.1)
            await floor.act("cancel", order.order_id)

    async def market():
        for n in range(12):
            quote = {"bid": D(100 + n % 3), "ask": D(100 + n % 3), "bid_size": 5, "ask_size": 5}
            await floor.truth.on_quote(
                Quote(symbol="SPX", venue="test", timestamp=loop.clock.now(), **quote)
            )
            await asyncio.sleep(0.3)

    await asyncio.gather(market(), *(trade(who) for who in "abcd"))
    await floor.require_true_books()
    return floor.counts, floor.told


def test_a_crowd_on_the_simulated_loop_sees_the_same_from_the_same_seed(make_order):
    seen = Counter()
    for seed in range(8):
        one, two = [run(lambda loop, s=seed: _crowd(make_order, loop, s), seed=seed) for _ in "12"]
        assert one == two
        seen += one[0]
    assert len(seen) > 20


async def test_an_answer_that_is_lost_says_nothing_of_the_order(make_order):
    became = Counter()
    for seed in range(30):
        floor = Floor(make_order, seed, timeout=1.0)
        with pytest.raises(TimeoutError):
            await floor.venue.submit(make_order(**LIMIT))
        became[await floor.truth.get_order_by_key("k1") is not None] += 1
    assert min(became.values()) >= 5


async def test_an_order_rejected_after_the_ack_is_rejected_for_good(make_order):
    floor = Floor(make_order, reject_later=1.0)
    accepted = await floor.venue.submit(make_order(**LIMIT))
    assert accepted.status is OrderStatus.ACCEPTED
    await floor.poll()
    view = await floor.venue.get_order_by_key("k1")
    assert (view.status, view.rejected_code) == (OrderStatus.REJECTED, "VENUE_RISK")
    assert await floor.venue.get_open_orders() == []
    await floor.quote(100)
    assert (await floor.truth.fills_since(None))[0] == []


async def test_an_order_that_has_fills_is_not_rejected_any_more(make_order):
    floor = Floor(make_order, reject_later=1.0)
    await floor.venue.submit(make_order(**LIMIT))
    await floor.quote(100, size=4)
    await floor.poll()
    view = await floor.venue.get_order_by_key("k1")
    assert (view.status, view.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 4)
    assert floor.counts == {}


async def test_no_fee_is_stated_of_what_was_taken_back(make_order):
    for seed in range(10):
        floor = Floor(make_order, seed, uncharged=1.0, bust=1.0)
        await floor.venue.submit(make_order(**LIMIT))
        await floor.quote(100)
        for _ in range(5):
            await floor.venue.fills_since(None)
        fixes, _ = await floor.venue.corrections_since(None)
        assert [one.kind for one in fixes] == [CorrectionKind.BUST]


async def test_a_bust_can_come_before_its_fill(make_order):
    floor = Floor(make_order, bust_unseen=1.0, late_fill_s=30.0)
    await floor.venue.submit(make_order(**LIMIT))
    await floor.quote(100)
    await floor.poll()
    (fix,) = floor.corrections.values()
    assert (fix.kind, floor.told) == (CorrectionKind.BUST, [])
    floor.clock.advance(31)
    await floor.poll()
    assert [fill.fill_id for fill in floor.told] == [fix.fill_id]


async def test_the_stream_tells_the_other_id(make_order):
    floor = Floor(make_order, two_ids=1.0, repeat=1.0)
    await floor.venue.submit(make_order(**LIMIT))
    await floor.quote(100)
    stream = floor.venue.stream_fills()
    first, again = await anext(stream), await anext(stream)
    await stream.aclose()
    await floor.poll()
    own, twin = floor.told
    assert first == again == twin
    assert own.fill_id != twin.fill_id
    assert own.with_(fill_id=twin.fill_id) == twin


async def test_a_deaf_venue_hears_again(make_order):
    floor = Floor(make_order, deaf=0.3, deaf_s=10.0)
    answers = []
    for _ in range(200):
        floor.clock.advance(1)
        answers.append(await floor.act("get_positions"))
    silent = sum(isinstance(answer, BrokerError) for answer in answers)
    assert 0 < floor.counts["venue.maintenance"] < silent < len(answers)
    assert set(floor.counts) == {"venue.maintenance"}


async def test_lost_answers_take_their_time(make_order):
    floor = Floor(make_order, query_lost=1.0, answer_s=3.0)
    task = asyncio.create_task(floor.act("get_positions"))
    await asyncio.sleep(0)
    floor.clock.advance(2)
    await asyncio.sleep(0)
    assert not task.done()
    floor.clock.advance(1)
    assert isinstance(await task, TimeoutError)


async def test_faults_of_the_desk_need_one(make_order):
    far = RemoteVenue("127.0.0.1:1", card=PaperClient().capabilities())
    floor = Floor(make_order)
    parts = {"rng": floor.rng, "clock": floor.clock, "counters": lambda _: None}
    with pytest.raises(BrokerConfigError, match="bust"):
        FaultyVenue(far, faults=VenueFaults(bust=0.1, timeout=0.1), **parts)
    FaultyVenue(far, faults=VenueFaults(timeout=0.1, late_fill=1.0), **parts)


def test_a_swarm_is_a_part_of_the_faults_and_can_be_made_smaller():
    seen = Counter()
    for seed in range(200):
        faults = VenueFaults.swarm(SeededRng(seed))
        active = faults.active()
        seen.update(active)
        assert all(0.0 < value <= 1.0 for value in active.values())
        if active:
            name = next(iter(active))
            assert set(faults.without(name).active()) == set(active) - {name}
    assert VenueFaults.none().active() == {}
    assert set(seen) == set(VenueFaults.names())
    assert max(seen.values()) < 160
