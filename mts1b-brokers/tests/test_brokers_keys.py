"""How long a venue remembers a key: four policies, and what a second order with it becomes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from mts1b_brokers import DuplicateOrderId, KeyReuseMismatch, PaperClient, VenueProfile
from mts1b_brokers.paper import PaperVenue
from mts1b_foundation import Order, OrderStatus, Side, TimeInForce
from mts1b_foundation.protocols import DedupePolicy
from mts1b_platform.clock import VirtualClock

D = Decimal
START = datetime(2008, 10, 6, 20, tzinfo=UTC)
WINDOW_S = 600


def _order(key: str, quantity: int = 10) -> Order:
    return Order(
        order_id=f"order-{key}",
        idempotency_key=key,
        symbol="SPX",
        side=Side.BUY,
        quantity=D(quantity),
        tif=TimeInForce.GTC,
        fund_id="f",
        strategy_id="s",
        created_at=START,
    )


class Keys(RuleBasedStateMachine):
    """A model that keeps for each key what was taken, when, and whether it is open."""

    policy = DedupePolicy.PERMANENT

    def __init__(self):
        super().__init__()
        window = WINDOW_S if self.policy is DedupePolicy.WINDOW else None
        profile = VenueProfile(dedupe=self.policy, dedupe_window_s=window)
        self.venue = PaperVenue(name="paper", profile=profile)
        self.now = START
        self.taken = {}

    def known(self, key):
        if key not in self.taken or self.policy is DedupePolicy.NONE:
            return None
        broker_id, at, is_open = self.taken[key][-1]
        match self.policy:
            case DedupePolicy.OPEN_ORDERS:
                return broker_id if is_open else None
            case DedupePolicy.WINDOW:
                return broker_id if self.now - at < timedelta(seconds=WINDOW_S) else None
        return broker_id

    @rule(key=st.sampled_from("abc"))
    def submit(self, key):
        expected = self.known(key)
        answer, draft = self.venue.submit(_order(key), self.now)
        if expected is not None:
            assert (answer.broker_order_id, draft) == (expected, None)
            return
        self.venue.state.apply(draft)
        every = [entry[0] for entries in self.taken.values() for entry in entries]
        assert answer.broker_order_id not in every
        self.taken.setdefault(key, []).append([answer.broker_order_id, self.now, True])

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def submit_other_economics(self, data):
        key = data.draw(st.sampled_from(sorted(self.taken)))
        if self.known(key) is not None:
            with pytest.raises(KeyReuseMismatch):
                self.venue.submit(_order(key, 11), self.now)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def cancel(self, data):
        entries = self.taken[data.draw(st.sampled_from(sorted(self.taken)))]
        entry = data.draw(st.sampled_from(entries))
        done, draft = self.venue.cancel(entry[0], self.now)
        assert done is entry[2]
        if draft is not None:
            self.venue.state.apply(draft)
        entry[2] = False

    @rule(seconds=st.sampled_from([1, 299, 300, 600]))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_newest_answers_by_key_and_the_open_ones_are_open(self):
        for key, entries in self.taken.items():
            assert self.venue.order_by_key(key).broker_order_id == entries[-1][0]
        expected = {e[0] for entries in self.taken.values() for e in entries if e[2]}
        found = {w.order.broker_order_id for w in self.venue.state.open_orders()}
        assert found == expected


def _machine(policy: DedupePolicy):
    kind = type(f"Keys{policy.name.title()}", (Keys,), {"policy": policy})
    kind.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
    return kind.TestCase


TestNone = _machine(DedupePolicy.NONE)
TestOpenOrders = _machine(DedupePolicy.OPEN_ORDERS)
TestWindow = _machine(DedupePolicy.WINDOW)
TestPermanent = _machine(DedupePolicy.PERMANENT)


@pytest.mark.parametrize("name", ["none", "open_orders"])
async def test_a_venue_that_forgot_a_key_takes_it_again_and_keeps_both_over_a_restart(
    tmp_path, make_order, make_bar, name
):
    clock, profile = VirtualClock(START), VenueProfile.named(name)
    client = PaperClient(profile=profile, home=tmp_path, clock=clock)
    first = await client.submit(make_order())
    await client.on_bars([make_bar(1, 100)])
    again = await client.submit(make_order())
    assert first.broker_order_id != again.broker_order_id
    await client.on_bars([make_bar(2, 100)])
    restarted = PaperClient(profile=profile, home=tmp_path, clock=clock)
    fills, _ = await restarted.fills_since(None)
    assert [fill.order_id for fill in fills] == ["order-k1", "order-k1"]
    assert len({fill.fill_id for fill in fills}) == 2
    assert (await restarted.get_order_by_key("k1")).broker_order_id == again.broker_order_id
    await client.close()
    await restarted.close()


async def test_a_key_is_free_again_when_its_window_ends_and_not_before(make_order):
    clock = VirtualClock(START)
    client = PaperClient(profile=VenueProfile.named("ten_minutes"), clock=clock)
    first = await client.submit(make_order())
    clock.advance(WINDOW_S - 0.001)
    assert (await client.submit(make_order())).broker_order_id == first.broker_order_id
    clock.advance(0.001)
    assert (await client.submit(make_order())).broker_order_id != first.broker_order_id


async def test_two_open_orders_with_one_id_are_cancelled_newest_first(make_order):
    client = PaperClient(profile=VenueProfile.named("none"), clock=VirtualClock(START))
    old, new = [await client.submit(make_order()) for _ in range(2)]
    assert await client.cancel("order-k1")
    (left,) = await client.get_open_orders()
    assert left.broker_order_id == old.broker_order_id != new.broker_order_id
    assert await client.cancel("order-k1")
    assert not await client.cancel("order-k1")


async def test_an_order_id_belongs_to_one_key_under_every_policy(make_order):
    for name in VenueProfile.names():
        client = PaperClient(profile=VenueProfile.named(name), clock=VirtualClock(START))
        await client.submit(make_order())
        with pytest.raises(DuplicateOrderId):
            await client.submit(make_order("k2", order_id="order-k1"))


def test_profiles_have_names_and_say_what_they_promise():
    assert VenueProfile.named("permanent") == VenueProfile()
    assert VenueProfile.named("ten_minutes").dedupe_window_s == 600
    with pytest.raises(ValueError, match=r"'kraken'.*open_orders"):
        VenueProfile.named("kraken")
    with pytest.raises(ValueError, match="dedupe_window_s"):
        VenueProfile(dedupe=DedupePolicy.WINDOW)
    with pytest.raises(ValueError, match="burst"):
        VenueProfile(orders_per_s=5)
    card = PaperClient(profile=VenueProfile.named("strict")).capabilities()
    assert (card.dedupe, card.visibility_lag_s) == (DedupePolicy.OPEN_ORDERS, 30)
    assert (card.fill_history_s, card.dead_man_max_s, card.orders_per_s) == (86_400, 3600, 10)
    assert all([card.replaces, card.replace_changes_id, card.cancels_all, card.corrects])
    kind = PaperClient().capabilities()
    assert (kind.dead_man_max_s, kind.orders_per_s, kind.visibility_lag_s) == (None, None, 0)


async def test_a_key_is_released_when_its_order_ends(make_order):
    profile = VenueProfile.named("open_orders")
    client = PaperClient(profile=profile, clock=VirtualClock(START))
    await client.submit(make_order())
    await client.cancel("order-k1")
    again = await client.submit(make_order(quantity=99))
    assert (again.status, again.quantity) == (OrderStatus.ACCEPTED, 99)
