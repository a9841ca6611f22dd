"""``mts parity``: the same strategy simulated and traded on your own bars, compared bar by bar."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from mts1b_GPUbacktester import Tolerance
    from mts1b_platform.config import StrategySettings

    from mts1b_research.parity.compare import Parity

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Prove on your own bars that simulation and trading agree.",
)

PanelOption = Annotated[
    Path, typer.Option("--panel", help="a CSV or parquet file: symbol, timestamp, open, ... volume")
]
Text = str | None


@app.command()
def parity(
    panel: PanelOption,
    strategy: Annotated[Text, typer.Option(help="a strategy of this MTS_HOME's settings")] = None,
    long_when: Annotated[Text, typer.Option(help="a rule instead: long while true")] = None,
    short_when: Annotated[
        Text, typer.Option(help="short while true; with --direction both")
    ] = None,
    enter: Annotated[Text, typer.Option(help="condition that opens a position")] = None,
    leave: Annotated[Text, typer.Option("--exit", help="condition that closes it")] = None,
    stop: Annotated[Text, typer.Option(help="stop, a fraction of the price or a name")] = None,
    trailing_stop: Annotated[Text, typer.Option(help="trailing stop, a fraction or a name")] = None,
    time_exit: Annotated[Text, typer.Option(help="leave after so many bars, or a name")] = None,
    direction: Annotated[Literal["long", "short", "both"], typer.Option()] = "long",
    size: Annotated[float, typer.Option(help="part of the equity a position takes")] = 1.0,
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the rule")] = None,
    symbol: Annotated[list[str] | None, typer.Option(help="of the rule; none: all")] = None,
    last: Annotated[int | None, typer.Option(min=2, help="only so many bars, the latest")] = None,
    cash: Annotated[float, typer.Option(help="what each account starts with")] = 1_000_000.0,
    fees_bps: Annotated[float, typer.Option(help="fees a side, basis points")] = 5.0,
    slippage_bps: Annotated[float, typer.Option(help="slippage a side, basis points")] = 0.0,
    venue_fees_bps: Annotated[
        float | None, typer.Option(help="another fee where it is traded: what would show it?")
    ] = None,
    paper: Annotated[bool, typer.Option(help="also on paper over NATS")] = False,
    policy: Annotated[
        Path | None, typer.Option(help="JSON: aspect -> {absolute, relative}; others fail")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Run one strategy through every engine and through the system; compare bar by bar.

    Ends with 0 where orders, fills and NAV are equal, 1 where one differs, 2 where they could not
    be compared.
    """
    with _incomparable(as_json):
        from dataclasses import replace

        from mts1b_GPUbacktester.desk import DeskTerms

        from mts1b_research.parity.compare import compare
        from mts1b_research.parity.comparison import DEFAULT_POLICY

        texts = {
            "long_when": long_when,
            "short_when": short_when,
            "enter": enter,
            "exit": leave,
            "stop": stop,
            "trailing_stop": trailing_stop,
            "time_exit": time_exit,
        }
        rule = {name: text for name, text in texts.items() if text is not None}
        options = {"direction": direction, "size": size, "values": _numbers(param or [])}
        subject = _subject(panel, strategy, rule, options, symbol or [])
        terms = DeskTerms(initial_cash=cash, fees_bps=fees_bps, slippage_bps=slippage_bps)
        other = None if venue_fees_bps is None else replace(terms, fees_bps=venue_fees_bps)
        found = compare(
            str(panel),
            subject,
            terms=terms,
            venue_terms=other,
            last=last,
            paper=paper,
            policy=DEFAULT_POLICY if policy is None else _policy(policy),
        )
    _print(found, as_json=as_json)
    raise typer.Exit(0 if found.holds else 1)


@contextmanager
def _incomparable(as_json: bool) -> Iterator[None]:
    """Print why nothing was compared and end with 2."""
    from mts1b_platform.errors import PlatformError

    from mts1b_research.errors import ResearchError

    try:
        yield
    except (PlatformError, ResearchError) as error:
        if as_json:
            told = {"error": type(error).__name__, "message": str(error), "exit_code": 2}
            print(json.dumps(told))
        else:
            print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _subject(
    panel: Path,
    strategy: str | None,
    rule: dict[str, str],
    options: dict[str, Any],
    symbols: list[str],
) -> StrategySettings:
    """Return the strategy that is named, or that a rule makes; exactly one of both is given."""
    if (strategy is None) == (not rule):
        raise typer.BadParameter("give either --strategy, or a rule with --long-when")
    return _rule(panel, rule | options, symbols) if strategy is None else _configured(strategy)


def _configured(strategy_id: str) -> StrategySettings:
    from mts1b_platform.config import load_settings, mts_home

    from mts1b_research.errors import NotComparable

    entries = load_settings(mts_home(os.environ)).strategies
    for entry in entries:
        if entry.strategy_id == strategy_id:
            return entry
    known = ", ".join(entry.strategy_id for entry in entries) or "none"
    raise NotComparable(f"no strategy {strategy_id!r} is configured; known: {known}")


def _rule(panel: Path, params: dict[str, Any], symbols: list[str]) -> StrategySettings:
    from mts1b_GPUbacktester import panel_from
    from mts1b_platform.config import StrategySettings

    wanted = symbols or [str(one) for one in panel_from(str(panel)).symbols]
    return StrategySettings(
        strategy_id="rule", fund_id="parity", kind="rule", symbols=wanted, params=params
    )


def _numbers(pairs: list[str]) -> dict[str, float]:
    from mts1b_GPUbacktester.specification import grid_of

    grid = grid_of(pairs)
    if any(len(values) != 1 for values in grid.values()):
        raise typer.BadParameter("one value for each --param")
    return {name: values[0] for name, values in grid.items()}


def _policy(path: Path) -> dict[str, Tolerance]:
    """Read a policy.

    :raises NotComparable: for a file that is none.
    """
    from mts1b_GPUbacktester import BadSetting, Tolerance

    from mts1b_research.errors import NotComparable
    from mts1b_research.parity.comparison import ASPECTS

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = {str(name): Tolerance(**given) for name, given in data.items()}
    except (OSError, ValueError, TypeError, AttributeError, BadSetting) as error:
        raise NotComparable(
            f'{path} is not a policy, e.g. {{"nav": {{"relative": 1e-9}}}}: {error}'
        ) from None
    strangers = sorted(set(found) - set(ASPECTS))
    if strangers:
        raise NotComparable(f"{path} names {strangers[0]!r}; aspects are {', '.join(ASPECTS)}")
    return found


def _print(found: Parity, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**_facts(found), "exit_code": 0 if found.holds else 1}))
        return
    reference = found.records[0]
    print(f"{found.panel.shape[0]} bars, {len(reference.accounts)} accounts")
    for comparison in found.comparisons:
        counts = ", ".join(f"{n} {name}" for name, n in comparison.compared.items())
        verdict = "equal" if comparison.holds else "DIFFERENT"
        print(f"{comparison.left} and {comparison.right}: {verdict} ({counts})")
        for one in comparison.findings:
            moment = found.panel.dates[one.bar] if one.bar < len(found.panel.dates) else "the end"
            where = f"{one.account} {one.symbol}".strip()
            print(f"  first at bar {one.bar} ({moment}), {where}: {one.aspect}")
            print(f"    {comparison.left}: {one.left}\n    {comparison.right}: {one.right}")
            print(f"    likely: {one.cause}")
    if not any(run.orders for run in reference.accounts.values()):
        print("nothing was traded: only cash was compared")
    for name, reason in found.absent.items():
        print(f"{name} took no part: {reason}")


def _facts(found: Parity) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "holds": found.holds,
        "bars": found.panel.shape[0],
        "comparisons": [
            {
                "left": one.left,
                "right": one.right,
                "holds": one.holds,
                "compared": one.compared,
                "findings": [asdict(finding) for finding in one.findings],
            }
            for one in found.comparisons
        ],
        "absent": dict(found.absent),
    }
