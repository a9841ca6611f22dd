"""The summary of a run on the terminal, with the same figures as the HTML report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mts1b_operations.plain_text import one_line
from mts1b_operations.summary import RunSummary

__all__ = ["print_summary"]


def print_summary(figures: RunSummary, path: Path, *, console: Console | None = None) -> None:
    """Print funds, orders, denials, halts, latencies and the proof."""
    out = console or Console()
    out.print(_funds(figures))
    orders = ", ".join(f"{count:,} {status}" for status, count in figures.orders.items())
    denied = ", ".join(f"{count:,} {code}" for code, count in figures.denials_by_code.items())
    alerts = Counter(alert.watchdog for alert in figures.alerts)
    raised = ", ".join(f"{count:,} {name}" for name, count in alerts.most_common())
    out.print(f"orders    {_said(orders or 'none')}; {figures.fills:,} fills")
    out.print(f"denials   {_said(denied or 'none')}")
    out.print(f"halts     {_said(_halts(figures))}")
    out.print(f"alerts    {_said(raised or 'none')}")
    out.print(f"costs     {figures.fees_usd:,.2f} USD fees")
    for stage, values in figures.latency.items():
        if stage.count(".") < 2:  # the single gates are in the report
            out.print(f"latency   {_latency(stage, values)}")
    out.print(_proof(figures))
    out.print(f"report    {_said(str(path))}", soft_wrap=True)


def _said(text: str) -> str:
    """Return what others wrote, for a console that would take [words] as its own markup."""
    return escape(one_line(text))


def _latency(stage: str, values: dict[str, float]) -> str:
    spread = "  ".join(f"{k} {values.get(f'{k}_us', 0):>9,.1f}" for k in ("p50", "p90", "p99"))
    return f"{stage:<20} {spread} us"


def _funds(figures: RunSummary) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("fund", no_wrap=True)
    for name in ("NAV, USD", "return", "a year", "vol", "Sharpe", "drawdown", "fees, USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for fund in figures.funds:
        table.add_row(
            _said(fund.fund_id),
            f"{fund.last.nav_usd:,.0f}",
            f"{fund.total_return:+.1%}",
            f"{fund.annual_return:+.1%}",
            f"{fund.annual_volatility:.1%}",
            f"{fund.sharpe:.2f}",
            f"{fund.max_drawdown:.1%}",
            f"{fund.fees_usd:,.0f}",
        )
    return table


def _halts(figures: RunSummary) -> str:
    if not figures.halts:
        return "none"
    open_now = [halt.scope for halt in figures.halts if halt.resumed_at is None]
    text = f"{len(figures.halts)}, of which {len(figures.halts) - len(open_now)} resumed"
    return f"{text}; still halted: {', '.join(open_now)}" if open_now else text


def _proof(figures: RunSummary) -> str:
    proof = figures.verification
    if not proof.verified:
        return f"audit     [bold red]NOT INTACT[/]: {_said(proof.problem)}"
    return f"audit     intact: {proof.entries:,} entries, root {proof.root[:16]}.."
