"""``mts plugin``: create a plugin, and check what every plugin of its kind must do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mts1b_pluginsdk.conformance import Report
    from mts1b_pluginsdk.scaffold import Scaffold

app = typer.Typer(no_args_is_help=True, help="Write plugins and check them.")
new = typer.Typer(no_args_is_help=True, help="Create a plugin's package, with tests that pass.")
check = typer.Typer(no_args_is_help=True, help="Check what a plugin must do.")
app.add_typer(new, name="new")
app.add_typer(check, name="check")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Name = Annotated[str, typer.Argument(help="Lower-case words joined by '-', e.g. my-broker.")]
_Out = Annotated[Path, typer.Option(help="The folder in which the package is created.")]


@new.command("broker")
def new_broker(name: _Name, out: _Out = Path(), as_json: _Json = False) -> None:
    """Create a broker: an adapter, an exchange in memory to replace, and its tests."""
    from mts1b_pluginsdk.errors import PluginSdkError
    from mts1b_pluginsdk.scaffold import PluginKind, create_plugin

    try:
        made = create_plugin(PluginKind.BROKER, name, out=out)
    except PluginSdkError as error:
        raise typer.BadParameter(str(error)) from error
    _print_scaffold(made, as_json)


def _print_scaffold(made: Scaffold, as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "kind": made.kind.value,
                "name": made.name.distribution,
                "module": made.name.module,
                "folder": str(made.folder),
                "files": list(made.files),
            }
        )
        return
    typer.echo(f"created {made.folder} ({len(made.files)} files)")
    typer.echo(f"next: cd {made.folder} && python -m pytest")


@check.command("broker")
def check_broker(
    factory: Annotated[str, typer.Argument(help="package.module:name, called without arguments.")],
    symbol: Annotated[str, typer.Option(help="An instrument that the venue trades.")] = "AAPL",
    run_id: Annotated[str, typer.Option(help="Begins every idempotency key.")] = "check",
    patience: Annotated[float, typer.Option(min=0.05, help="Seconds to wait for a fill.")] = 1.0,
    as_json: _Json = False,
) -> None:
    """Trade in a simulated account and say which duties of a broker are met.

    The factory makes a client; all clients that it makes must see one account.
    """
    import asyncio

    from mts1b_pluginsdk.conformance import BenchSettings
    from mts1b_pluginsdk.conformance import check_broker as run
    from mts1b_pluginsdk.errors import FactoryUnusable
    from mts1b_pluginsdk.factory import load_factory

    try:
        connect = load_factory(factory)
    except FactoryUnusable as error:
        raise typer.BadParameter(str(error)) from error
    settings = BenchSettings(symbol=symbol, run_id=run_id, patience_s=patience)
    report = asyncio.run(run(connect, settings=settings, subject=factory))
    _print_report(report, as_json)
    raise typer.Exit(0 if report.passed else 1)


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        _print_json(report.as_dict())
        return
    width = max(len(one.name) for one in report.results)
    for one in report.results:
        typer.echo(f"{one.number}  {one.name:<{width}}  {one.verdict.value:<7}  {one.detail}")
        if one in report.failed:
            typer.echo(f"{'':<5}{'':<{width}}  {'':<7}  rule: {one.source}")
    count = len(report.results)
    verdict = "all duties met" if report.passed else f"{len(report.failed)} of {count} failed"
    typer.echo(f"{report.subject}: {verdict}")


def _print_json(value: object) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))
