"""The ``mts`` command: one root, sub-commands found by entry point, loaded when they run."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from mts1b_platform.exit_codes import ExitCode

__all__ = ["CliError", "emit", "main", "root"]

_GROUP = "mts1b.cli"
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


class CliError(Exception):
    """The command line can not be served; the message says why."""

    exit_code = ExitCode.CONFIGURATION


@cache
def _found() -> dict[str, EntryPoint]:
    commands: dict[str, EntryPoint] = {}
    for point in entry_points(group=_GROUP):
        known = commands.get(point.name)
        if known is not None and known.value != point.value:
            raise CliError(
                f"two packages define `mts {point.name}`: {known.value} and {point.value}; "
                "remove one"
            )
        commands[point.name] = point
    return commands


class _Elsewhere(typer.core.TyperCommand):
    """Stand for a command of another package in the root's help, without importing it."""


class LazyGroup(TyperGroup):
    """List the commands of every package; import a package only to run its command."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names: our own first."""
        own = super().list_commands(ctx)
        return [*own, *sorted(name for name in _found() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; in the root's help, a stand-in with the package's summary."""
        point = _found().get(cmd_name)
        if point is None:
            return super().get_command(ctx, cmd_name)
        if getattr(ctx, "mts_help_only", False):
            return _Elsewhere(cmd_name, help=_summary(point), callback=lambda: None)
        try:
            command = get_command(point.load())
        except ImportError as error:
            raise CliError(f"mts {cmd_name} ({point.value}) can not be loaded: {error}") from error
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help without importing any package."""
        ctx.mts_help_only = True
        super().format_help(ctx, formatter)


def _summary(point: EntryPoint) -> str:
    if point.dist is None:
        return ""
    return str(point.dist.metadata["Summary"] or "")


root = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Run systematic trading funds: watch, halt, prove.",
)
config = typer.Typer(no_args_is_help=True, help="Check and show the settings.")
service = typer.Typer(no_args_is_help=True, help="Run services.")
bus = typer.Typer(no_args_is_help=True, help="Run the message bus.")
root.add_typer(config, name="config")
root.add_typer(service, name="service")
root.add_typer(bus, name="bus")


def emit(data: Any, as_json: bool, *, text: str | None = None) -> None:
    """Print a result: as JSON for programs, as ``text`` for people."""
    if as_json:
        print(json.dumps(data, indent=2, sort_keys=True, default=str))
    elif text is not None:
        print(text)
    else:
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            print(f"{key}: {value}")


@root.callback()
def _root() -> None:
    pass


@root.command()
def version(as_json: JsonOption = False) -> None:
    """Print the versions of the installed packages."""
    from importlib.metadata import distributions

    found = {
        item.metadata["Name"]: item.version
        for item in distributions()
        if (item.metadata["Name"] or "").lower().startswith("mts1b-")
    }
    emit(dict(sorted(found.items())), as_json)


@root.command(name="exit-codes")
def exit_codes(as_json: JsonOption = False) -> None:
    """Print what every exit code means."""
    emit({int(code): code.meaning for code in ExitCode}, as_json)


@config.command()
def check(as_json: JsonOption = False) -> None:
    """Read the settings and say whether they are right."""
    from mts1b_platform.config import load_settings, mts_home

    home = mts_home(os.environ)
    settings = load_settings(home)
    facts = {
        "home": str(home),
        "mode": settings.mode.value,
        "funds": [entry.fund.fund_id for entry in settings.funds],
        "strategies": [entry.strategy_id for entry in settings.strategies],
    }
    text = (
        f"settings of {home} are right: mode {facts['mode']}, {len(settings.funds)} funds, "
        f"{len(settings.strategies)} strategies"
    )
    emit(facts, as_json, text=text)


@config.command()
def show(as_json: JsonOption = False) -> None:
    """Print the settings in force, secrets masked."""
    import yaml

    from mts1b_platform.config import load_settings, masked, mts_home

    data = masked(load_settings(mts_home(os.environ)))
    emit(data, as_json, text=yaml.safe_dump(data, sort_keys=False).rstrip())


@config.command()
def schema() -> None:
    """Print the JSON Schema of the settings."""
    from mts1b_platform.config import Settings

    print(json.dumps(Settings.model_json_schema(), indent=2))


@service.command(name="list")
def list_services(as_json: JsonOption = False) -> None:
    """List the services that are installed."""
    from mts1b_platform.plugins import plugin_names

    names = plugin_names("mts1b.services")
    emit(names, as_json, text="\n".join(names))


@service.command()
def run(name: Annotated[str, typer.Argument(help="a service, or all")]) -> None:
    """Run a service (or all of them) in this process until it is told to stop."""
    from mts1b_platform.config import load_settings, mts_home
    from mts1b_platform.logging import configure_logging
    from mts1b_platform.service.run import SERVICES, run_services

    home = mts_home(os.environ)
    settings = load_settings(home)
    configure_logging(settings.log)
    run_services(SERVICES if name == "all" else [name], home=home, settings=settings)


@bus.command()
def serve(port: Annotated[int, typer.Option(help="0: any free port")] = 0) -> None:
    """Run a NATS server for this MTS_HOME in the foreground until it is told to stop."""
    import asyncio

    from mts1b_platform.config import mts_home
    from mts1b_platform.eventbus.server import run_server

    asyncio.run(run_server(mts_home(os.environ), port))


def main() -> None:
    """Run ``mts``. Whatever fails ends here as one line and a documented exit code."""
    try:
        root()
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if code is None:
            code = ExitCode.INTERNAL
            if os.environ.get("MTS_TRACEBACK"):
                raise
        _report(error, int(code))
        raise SystemExit(int(code)) from error


def _report(error: Exception, code: int) -> None:
    text = " ".join(str(error).split()) or type(error).__name__
    if "--json" in sys.argv:
        print(json.dumps({"error": type(error).__name__, "message": text, "exit_code": code}))
        return
    kind = "" if code != ExitCode.INTERNAL else f"{type(error).__name__}: "
    hint = " (MTS_TRACEBACK=1 shows where)" if code == ExitCode.INTERNAL else ""
    print(f"error: {kind}{text}{hint}", file=sys.stderr)


if __name__ == "__main__":
    main()
