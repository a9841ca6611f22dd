"""``mts plugin``: create a plugin, and check what every plugin of its kind must do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mts1b_pluginsdk.conformance import BenchSettings, Card, Connect, Report
    from mts1b_pluginsdk.conformance.certificate import Certificate
    from mts1b_pluginsdk.scaffold import Scaffold

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Write plugins and check them.")
new = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Create a plugin's package, with tests that pass.",
)
check = typer.Typer(no_args_is_help=True, add_completion=False, help="Check what a plugin must do.")
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


_Factory = Annotated[str, typer.Argument(help="package.module:name, called without arguments.")]
_Sandbox = Annotated[
    str,
    typer.Option(
        help="package.module:name of a sandbox: each card gets a new account in it, and the "
        "factory is called with a client of that account, e.g. mts1b_brokers.paper.sandbox:"
        "PaperSandbox"
    ),
]
_Symbol = Annotated[str, typer.Option(help="An instrument that the venue trades.")]
_RunId = Annotated[str, typer.Option(help="Begins every idempotency key.")]
_Patience = Annotated[float, typer.Option(min=0.05, help="Seconds to wait for a fill.")]


@check.command("broker")
def check_broker(
    factory: _Factory,
    sandbox: _Sandbox = "",
    symbol: _Symbol = "AAPL",
    run_id: _RunId = "check",
    patience: _Patience = 1.0,
    as_json: _Json = False,
) -> None:
    """Trade in a simulated account and say which duties of a broker are met.

    The factory makes a client; all clients that it makes must see one account.
    """
    import asyncio

    from mts1b_pluginsdk.conformance import check_broker as run

    connect, settings = _load(factory, sandbox), _settings(symbol, run_id, patience)
    report = asyncio.run(run(connect, settings=settings, subject=factory))
    _print_report(report, as_json)
    raise typer.Exit(0 if report.passed else 1)


@app.command("certify")
def certify(
    factory: _Factory,
    out: Annotated[
        Path | None, typer.Option(help="Write the certificate here as JSON, and beside it as .md.")
    ] = None,
    sandbox: _Sandbox = "",
    symbol: _Symbol = "AAPL",
    run_id: _RunId = "check",
    patience: _Patience = 1.0,
    as_json: _Json = False,
) -> None:
    """Try every card on a broker and state, with the date, what was seen.

    The factory makes a client, or a sandbox with a new account for each card. Ends with 1 when a
    card failed.
    """
    import asyncio

    if out is not None and out.suffix == ".md":
        raise typer.BadParameter(f"{out} is what the page beside the JSON is called; name the JSON")
    connect, settings = _load(factory, sandbox), _settings(symbol, run_id, patience)
    certificate = asyncio.run(_certify(connect, settings, factory))
    if out is not None:
        _write(certificate, out)
    if as_json:
        import json

        told = {"certificate": json.loads(certificate.as_json())}
        _print_json(told, passed=certificate.report.passed)
    else:
        _print_report(certificate.report, as_json=False)
    raise typer.Exit(0 if certificate.report.passed else 1)


async def _certify(connect: Connect, settings: BenchSettings, factory: str) -> Certificate:
    from datetime import UTC, datetime

    from mts1b_pluginsdk.conformance import BROKER_CARDS
    from mts1b_pluginsdk.conformance import check_broker as run
    from mts1b_pluginsdk.conformance.certificate import Certificate, look_at

    subject = await look_at(connect, factory=factory, settings=settings)
    report = await run(connect, settings=settings, subject=factory, cards=BROKER_CARDS)
    # seam-ok: a certificate carries the date of the machine that ran it; no clock is below us
    return Certificate(subject, report, datetime.now(UTC))


def _write(certificate: Certificate, out: Path) -> None:
    try:
        out.write_text(certificate.as_json(), encoding="utf-8")
        out.with_suffix(".md").write_text(certificate.as_markdown(), encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise typer.BadParameter(f"can not write {out}: {reason}; name another file") from error


@app.command("cards")
def list_cards(
    group: Annotated[str, typer.Option(help="Only this group, e.g. replace.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page.")] = False,
    as_json: _Json = False,
) -> None:
    """List every card with its purpose, its source and what it needs."""
    from mts1b_pluginsdk.conformance import BROKER_CARDS, Group

    known = [one.value for one in Group]
    if group and group not in known:
        raise typer.BadParameter(f"no group {group!r}; there are {', '.join(known)}")
    cards = [card for card in BROKER_CARDS if group in ("", card.group.value)]
    if as_json:
        _print_json({"items": [_card_as_dict(card) for card in cards]})
        return
    if markdown:
        from mts1b_pluginsdk.conformance.catalogue import as_markdown

        typer.echo(as_markdown(cards), nl=False)
        return
    for card in cards:
        typer.echo(f"{card.number:<6}{card.title} ({card.group.value})")
        typer.echo(f"      so that {card.purpose}")
        typer.echo(f"      from: {card.source}")
        if card.needs:
            typer.echo(f"      needs: {'; '.join(need.value for need in card.needs)}")
    typer.echo(f"{len(cards)} cards")


def _card_as_dict(card: Card) -> dict[str, object]:
    return {
        "number": card.number,
        "title": card.title,
        "group": card.group.value,
        "purpose": card.purpose,
        "source": card.source,
        "needs": [need.value for need in card.needs],
    }


def _load(factory: str, sandbox: str = "") -> Connect:
    from mts1b_pluginsdk.errors import FactoryUnusable
    from mts1b_pluginsdk.factory import load_factory, within

    try:
        made = load_factory(factory)
        return within(load_factory(sandbox), made) if sandbox else made
    except FactoryUnusable as error:
        raise typer.BadParameter(str(error)) from error


def _settings(symbol: str, run_id: str, patience_s: float) -> BenchSettings:
    from mts1b_pluginsdk.conformance import BenchSettings

    return BenchSettings(symbol=symbol, run_id=run_id, patience_s=patience_s)


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        _print_json(report.as_dict(), passed=report.passed)
        return
    width = max(len(one.title) for one in report.results)
    for one in report.results:
        typer.echo(f"{one.number}  {one.title:<{width}}  {one.verdict.value:<7}  {one.detail}")
        if one in report.failed:
            typer.echo(f"{'':<5}{'':<{width}}  {'':<7}  rule: {one.source}")
    count = len(report.results)
    skipped = report.counts["skipped"]
    met = f"all duties met, {skipped} skipped" if skipped else "all duties met"
    verdict = met if report.passed else f"{len(report.failed)} of {count} failed"
    typer.echo(f"{report.subject}: {verdict}")


def _print_json(value: Mapping[str, object], *, passed: bool = True) -> None:
    import json

    typer.echo(json.dumps({**value, "exit_code": 0 if passed else 1}, indent=2))
