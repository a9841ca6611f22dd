"""Cards of what a venue takes back or corrects, and of what others do in the account."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation import CorrectionKind, Fill, FillCorrection, Side
from mts1b_foundation.protocols import AccountQuery

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import corrections_of, history_of
from mts1b_pluginsdk.conformance.sandbox import Desk, Hands
from mts1b_pluginsdk.conformance.verdicts import CardFailed, outcome, require

__all__ = ["CORRECTIONS"]

CORRECTIONS = Deck(Group.FILLS)
_NEEDS = (Need.MARKET, Need.MARKET_ORDERS, Need.CORRECTIONS, Need.DESK)


def _desk(bench: Bench) -> Desk:
    if isinstance(bench.sandbox, Desk):
        return bench.sandbox
    raise CardFailed("the sandbox has no bust, amend and charge")


async def _filled(bench: Bench) -> Fill:
    """Return the one fill of a new order for ten."""
    fills = await bench.trade(bench.order(10))
    require(len(fills) == 1, f"10 in deep volume came in {len(fills)} fills")
    return fills[0]


async def _told(bench: Bench, cursor: str | None) -> list[FillCorrection]:
    await bench.settle()
    return (await corrections_of(bench.venue).corrections_since(cursor))[0]


async def _one(bench: Bench, fill: Fill, kind: CorrectionKind) -> FillCorrection:
    """Return the one correction of a fill."""
    found = [one for one in await _told(bench, None) if one.fill_id == fill.fill_id]
    require(len(found) == 1, f"one {kind.value} of a fill is told {len(found)} times")
    require(found[0].kind is kind, f"a {kind.value} is told as {found[0].kind.value}")
    require(found[0].order_id == fill.order_id, f"a {kind.value} names another order")
    return found[0]


@CORRECTIONS.card(
    431,
    "bust is told",
    purpose="a trade that was taken back leaves the books",
    source="FIX ExecType H (trade cancel); nautilus_trader PR #4491",
    needs=_NEEDS,
)
async def bust_is_told(bench: Bench) -> str:
    """Tell a bust once, with the fill and the order that it takes back."""
    fill = await _filled(bench)
    await _desk(bench).bust(fill.fill_id)
    told = await _one(bench, fill, CorrectionKind.BUST)
    return f"{told.correction_id} takes back {told.fill_id}"


@CORRECTIONS.card(
    432,
    "bust moves the position back",
    purpose="the position is that of the trades that stand",
    source="FIX ExecType H (trade cancel); 17 CFR 240.15c3-5(c)(1): exposure as it is",
    needs=_NEEDS,
)
async def bust_moves_the_position_back(bench: Bench) -> str:
    """Hold what was held before the trade that was taken back."""
    before = await bench.held()
    fill = await _filled(bench)
    await _desk(bench).bust(fill.fill_id)
    after = await bench.held()
    require(after == before, f"held {before}, after a trade and its bust {after}")
    return f"back to {after}"


@CORRECTIONS.card(
    433,
    "bust moves the cash back",
    purpose="the fund gets back what it paid, fees too",
    source="FIX ExecType H (trade cancel); reconciliation of cash",
    needs=(*_NEEDS, Need.ACCOUNT),
)
async def bust_moves_the_cash_back(bench: Bench) -> str:
    """Have the cash of before the trade that was taken back."""
    before = await bench.cash()
    fill = await _filled(bench)
    await _desk(bench).bust(fill.fill_id)
    after = await bench.cash()
    require(after == before, f"cash {before}, after a trade and its bust {after}")
    return f"back to {after}"


@CORRECTIONS.card(
    434,
    "amend is exact",
    purpose="a corrected trade is booked as corrected",
    source="FIX ExecType G (trade correct)",
    needs=_NEEDS,
)
async def amend_is_exact(bench: Bench) -> str:
    """State quantity and price anew, and move the position by the difference."""
    before = await bench.held()
    fill = await _filled(bench)
    price = fill.price - bench.level(1)
    await _desk(bench).amend(fill.fill_id, quantity=Decimal(7), price=price)
    told = await _one(bench, fill, CorrectionKind.AMEND)
    require(told.quantity == 7, f"amended to 7, told {told.quantity}")
    require(told.price == price, f"amended to {price}, told {told.price}")
    moved = await bench.held() - before
    require(moved == 7, f"10 amended to 7, the position moved by {moved}")
    return f"7 at {price}"


@CORRECTIONS.card(
    435,
    "amend moves the cash",
    purpose="the price that was corrected is the price that was paid",
    source="FIX ExecType G (trade correct); reconciliation of cash",
    needs=(*_NEEDS, Need.ACCOUNT),
)
async def amend_moves_the_cash(bench: Bench) -> str:
    """Charge the new quantity times the new price, and the fees as they are stated."""
    before = await bench.cash()
    fill = await _filled(bench)
    price = fill.price - bench.level(1)
    await _desk(bench).amend(fill.fill_id, quantity=Decimal(7), price=price)
    told = await _one(bench, fill, CorrectionKind.AMEND)
    fees = fill.fees if told.fees is None else told.fees
    moved = await bench.cash() - before
    stated = -7 * price - fees
    require(moved == stated, f"cash moved by {moved}; the corrected trade says {stated}")
    return f"cash moved by {moved}"


@CORRECTIONS.card(
    436,
    "fee is corrected",
    purpose="fees that come late are charged once",
    source="ccxt: trades without fees; FIX Commission (12) in a correction",
    needs=(*_NEEDS, Need.ACCOUNT),
)
async def fee_is_corrected(bench: Bench) -> str:
    """State fees anew, and move cash by the difference alone."""
    fill = await _filled(bench)
    before, held = await bench.cash(), await bench.held()
    fees = fill.fees + Decimal("1.25")
    await _desk(bench).charge(fill.fill_id, fees=fees)
    told = await _one(bench, fill, CorrectionKind.FEE)
    require(told.fees == fees, f"corrected to {fees}, told {told.fees}")
    moved = await bench.cash() - before
    require(moved == Decimal("-1.25"), f"fees rose by 1.25, cash moved by {moved}")
    require(await bench.held() == held, "a correction of fees moved the position")
    return "1.25 more"


@CORRECTIONS.card(
    437,
    "corrections from a cursor",
    purpose="a correction is booked once, and none is missed",
    source="CorrectionHistory: after the cursor, oldest first",
    needs=_NEEDS,
)
async def corrections_from_a_cursor(bench: Bench) -> str:
    """Tell from each cursor exactly what came after it."""
    venue = corrections_of(bench.venue)
    _, start = await venue.corrections_since(None)
    fills = [await _filled(bench) for _ in range(2)]
    await _desk(bench).bust(fills[0].fill_id)
    await bench.settle()
    first, middle = await venue.corrections_since(start)
    await _desk(bench).bust(fills[1].fill_id)
    await bench.settle()
    second, end = await venue.corrections_since(middle)
    both, _ = await venue.corrections_since(start)
    rest, _ = await venue.corrections_since(end)
    require([one.fill_id for one in first] == [fills[0].fill_id], "the first bust is not told")
    require([one.fill_id for one in second] == [fills[1].fill_id], "the second is not told alone")
    require(both == [*first, *second], "the earlier cursor does not tell both")
    require(not rest, f"after the last cursor came {len(rest)} corrections")
    return "one, one, both, none"


@CORRECTIONS.card(
    438,
    "corrections survive a restart",
    purpose="a bust during an outage is heard of afterwards",
    source="MUST 6; nautilus_trader PR #4491",
    needs=_NEEDS,
)
async def corrections_survive(bench: Bench) -> str:
    """Tell a new connection what was corrected before it."""
    fill = await _filled(bench)
    await _desk(bench).bust(fill.fill_id)
    first = await _told(bench, None)
    held = await bench.held()
    await bench.reconnect()
    require(await _told(bench, None) == first, "corrections from before are told otherwise")
    after = await bench.held()
    require(after == held, f"held {held}, over a new connection {after}")
    return f"{len(first)} correction, twice the same"


@CORRECTIONS.card(
    439,
    "busts are once",
    purpose="a trade is taken back once",
    source="FIX ExecRefID (19): one execution, one cancel",
    needs=_NEEDS,
)
async def busts_are_once(bench: Bench) -> str:
    """Take a trade back once, also when the desk says it twice."""
    before = await bench.held()
    fill = await _filled(bench)
    await _desk(bench).bust(fill.fill_id)
    await outcome(_desk(bench).bust(fill.fill_id))
    told = [one for one in await _told(bench, None) if one.fill_id == fill.fill_id]
    require(len(told) == 1, f"one fill was taken back {len(told)} times")
    after = await bench.held()
    require(after == before, f"held {before}, after a trade and its bust {after}")
    return "once"


@CORRECTIONS.card(
    440,
    "fills and corrections add up",
    purpose="the account can be rebuilt from what the venue told",
    source="nautilus_trader docs, live: four invariants of reconciliation",
    needs=(*_NEEDS, Need.HISTORY, Need.ACCOUNT),
)
async def fills_and_corrections_add_up(bench: Bench) -> str:
    """Explain every move of position and cash by a fill or a correction."""
    cursor = (await history_of(bench.venue).fills_since(None))[1]
    held, cash = await bench.held(), await bench.cash()
    fills = [await _filled(bench) for _ in range(3)]
    await _desk(bench).bust(fills[0].fill_id)
    await _desk(bench).amend(fills[1].fill_id, quantity=Decimal(4), price=bench.level(98))
    await _desk(bench).charge(fills[2].fill_id, fees=Decimal("0.07"))
    await bench.settle()
    told, _ = await history_of(bench.venue).fills_since(cursor)
    quantity, paid = _folded(told, await _told(bench, None))
    moved = await bench.held() - held
    require(moved == quantity, f"told {quantity}, the position moved by {moved}")
    spent = await bench.cash() - cash
    require(spent == paid, f"told {paid}, cash moved by {spent}")
    return f"{quantity} and {paid}"


def _folded(fills: list[Fill], corrections: list[FillCorrection]) -> tuple[Decimal, Decimal]:
    """Return quantity and cash of fills, as they are corrected."""
    stand = {fill.fill_id: fill for fill in fills}
    for one in corrections:
        fill = stand.get(one.fill_id)
        if fill is None:
            continue
        if one.kind is CorrectionKind.BUST:
            del stand[one.fill_id]
            continue
        stated = {"quantity": one.quantity, "price": one.price, "fees": one.fees}
        changes = {name: value for name, value in stated.items() if value is not None}
        stand[one.fill_id] = fill.with_(**changes)
    left = list(stand.values())
    paid = sum((-one.signed_quantity * one.price - one.fees for one in left), Decimal(0))
    return sum((one.signed_quantity for one in left), Decimal(0)), paid


@CORRECTIONS.card(
    451,
    "orders of others are shown",
    purpose="what a person does in the account counts against its limits",
    source="nautilus_trader docs, live: external orders; LEAN IB #156",
    needs=(Need.MARKET, Need.MARKET_ORDERS, Need.HISTORY, Need.HANDS),
)
async def orders_of_others_are_shown(bench: Bench) -> str:
    """List an order that was entered by hand; tell its fills, and hold them."""
    if not isinstance(bench.sandbox, Hands):
        raise CardFailed("the sandbox has no enter")
    before, cursor = await bench.held(), (await history_of(bench.venue).fills_since(None))[1]
    order = bench.order(5, side=Side.BUY, fund_id="external", strategy_id="external")
    await bench.sandbox.enter(order)
    require(bool(await bench.listed()), "an order that was entered by hand is not listed")
    await bench.advance()
    await bench.settle()
    told, _ = await history_of(bench.venue).fills_since(cursor)
    require(total(told) == 5, f"5 entered by hand, fills of {total(told)} are told")
    moved = await bench.held() - before
    require(moved == 5, f"5 entered by hand, the position moved by {moved}")
    if isinstance(bench.venue, AccountQuery):
        snapshot = await bench.venue.account_snapshot()
        held = sum((p.quantity for p in snapshot.positions), Decimal(0))
        require(held == await bench.held(), "the account's statement leaves them out")
    return "listed, told, held"
