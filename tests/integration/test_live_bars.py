"""A real system, live on paper: a strategy trades the bars that come, until it is halted."""

from __future__ import annotations

from pathlib import Path

from mts1b_foundation import OrderStatus, Side, Symbol
from mts1b_platform.exit_codes import ExitCode

from tests.integration.live_home import (
    connected,
    live_settings,
    orders_of,
    publish_bar,
    system_up,
    until,
    write_home,
)
from tests.integration.replay_home import mts

SYMBOL = Symbol("AAA")
SETTINGS = live_settings(
    {
        "strategy_id": "climb",
        "kind": "rule",
        "symbols": [str(SYMBOL)],
        "interval": "1m",
        "params": {"long_when": "close > lag(close, 1)"},
    },
    nav="300000",
)

OF_CLIMB = ("--fund", "f1", "--strategy", "climb", "--operator", "ann", "--reason", "statement")


async def test_a_rule_trades_on_bars_as_they_come_goes_on_after_a_restart_and_is_halted(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    write_home(home, SETTINGS)
    async with system_up(home):
        operator = await connected(home, "operator")

        async def settled(count: int) -> bool:
            orders = await orders_of(operator, "climb")
            return len(orders) >= count and all(order.is_terminal for order in orders)

        await publish_bar(home, SYMBOL, "100")
        end = await publish_bar(home, SYMBOL, "101")
        await until(lambda: settled(1))
        (bought,) = await orders_of(operator, "climb")
        assert (bought.side, bought.status) == (Side.BUY, OrderStatus.FILLED)
        assert bought.created_at == end
        await operator.close()
    async with system_up(home):
        operator = await connected(home, "operator")
        await publish_bar(home, SYMBOL, "100.5")
        await until(lambda: settled(2))
        sold = max(await orders_of(operator, "climb"), key=lambda order: order.created_at)
        assert (sold.side, sold.status) == (Side.SELL, OrderStatus.FILLED)
        assert sold.quantity == bought.quantity
        await publish_bar(home, SYMBOL, "101")
        await until(lambda: settled(3))
        mts(home, "cmd", "operator-key", "ann")
        paid = mts(home, "oms", "adjust", "deposit", "--cash", "1000", *OF_CLIMB)
        assert "is booked" in paid.stdout
        away = ("withdrawal", "--cash", "-9000000", *OF_CLIMB)
        assert mts(home, "oms", "adjust", *away, check=False).returncode == ExitCode.REFUSED
        mts(home, "cmd", "halt", "f1", "--reason", "a test", "--yes")
        await publish_bar(home, SYMBOL, "100")
        await until(lambda: settled(4))
        denied = max(await orders_of(operator, "climb"), key=lambda order: order.created_at)
        assert (denied.side, denied.status) == (Side.SELL, OrderStatus.REJECTED)
        assert "HALT" in (denied.rejected_code or "")
        await operator.close()
