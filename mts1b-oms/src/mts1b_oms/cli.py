"""``mts oms``: read orders, positions and NAV from the record; submit an order by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from mts1b_platform.cli import emit

if TYPE_CHECKING:
    from mts1b_foundation.orders import Order
    from mts1b_platform.store import Store

__all__ = ["app"]

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Orders, positions and NAV.")

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
FundOption = Annotated[str | None, typer.Option("--fund", help="only this fund")]
StrategyOption = Annotated[str | None, typer.Option("--strategy", help="only this strategy")]


def _home() -> Path:
    from mts1b_platform.config import mts_home

    return mts_home(os.environ)


def _read(work: Callable[[Store], Awaitable[T]]) -> T:
    """Run ``work`` on the record, read-only; the service may run or not."""

    async def run() -> T:
        from mts1b_platform.config import load_settings
        from mts1b_platform.store import Store

        home = _home()
        template = load_settings(home).store.url_template
        target = template.format(name="oms") if template else home / "db" / "oms.sqlite"
        store = await Store.open(target, name="oms", read_only=True)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return "none"
    cells = [header, *(tuple("" if v is None else str(v) for v in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


_ORDER_HEADER = ("order", "created", "owner", "terms", "status", "filled", "average", "code")


def _order_row(order: Order) -> tuple[Any, ...]:
    limit = "" if order.limit_price is None else f" @{order.limit_price}"
    return (
        order.order_id,
        order.created_at.date().isoformat(),
        f"{order.fund_id}/{order.strategy_id}",
        f"{order.side.value} {order.quantity} {order.symbol} {order.order_type.value}{limit}",
        order.status.value,
        order.filled_quantity,
        order.average_fill_price,
        order.rejected_code,
    )


@app.command()
def orders(
    fund: FundOption = None,
    strategy: StrategyOption = None,
    open_only: Annotated[bool, typer.Option("--open", help="only open orders")] = False,
    as_json: JsonOption = False,
) -> None:
    """List orders, oldest first."""
    from mts1b_foundation.commands import OrdersQuery

    from mts1b_oms.tables.orders import find_orders

    query = OrdersQuery(fund_id=fund, strategy_id=strategy, open_only=open_only)

    async def work(store: Store) -> list[Order]:
        async with store.read() as tx:
            return [item.order for item in await find_orders(tx, query)]

    found = _read(work)
    text = _table(_ORDER_HEADER, [_order_row(order) for order in found])
    emit([order.model_dump(mode="json") for order in found], as_json, text=text)


@app.command()
def order(
    order_id: Annotated[str, typer.Argument(help="the order's id")], as_json: JsonOption = False
) -> None:
    """Show one order with every recorded change and fill."""
    from mts1b_oms.errors import UnknownOrder
    from mts1b_oms.tables.books import fills_of
    from mts1b_oms.tables.orders import history, read_order

    async def work(store: Store) -> dict[str, Any]:
        async with store.read() as tx:
            stored = await read_order(tx, order_id)
            if stored is None:
                raise UnknownOrder(order_id)
            return {
                "order": stored.order.model_dump(mode="json"),
                "algo": stored.algo,
                "changes": await history(tx, order_id),
                "fills": [
                    item.fill.model_dump(mode="json") | {"flags": list(item.flags)}
                    for item in await fills_of(tx, order_id)
                ],
            }

    found = _read(work)
    lines = [f"{key}: {value}" for key, value in found["order"].items() if value not in (None, "")]
    lines += ["changes:"]
    lines += [
        f"  {c['version']:>2} {c['at'].isoformat()} {c['event']}: {c['before']} -> {c['after']}"
        f"{'  ' + c['detail'] if c['detail'] else ''}"
        for c in found["changes"]
    ]
    lines += ["fills:"] if found["fills"] else []
    lines += [
        f"  {f['timestamp']} {f['quantity']} at {f['price']}, fee {f['fees']} "
        f"{' '.join(f['flags'])}".rstrip()
        for f in found["fills"]
    ]
    emit(found, as_json, text="\n".join(lines))


@app.command()
def replace(
    order_id: Annotated[str, typer.Argument(help="an open order")],
    operator: Annotated[str, typer.Option(help="your name, for the audit")],
    key: Annotated[str, typer.Option(help="the same key is the same change")],
    quantity: Annotated[str | None, typer.Option(help="the new total, filled included")] = None,
    limit: Annotated[str | None, typer.Option(help="the new limit price")] = None,
    reason: Annotated[str, typer.Option(help="why, for the audit")] = "",
    as_json: JsonOption = False,
) -> None:
    """Change an open order's total quantity or limit; ends with 5 unless it is confirmed."""
    from mts1b_platform.exit_codes import ExitCode

    from mts1b_oms.by_hand import replace_by_hand

    reply = asyncio.run(
        replace_by_hand(
            _home(),
            order_id,
            key=key,
            operator=operator,
            quantity=quantity,
            limit=limit,
            reason=reason,
        )
    )
    why = f" ({reply.code}: {reply.reason})" if reply.code else ""
    text = f"{reply.outcome.value}{why}\n" + _table(_ORDER_HEADER, [_order_row(reply.order)])
    code = ExitCode.OK if reply.outcome.value == "confirmed" else ExitCode.REFUSED
    emit(reply.model_dump(mode="json"), as_json, text=text, code=code)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


@app.command()
def resolve(
    order_id: Annotated[str, typer.Argument(help="an order in doubt")],
    resolution: Annotated[str, typer.Option("--as", help="never_arrived, canceled or filled")],
    operator: Annotated[str, typer.Option(help="whose key signs; see `mts cmd operator-key`")],
    reason: Annotated[str, typer.Option(help="what you found out, and how")],
    filled: Annotated[str, typer.Option(help="all that the venue executed")] = "0",
    price: Annotated[str, typer.Option(help="the average price of that")] = "",
    as_json: JsonOption = False,
) -> None:
    """Settle an order that nobody knows the fate of; a signed act that is audited."""
    from mts1b_oms.by_hand import resolve_by_hand

    order = asyncio.run(
        resolve_by_hand(
            _home(),
            order_id,
            resolution=resolution,
            operator=operator,
            reason=reason,
            filled=filled,
            price=price or None,
        )
    )
    emit(
        order.model_dump(mode="json"),
        as_json,
        text=f"{order.order_id} is {order.status.value}, filled {order.filled_quantity}",
    )


@app.command()
def adjust(
    kind: Annotated[
        str,
        typer.Argument(
            help="deposit, withdrawal, transfer, dividend, interest, funding, fee, tax or split"
        ),
    ],
    operator: Annotated[str, typer.Option(help="whose key signs; see `mts cmd operator-key`")],
    reason: Annotated[str, typer.Option(help="what moved the account, and where it is stated")],
    fund: Annotated[str, typer.Option(help="whose book; a split has none")] = "",
    strategy: Annotated[str, typer.Option(help="whose book; a split has none")] = "",
    cash: Annotated[str, typer.Option(help="USD that came; negative: that went")] = "",
    symbol: Annotated[str, typer.Option(help="the instrument, where there is one")] = "",
    quantity: Annotated[str, typer.Option(help="units that a transfer brings, or takes")] = "",
    price: Annotated[str, typer.Option(help="USD a unit: of a transfer, or after a split")] = "",
    ratio: Annotated[str, typer.Option(help="units after a split for each one before")] = "",
    in_part: Annotated[
        bool, typer.Option("--in-part", help="one of several that come nearer only together")
    ] = False,
    adjustment_id: Annotated[
        str, typer.Option("--id", help="its own id, where the same words come again")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Book what moved the account without an order; a signed act that is audited.

    Only what the venue shows is booked, and once: the same words sent again change nothing. A
    paper account is moved first.
    """
    from mts1b_oms.by_hand import adjust_by_hand

    words = {
        "kind": kind,
        "reason": reason,
        "fund_id": fund,
        "strategy_id": strategy,
        "cash_usd": cash,
        "symbol": symbol,
        "quantity": quantity,
        "price": price,
        "ratio": ratio,
        "in_part": in_part,
    }
    reply = asyncio.run(
        adjust_by_hand(_home(), words, operator=operator, adjustment_id=adjustment_id or None)
    )
    one = reply.adjustment
    again = " was booked before; nothing changed" if reply.again else " is booked"
    text = f"{one.kind.value} {one.adjustment_id}{again}"
    emit(reply.model_dump(mode="json"), as_json, text=text)


@app.command()
def positions(
    fund: FundOption = None, strategy: StrategyOption = None, as_json: JsonOption = False
) -> None:
    """List open positions, one per strategy and symbol."""
    from mts1b_platform.clock import SystemClock

    from mts1b_oms.tables.books import read_ledger

    async def work(store: Store) -> Any:
        async with store.read() as tx:
            ledger = await read_ledger(tx)
        return ledger.positions(fund_id=fund, strategy_id=strategy, as_of=SystemClock().now())

    found = _read(work)
    header = ("owner", "symbol", "quantity", "average", "last", "value", "unrealized")
    rows = [
        (
            f"{p.fund_id}/{p.strategy_id}",
            p.symbol,
            p.quantity,
            p.average_price,
            p.last_price,
            f"{p.market_value_usd:.2f}",
            f"{p.unrealized_pnl_usd:.2f}",
        )
        for p in found
    ]
    emit([p.model_dump(mode="json") for p in found], as_json, text=_table(header, rows))


@app.command()
def nav(
    fund: FundOption = None, strategy: StrategyOption = None, as_json: JsonOption = False
) -> None:
    """Show the latest NAV of every fund and strategy."""
    from mts1b_oms.tables.books import latest_navs

    async def work(store: Store) -> Any:
        async with store.read() as tx:
            return [item for _, item in await latest_navs(tx)]

    found = [
        n for n in _read(work) if fund in (None, n.fund_id) and strategy in (None, n.strategy_id)
    ]
    header = ("owner", "as of", "nav", "cash", "gross", "net", "drawdown")
    rows = [
        (
            n.fund_id if n.strategy_id is None else f"{n.fund_id}/{n.strategy_id}",
            n.as_of.date().isoformat(),
            f"{n.nav_usd:.2f}",
            f"{n.cash_usd:.2f}",
            f"{n.gross_exposure_usd:.2f}",
            f"{n.net_exposure_usd:.2f}",
            f"{n.drawdown:.2%}",
        )
        for n in found
    ]
    emit([n.model_dump(mode="json") for n in found], as_json, text=_table(header, rows))


@app.command()
def submit(
    symbol: Annotated[str, typer.Option(help="e.g. SPX")],
    side: Annotated[str, typer.Option(help="buy, sell, short or cover")],
    quantity: Annotated[str, typer.Option(help="units, positive")],
    fund: Annotated[str, typer.Option(help="the fund that trades")],
    strategy: Annotated[str, typer.Option(help="the strategy that owns the position")],
    operator: Annotated[str, typer.Option(help="your name, for the audit")],
    key: Annotated[str, typer.Option(help="idempotency key: the same key is the same order")],
    order_type: Annotated[str, typer.Option("--type", help="market, limit, ...")] = "market",
    limit: Annotated[str | None, typer.Option(help="limit price")] = None,
    tif: Annotated[str, typer.Option(help="day, gtc, ioc, fok or opg")] = "day",
    reduce_only: Annotated[bool, typer.Option("--reduce-only")] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit one order by hand, on the path of every other order."""
    from mts1b_oms.manual import build_manual_order, submit_manual_order

    wanted = build_manual_order(
        symbol=symbol,
        side=side,
        quantity=quantity,
        fund_id=fund,
        strategy_id=strategy,
        operator=operator,
        key=key,
        order_type=order_type,
        limit_price=limit,
        tif=tif,
        reduce_only=reduce_only,
    )
    done = asyncio.run(submit_manual_order(wanted, home=_home()))
    text = _table(_ORDER_HEADER, [_order_row(done)])
    emit(done.model_dump(mode="json"), as_json, text=text)
