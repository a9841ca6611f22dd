"""Cards of the account: positions, cash and profit are what the fills say."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation import Position, Side

from mts1b_pluginsdk.conformance.bench import Bench, total
from mts1b_pluginsdk.conformance.card import Deck, Group
from mts1b_pluginsdk.conformance.needs import Need
from mts1b_pluginsdk.conformance.offers import account_of, history_of
from mts1b_pluginsdk.conformance.verdicts import CardFailed, CardSkipped, require

__all__ = ["ACCOUNT"]

ACCOUNT = Deck(Group.ACCOUNT)
_MARKET = (Need.MARKET, Need.MARKET_ORDERS)
_NOTHING = Decimal(0)
_SMALL = Decimal("0.000001")


async def _row(bench: Bench) -> Position | None:
    """Return the position in the symbol, or None when it is flat."""
    await bench.settle()
    found = [p for p in await bench.venue.get_positions() if p.symbol == bench.settings.symbol]
    require(len(found) <= 1, f"{len(found)} rows for one symbol")
    return found[0] if found and found[0].quantity else None


async def _flat(bench: Bench) -> None:
    """Trade back to no position, so that averages and profit begin anew."""
    held = await bench.held()
    if held:
        side = Side.SELL if held > 0 else Side.BUY
        await bench.trade(bench.order(abs(held), side=side))
    require(await bench.held() == 0, "the position is not flat after it was traded back")


async def _trade_at(bench: Bench, quantity: int, percent: int, side: Side = Side.BUY) -> Decimal:
    """Trade at another price; return the mean price that was paid."""
    order = bench.order(quantity, side=side)
    await bench.submit(order)
    await bench.advance(percent)
    fills = await bench.fills_of(order)
    require(total(fills) == quantity, f"{quantity} ordered, {total(fills)} filled")
    return sum((one.notional for one in fills), _NOTHING) / quantity


@ACCOUNT.card(
    1101,
    "average price",
    purpose="profit is measured from what was paid",
    source="nautilus_trader docs, live: average price is an invariant of reconciliation",
    needs=_MARKET,
)
async def average_price(bench: Bench) -> str:
    """State the mean of two purchases, weighted by quantity."""
    await _flat(bench)
    first = await _trade_at(bench, 10, 100)
    second = await _trade_at(bench, 30, 104)
    row = await _row(bench)
    if row is None:
        raise CardFailed("40 were bought and no position is listed")
    mean = (10 * first + 30 * second) / 40
    require(abs(row.average_price - mean) < _SMALL, f"paid {mean}, it says {row.average_price}")
    return f"{row.average_price}"


@ACCOUNT.card(
    1102,
    "flat is flat",
    purpose="a position that is closed is not traded again",
    source="Vibe-Trading PR #1233: a flattened account was flattened again, into a short",
    needs=_MARKET,
)
async def flat_is_flat(bench: Bench) -> str:
    """List nothing, or zero, after a purchase was sold."""
    await _flat(bench)
    await bench.trade(bench.order(10))
    await bench.trade(bench.order(10, side=Side.SELL))
    row = await _row(bench)
    require(row is None, f"bought 10 and sold 10, the position is {row.quantity if row else 0}")
    return "flat"


@ACCOUNT.card(
    1103,
    "short is negative",
    purpose="a short position is seen as one",
    source="LEAN IB #156: the account was short and nobody knew; 17 CFR 242.200",
    needs=_MARKET,
)
async def short_is_negative(bench: Bench) -> str:
    """Hold a negative quantity after a short sale, at the price of the sale."""
    await _flat(bench)
    price = await _trade_at(bench, 10, 100, Side.SHORT)
    row = await _row(bench)
    if row is None:
        raise CardFailed("10 were sold short and no position is listed")
    require(row.quantity == -10, f"10 sold short, the position is {row.quantity}")
    require(abs(row.average_price - price) < _SMALL, f"sold at {price}, says {row.average_price}")
    return f"{row.quantity} at {row.average_price}"


@ACCOUNT.card(
    1104,
    "through zero",
    purpose="a position that turns is opened anew at the new price",
    source="nautilus_trader docs, live: average price is an invariant, also of a net position",
    needs=_MARKET,
)
async def through_zero(bench: Bench) -> str:
    """Hold the rest at the last price, when a sale goes through zero."""
    await _flat(bench)
    await _trade_at(bench, 10, 100)
    price = await _trade_at(bench, 15, 110, Side.SELL)
    row = await _row(bench)
    if row is None:
        raise CardFailed("10 bought and 15 sold, and no position is listed")
    require(row.quantity == -5, f"10 bought and 15 sold, the position is {row.quantity}")
    require(abs(row.average_price - price) < _SMALL, f"sold at {price}, says {row.average_price}")
    return f"-5 at {row.average_price}"


@ACCOUNT.card(
    1105,
    "realized profit",
    purpose="profit that was made is on the books",
    source="nautilus_trader docs, live: PnL is an invariant of reconciliation",
    needs=_MARKET,
)
async def realized_profit(bench: Bench) -> str:
    """Add the difference of sale and purchase, for what was sold."""
    await _flat(bench)
    bought = await _trade_at(bench, 10, 100)
    row = await _row(bench)
    before = row.realized_pnl_usd if row is not None else _NOTHING
    sold = await _trade_at(bench, 4, 110, Side.SELL)
    after = await _row(bench)
    if after is None:
        raise CardFailed("4 of 10 were sold and no position is listed")
    made, wanted = after.realized_pnl_usd - before, 4 * (sold - bought)
    require(abs(made - wanted) < _SMALL, f"made {wanted}, the position says {made}")
    return f"{made}"


@ACCOUNT.card(
    1106,
    "market value",
    purpose="exposure is measured at the market",
    source="17 CFR 240.15c3-5(c)(1)(i): capital thresholds; Position: market_value_usd",
    needs=_MARKET,
)
async def market_value(bench: Bench) -> str:
    """Value a position at its last price, and state the profit that is not realized."""
    await _flat(bench)
    await _trade_at(bench, 10, 100)
    await bench.advance(120)
    row = await _row(bench)
    if row is None:
        raise CardFailed("10 were bought and no position is listed")
    if row.last_price is None:
        raise CardSkipped("the position states no last price")
    require(row.last_price == bench.level(120), f"the market is at 120, it says {row.last_price}")
    worth, open_profit = 10 * row.last_price, 10 * (row.last_price - row.average_price)
    require(row.market_value_usd == worth, f"worth {worth}, it says {row.market_value_usd}")
    off = abs(row.unrealized_pnl_usd - open_profit)
    require(off < _SMALL, f"open profit {open_profit}, it says {row.unrealized_pnl_usd}")
    return f"{worth} and {open_profit}"


@ACCOUNT.card(
    1107,
    "one row a symbol",
    purpose="a position is not counted twice",
    source="reconciliation against duplicate rows; nautilus_trader docs: netting",
    needs=_MARKET,
)
async def one_row_a_symbol(bench: Bench) -> str:
    """List each symbol once, whoever of ours traded it."""
    for number in (1, 2, 3):
        order = bench.order(number, strategy_id=f"s-{number}", fund_id=f"f-{number}")
        await bench.trade(order)
    await bench.settle()
    symbols = [str(one.symbol) for one in await bench.venue.get_positions()]
    require(len(symbols) == len(set(symbols)), f"symbols are listed twice: {symbols}")
    return f"{len(symbols)} symbol"


@ACCOUNT.card(
    1108,
    "strategies add up",
    purpose="what two strategies hold is what the account holds",
    source="freqtrade #8345: several strategies in one account",
    needs=(*_MARKET, Need.HISTORY),
)
async def strategies_add_up(bench: Bench) -> str:
    """Hold the sum of two strategies that trade against each other."""
    before = await bench.held()
    long, short = (
        bench.order(10, strategy_id="long"),
        bench.order(4, strategy_id="short", side=Side.SHORT),
    )
    await bench.submit(long)
    await bench.submit(short)
    await bench.advance()
    moved = await bench.held() - before
    require(moved == 6, f"one bought 10, one sold 4 short, the position moved by {moved}")
    fills = [*await bench.fills_of(long), *await bench.fills_of(short)]
    require(total(fills) == 14, f"14 traded by two strategies, fills of {total(fills)} are told")
    return "10 and -4 are 6"


@ACCOUNT.card(
    1109,
    "history adds up",
    purpose="the whole account can be rebuilt from its fills",
    source="nautilus_trader docs, live: quantity is an invariant of reconciliation",
    needs=(*_MARKET, Need.HISTORY),
)
async def history_adds_up(bench: Bench) -> str:
    """Hold the signed sum of every fill, over four sides."""
    cursor, before = (await history_of(bench.venue).fills_since(None))[1], await bench.held()
    for side, quantity in ((Side.BUY, 7), (Side.SELL, 3), (Side.SHORT, 9), (Side.COVER, 2)):
        await bench.trade(bench.order(quantity, side=side))
    fills, _ = await history_of(bench.venue).fills_since(cursor)
    told = sum((one.signed_quantity for one in fills), _NOTHING)
    moved = await bench.held() - before
    require(moved == told == -3, f"fills say {told}, the position moved by {moved}")
    return f"{told}"


@ACCOUNT.card(
    1111,
    "statement agrees",
    purpose="two looks at one account show one account",
    source="AccountQuery; nautilus_trader #3550: stale cache",
    needs=(*_MARKET, Need.ACCOUNT),
)
async def statement_agrees(bench: Bench) -> str:
    """State the same positions in the account's statement as in the list."""
    await bench.trade(bench.order(10))
    await bench.settle()
    snapshot = await account_of(bench.venue).account_snapshot()
    listed = {str(p.symbol): p.quantity for p in await bench.venue.get_positions()}
    stated = {str(p.symbol): p.quantity for p in snapshot.positions}
    require(listed == stated, f"listed {listed}, stated {stated}")
    return f"{len(stated)} position"


@ACCOUNT.card(
    1112,
    "open orders move no cash",
    purpose="cash that is reserved is not cash that is spent",
    source="AccountSnapshot: cash; reconciliation of cash",
    needs=(Need.ACCOUNT,),
)
async def open_orders_move_no_cash(bench: Bench) -> str:
    """State the same cash before and after an order that rests, and after its cancel."""
    before = await bench.cash()
    order = bench.resting()
    await bench.submit(order)
    during = await bench.cash()
    await bench.venue.cancel(order.order_id)
    after = await bench.cash()
    require(before == during == after, f"cash was {before}, then {during}, then {after}")
    return f"{after}"


@ACCOUNT.card(
    1113,
    "time of the statement",
    purpose="an old statement is not taken for a new one",
    source="AccountSnapshot: as_of; ib_insync #47: stale data without an error",
    needs=(Need.ACCOUNT, Need.MARKET),
)
async def time_of_the_statement(bench: Bench) -> str:
    """Stamp each statement with the venue's time, which does not go back."""
    first = (await account_of(bench.venue).account_snapshot()).as_of
    await bench.elapse(60.0)
    second = (await account_of(bench.venue).account_snapshot()).as_of
    passed = (second - first).total_seconds()
    require(passed >= 60.0, f"60 s passed, the statements are {passed:g} s apart")
    require(second <= bench.now, "a statement is of the future")
    return f"{passed:g} s apart"


@ACCOUNT.card(
    1114,
    "cash of a short sale",
    purpose="cash moves by what was sold, too",
    source="reconciliation of cash; AccountSnapshot",
    needs=(*_MARKET, Need.ACCOUNT),
)
async def cash_of_a_short_sale(bench: Bench) -> str:
    """Add what a short sale brings and take what its cover costs, fees apart."""
    before = await bench.cash()
    fills = await bench.trade(bench.order(10, side=Side.SHORT))
    fills += await bench.trade(bench.order(10, side=Side.COVER))
    moved = await bench.cash() - before
    stated = sum((-one.signed_quantity * one.price - one.fees for one in fills), _NOTHING)
    require(moved == stated, f"cash moved by {moved}; the fills say {stated}")
    return f"cash moved by {moved}"
