"""The transition table, cell by cell."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import TERMINAL_STATUSES, Order, OrderStatus, Side, Symbol
from mts1b_oms.backtest.record import MemoryRecord
from mts1b_oms.errors import IllegalTransition
from mts1b_oms.told_states import SUBJECT_OF
from mts1b_oms.transitions import TRANSITIONS, OrderEvent, Transition, legal_events, to_markdown
from mts1b_platform.clock import VirtualClock

NOW = datetime(2020, 1, 2, 21, tzinfo=UTC)
S, E = OrderStatus, OrderEvent
CELLS = list(itertools.product(OrderStatus, OrderEvent))


def order_in(state: OrderStatus) -> Order:
    return Order(
        order_id="o-1",
        idempotency_key="k-1",
        symbol=Symbol("SPX"),
        side=Side.BUY,
        quantity=Decimal(10),
        fund_id="f",
        strategy_id="s",
        created_at=NOW,
        status=state,
        version=3,
    )


async def recorded(order: Order, event: OrderEvent) -> Transition:
    """Let an event happen to an order in a unit of work; return what the unit has recorded."""
    async with MemoryRecord(VirtualClock(NOW), venue="v", capital={}).unit() as unit:
        changed = unit.change(order, event, detail="why")
        (transition,) = unit.transitions
    assert (transition.after, transition.version) == (changed.status, changed.version)
    return transition


def test_there_are_fourteen_states_and_every_one_but_created_is_reached() -> None:
    assert len(OrderStatus) == 14
    assert set(TRANSITIONS.values()) == set(OrderStatus) - {S.CREATED}


@pytest.mark.parametrize(("state", "event"), CELLS, ids=lambda value: value.value)
async def test_every_cell_moves_as_the_table_says_or_refuses(
    state: OrderStatus, event: OrderEvent
) -> None:
    order = order_in(state)
    if (state, event) in TRANSITIONS:
        record = await recorded(order, event)
        assert record.after is TRANSITIONS[state, event]
        assert (record.before, record.version, record.event) == (state, 4, event)
        assert (record.at, record.detail) == (NOW, "why")
        assert order.status is state, "the order that went in is a value and stays"
    else:
        with pytest.raises(IllegalTransition) as caught:
            await recorded(order, event)
        assert caught.value.legal == tuple(e.value for e in legal_events(state))
        assert "o-1" in str(caught.value)
        assert event.value in str(caught.value)


async def test_events_one_after_the_other_are_each_recorded_or_none_is() -> None:
    asked = order_in(S.PENDING_RISK)
    async with MemoryRecord(VirtualClock(NOW), venue="v", capital={}).unit() as unit:
        begun = unit.change(asked, E.RISK_APPROVED, E.SENDING, detail="why")
        with pytest.raises(IllegalTransition, match="filled"):
            unit.change(begun, E.COMPLETE_FILL, E.SENDING)
        moves = [(move.before, move.after, move.version, move.detail) for move in unit.transitions]
    assert (begun.status, begun.version) == (S.SUBMITTING, 5)
    assert moves == [(S.PENDING_RISK, S.APPROVED, 4, "why"), (S.APPROVED, S.SUBMITTING, 5, "")]
    assert S.APPROVED not in SUBJECT_OF, "nobody waits to be told of it"


@pytest.mark.parametrize("state", [s for s in OrderStatus if s is not S.CREATED])
def test_fills_win_in_every_state_but_created(state: OrderStatus) -> None:
    assert TRANSITIONS[state, E.COMPLETE_FILL] is S.FILLED
    assert (state, E.PARTIAL_FILL) in TRANSITIONS
    assert (S.CREATED, E.COMPLETE_FILL) not in TRANSITIONS


@pytest.mark.parametrize("state", sorted(TERMINAL_STATUSES))
def test_only_a_fill_moves_a_finished_order(state: OrderStatus) -> None:
    fills = {E.PARTIAL_FILL, E.COMPLETE_FILL, E.FILL_CORRECTED}
    assert set(legal_events(state)) == fills | ({E.UNFILLED} if state is S.FILLED else set())
    assert TRANSITIONS[state, E.FILL_CORRECTED] is state, "a bust does not reopen it"
    assert TRANSITIONS[state, E.PARTIAL_FILL] is state, "a late part does not reopen it"


def test_silence_never_ends_an_order() -> None:
    silenced = {after for (_, event), after in TRANSITIONS.items() if event is E.SILENCE}
    assert silenced == {S.UNKNOWN}


def test_only_an_approved_order_is_sent() -> None:
    assert [s for (s, e) in TRANSITIONS if e is E.SENDING] == [S.APPROVED]
    assert [s for (s, e) in TRANSITIONS if e is E.RISK_APPROVED] == [S.PENDING_RISK]


def test_nothing_denies_an_order_that_may_be_at_the_venue() -> None:
    denied = {s for (s, e) in TRANSITIONS if e is E.DENIED}
    assert denied == {S.CREATED, S.PENDING_RISK, S.APPROVED, S.SUBMITTING}


def test_a_pending_cancel_stays_pending_through_a_part_fill() -> None:
    assert TRANSITIONS[S.PENDING_CANCEL, E.PARTIAL_FILL] is S.PENDING_CANCEL
    assert TRANSITIONS[S.PENDING_REPLACE, E.PARTIAL_FILL] is S.PENDING_REPLACE


def test_the_markdown_shows_every_move() -> None:
    text = to_markdown()
    rows = {line.split("`")[1]: line for line in text.splitlines()[2:]}
    assert set(rows) == {event.value for event in OrderEvent}
    for (state, event), after in TRANSITIONS.items():
        assert state.value in rows[event.value]
        assert f"**{after.value}**" in rows[event.value]


def test_the_readme_shows_this_very_table() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    shown = readme.split("<!-- transitions -->\n")[1].split("<!-- /transitions -->")[0]
    assert shown == to_markdown()


def test_the_readme_example_runs() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert blocks
