"""``mts mts1b-brokers``: list and test the venues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mts1b_brokers.checks import CheckResult

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Venues that take orders.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_brokers(as_json: _Json = False) -> None:
    """List the installed adapters."""
    from importlib.metadata import entry_points

    from mts1b_brokers.registry import GROUP

    rows = [
        {"broker": entry.name, "from": entry.dist.name if entry.dist else "", "code": entry.value}
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    ]
    if as_json:
        _print_json({"items": rows})
        return
    _print_table("Brokers", ("broker", "from", "code"), [tuple(row.values()) for row in rows])


@app.command("test")
def check_broker(
    broker: Annotated[str, typer.Option(help="Name of the adapter.")] = "paper",
    as_json: _Json = False,
) -> None:
    """Try a simulated venue: a new one, in a folder that is removed afterwards."""
    import asyncio

    results = asyncio.run(_run_checks(broker))
    passed = all(result.passed for result in results)
    if as_json:
        checks = [{"name": r.name, "passed": r.passed, "detail": r.detail} for r in results]
        told = {"broker": broker, "passed": passed, "checks": checks}
        _print_json(told, code=0 if passed else 1)
    else:
        rows = [(r.name, "ok" if r.passed else "FAILED", r.detail) for r in results]
        _print_table(f"Broker {broker}", ("check", "result", "seen"), rows)
    raise typer.Exit(0 if passed else 1)


@app.command("profiles")
def list_profiles(as_json: _Json = False) -> None:
    """List the ready profiles of the paper venue and what each promises."""
    from mts1b_brokers.paper import PaperClient, VenueProfile

    cards = {
        name: PaperClient(profile=VenueProfile.named(name)).capabilities()
        for name in VenueProfile.names()
    }
    if as_json:
        shown = {name: card.model_dump(mode="json") for name, card in cards.items()}
        _print_json({"profiles": shown})
        return
    rows = [
        (
            name,
            card.dedupe.value,
            _seconds(card.dedupe_window_s),
            _seconds(card.visibility_lag_s or None),
            _seconds(card.fill_history_s),
            _seconds(card.dead_man_max_s),
            "-" if card.orders_per_s is None else f"{card.orders_per_s:g}/s",
        )
        for name, card in cards.items()
    ]
    columns = ("profile", "keys", "window", "shown late", "fills kept", "dead-man", "messages")
    _print_table("Profiles of the paper venue", columns, rows)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"


async def _run_checks(broker: str) -> list[CheckResult]:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from mts1b_platform.clock import SystemClock
    from mts1b_platform.config import Settings
    from mts1b_platform.ids import SystemIds

    from mts1b_brokers.checks import VenueChecks
    from mts1b_brokers.registry import create_simulated

    clock, ids, settings = SystemClock(), SystemIds(), Settings()
    with TemporaryDirectory(prefix="mts-broker-test-") as folder:
        checks = VenueChecks(
            lambda: create_simulated(broker, settings, home=Path(folder), clock=clock, ids=ids),
            clock=clock,
        )
        return await checks.run()


def _print_json(value: dict[str, object], *, code: int = 0) -> None:
    import json

    typer.echo(json.dumps({**value, "exit_code": code}, indent=2))


def _print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
