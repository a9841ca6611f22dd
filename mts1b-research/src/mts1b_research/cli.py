"""``mts research``: what is configured to trade, and what it decided."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Any

import typer

__all__ = ["app"]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Strategies and their plans.",
)


@app.callback()
def _research() -> None:
    pass


@app.command()
def strategies(as_json: JsonOption = False) -> None:
    """Print the kinds there are and the configured strategies, each one checked.

    Ends with exit code 3 when a kind, a symbol or a parameter is wrong.
    """
    from mts1b_platform.cli import emit
    from mts1b_platform.config import load_settings, mts_home

    from mts1b_research.registry import StrategyRegistry

    registry = StrategyRegistry()
    entries = load_settings(mts_home(os.environ)).strategies
    rows = [_checked(registry, entry) for entry in entries]
    kinds = registry.kinds()
    lines = [f"kinds: {', '.join(kinds)}", *(_strategy_line(row) for row in rows)]
    emit({"kinds": kinds, "strategies": rows}, as_json, text="\n".join(lines))


def _checked(registry: Any, entry: Any) -> dict[str, Any]:
    """Return what a configuration entry says, once a strategy could be built from it."""
    row: dict[str, Any] = entry.model_dump(mode="json")
    return row | {"history": registry.build(entry).history}


def _strategy_line(row: dict[str, Any]) -> str:
    params = ", ".join(f"{name}={value}" for name, value in row["params"].items())
    state = "" if row["enabled"] else " (disabled)"
    return (
        f"{row['strategy_id']}{state}: {row['kind']} on {', '.join(row['symbols'])} "
        f"for {row['fund_id']}; {params or 'default parameters'}; needs {row['history']} bars"
    )


@app.command()
def plans(
    strategy: Annotated[str | None, typer.Option(help="only this strategy's")] = None,
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="how many, the latest")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Print the latest plans with their orders, from the store (the service need not run)."""
    from mts1b_platform.cli import emit

    found = asyncio.run(_stored(strategy, last))
    lines = [line for plan in found for line in _plan_lines(plan)]
    emit(found, as_json, text="\n".join(lines) or "no plans yet")


def _plan_lines(plan: dict[str, Any]) -> list[str]:
    head = f"{plan['as_of'][:10]} {plan['strategy_id']}: "
    if not plan["orders"]:
        return [head + "no orders"]
    return [
        f"{head}{order['side']} {order['quantity']} {order['symbol']} "
        f"at about {order['reference_price']}"
        for order in plan["orders"]
    ]


async def _stored(strategy: str | None, last: int) -> list[dict[str, Any]]:
    """Return the latest plans, the oldest of them first.

    :raises StoreError: when there is no store.
    """
    import json

    import sqlalchemy as sa
    from mts1b_platform.config import load_settings, mts_home
    from mts1b_platform.store import Store

    from mts1b_research.tables import plans as table

    home = mts_home(os.environ)
    template = load_settings(home).store.url_template
    target = template.format(name="research") if template else home / "db" / "research.sqlite"
    query = sa.select(table).order_by(table.c.as_of.desc(), table.c.strategy_id.desc()).limit(last)
    if strategy is not None:
        query = query.where(table.c.strategy_id == strategy)
    store = await Store.open(target, name="research", read_only=True)
    try:
        async with store.read() as connection:
            rows = (await connection.execute(query)).all()
    finally:
        await store.close()
    return [
        {
            "plan_id": row.plan_id,
            "strategy_id": row.strategy_id,
            "as_of": row.as_of.isoformat(),
            "orders": json.loads(row.orders),
        }
        for row in reversed(rows)
    ]
